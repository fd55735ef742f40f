"""From what a client asked for to a route that may be shown, and to its class; all of it bounded."""

from time import process_time

import pytest

from bluegreen.adapters.signals.access_routes import (
    KNOWN_PATHS,
    KNOWN_ROUTES,
    OTHER,
    RouteClass,
    Routes,
    matches,
    shown,
)

LOGIN = RouteClass("login", ("/self-service/login*",), methods=frozenset({"POST"}), failures=frozenset({400, 401}))
HEALTH = RouteClass("health", ("/healthz",), ignore=True)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/login", "/login"),
        ("/self-service/login/flows", "/self-service/login/flows"),
        ("/api/v1/oauth2/token", "/api/v1/oauth2/token"),
        ("/getUserInfo", "/getUserInfo"),
        ("/users/1093/orders/", "/users/:id/orders/"),
        ("/orders/2026/01/02", "/orders/:id/:id/:id"),
        ("/u/6f1c9a52-0c2e-4b7e-9d0b-0a2f5f3c1d11", "/u/:id"),
        ("/u/6F1C9A520C2E4B7E9D0B0A2F5F3C1D11/x", "/u/:id/x"),
        ("/commit/deadbeef", "/commit/:id"),
        ("/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/reset/:id"),
        ("/v/dBjftJeZ", "/v/:id"),
        ("/users/alice@example.org", "/users/:id"),
        ("/users/alice%40example.org", "/users/:id"),
        ("/reset/s3cr3t", "/reset/:id"),
        ("/invite/hunter2", "/invite/:id"),
        ("/assets/app.3f2a1b9c.js", "/assets/:id.js"),
        ("/assets/logo.png", "/assets/logo.png"),
        ("/a//b", "/a//b"),
        ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/..."),
        ("/<script>alert(1)</script>", "/:id/:id"),
        ("/a\x1b[31mred", "/:id"),
        ("/" + "a" * 21, "/:id"),
        ("/" + "x-" * 60, "/:id"),
    ],
)
def test_a_path_is_shown_with_nothing_but_words(path: str, route: str) -> None:
    assert shown(path) == route


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/login", "/login", True),
        ("/login", "/login/", False),
        ("/login*", "/login", True),
        ("/login*", "/login/a/b", True),
        ("/login*", "/Login", False),
        ("*/login", "/a/login", True),
        ("/a/*/c", "/a/b/b/c", True),
        ("/a/*/c", "/a/c", False),
        ("/a*a", "/a", False),
        ("/*x*y*", "/1x2y3", True),
        ("/*x*y*", "/1y2x3", False),
        ("/a.c", "/abc", False),
        ("/[ab]", "/a", False),
        ("*", "", True),
    ],
)
def test_a_star_is_any_text_and_nothing_else_is_special(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, path) is fits


def test_a_hostile_path_costs_no_time() -> None:
    began = process_time()
    for _ in range(100):
        assert not matches("/*a*a*a*a*a*b", "/" + "a" * 1000 + "c")
        shown("/" + "aB-" * 300)
        shown("/" + "." * 1000)
    assert process_time() - began < 2.0


@pytest.mark.parametrize(
    ("method", "uri", "name"),
    [
        ("GET", "/users/7?token=s3cr3t#x", "GET /users/:id"),
        ("GET", "?token=secret", "GET /"),
        ("OPTIONS", "*", "OPTIONS /"),
        ("GET", "http://web.test/login?next=/", "GET /login"),
        ("GET", "http://web.test", "GET /"),
        ("CONNECT", "web.test:443", "CONNECT /"),
        ("HUNTER", "/login", "OTHER /login"),
        ("", "", "OTHER /"),
    ],
)
def test_a_route_is_the_method_and_the_path_that_was_asked_for(method: str, uri: str, name: str) -> None:
    assert Routes().route("web", method, uri).name == name


def test_the_first_class_that_holds_a_request_has_it() -> None:
    routes = Routes([LOGIN, HEALTH, RouteClass("rest", ("*",), service="api")])
    login = routes.route("web", "POST", "/self-service/login?flow=1")
    assert (login.auth, login.failures, login.ignored) == ("auth:login", frozenset({400, 401}), False)
    assert routes.route("web", "GET", "/self-service/login").auth == "auth", "another method"
    assert routes.route("web", "GET", "/healthz").ignored
    assert routes.route("api", "GET", "/x").auth == "auth:rest"
    assert routes.route("web", "GET", "/x").auth == "auth", "another service"


def test_one_route_of_two_classes_is_two() -> None:
    routes = Routes([RouteClass("mine", ("/users/1",))])
    mine, other = routes.route("web", "GET", "/users/1"), routes.route("web", "GET", "/users/2")
    assert (mine.name, mine.auth) == ("GET /users/:id", "auth:mine")
    assert (other.name, other.auth) == ("GET /users/:id", "auth")


def words(number: int) -> str:
    """Another word for each number."""
    return "w" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


def test_strangers_who_try_names_fill_neither_memory_nor_the_table_for_ever() -> None:
    routes = Routes()
    names = {routes.route("web", "GET", f"/{words(number)}").name for number in range(KNOWN_ROUTES)}
    assert len(names) == KNOWN_ROUTES
    assert routes.route("web", "GET", "/new").name == OTHER, "the table is full"
    assert routes.route("api", "GET", "/new").name == "GET /new", "each service has a table of its own"
    for number in range(3 * KNOWN_ROUTES):
        routes.route("web", "GET", "/new")
        routes.route("web", "GET", f"/probing/{words(number)}")
        assert routes.route("web", "GET", "/waa").name in ("GET /waa", OTHER)
        assert len(routes._known["web"]) <= KNOWN_ROUTES + 1
    assert routes.route("web", "GET", "/new").name == "GET /new", "what nobody asks for any more has made room"
    assert routes.route("web", "GET", "/waa").name == "GET /waa", "what is in use is kept"


def test_paths_are_remembered_up_to_a_bound() -> None:
    routes = Routes()
    for number in range(KNOWN_PATHS + 10):
        assert routes.route("web", "GET", f"/users/{number}").name == "GET /users/:id"
    assert len(routes._by_path) <= KNOWN_PATHS


def test_long_requests_are_not_remembered() -> None:
    routes = Routes()
    for number in range(100):
        assert routes.route("web", "GET", f"/users/{number}{'0' * 100_000}").name == "GET /users/:id"
        assert routes.route("web", "X" * 1000, f"/users/{number}").name == "OTHER /users/:id"
    assert len(routes._by_path) == 0
