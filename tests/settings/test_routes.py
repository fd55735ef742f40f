"""Classes of routes: what may be written, what is refused with which words, and the signals that they make."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.access_routes import RouteClass
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.traffic import Service as Routed
from bluegreen.settings import load
from bluegreen.wiring_signals import route_classes, sources, terms
from tests.adapters.signals.heard import BLUE, Heard, line, running
from tests.adapters.waiting import until
from tests.settings.conftest import Write


@pytest.fixture
def a_log(nobodys_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access log is read: without one its signals are none."""
    monkeypatch.setenv("BLUEGREEN_CADDY__ACCESS_LOG", "/var/log/caddy/access.log")


LOGIN = """
[[watch.routes]]
name = "login"
service = "web"
paths = ["/self-service/login*"]
methods = ["POST"]
auth_failures = [400, 401]
"""
HEALTH = """
[[watch.routes]]
name = "health"
paths = ["/healthz"]
ignore = true
"""


def test_classes_become_what_the_reader_needs(write: Write) -> None:
    login, health = route_classes(load(write(LOGIN + HEALTH)).watch.routes)
    assert login == RouteClass(
        "login",
        ("/self-service/login*",),
        methods=frozenset({"POST"}),
        service="web",
        failures=frozenset({400, 401}),
    )
    assert health == RouteClass("health", ("/healthz",), ignore=True)


@pytest.mark.usefixtures("a_log")
def test_without_classes_all_auth_failures_are_one_signal(write: Write) -> None:
    assert [rule.name for rule in terms(load(write())).signals if rule.name.startswith("auth")] == ["auth"]


@pytest.mark.usefixtures("a_log")
def test_classes_share_the_weight_of_auth_and_what_is_ignored_has_none(write: Write) -> None:
    plain = {rule.name: rule.weight for rule in terms(load(write())).signals}
    rules = {rule.name: rule for rule in terms(load(write(LOGIN + HEALTH))).signals}
    assert rules.keys() - plain.keys() == {"auth:login"}
    assert rules["auth"].weight == rules["auth:login"].weight == pytest.approx(plain["auth"] / 2)
    assert rules["auth:login"].source == "access_log"
    assert rules["5xx"].weight == pytest.approx(plain["5xx"])


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('name = "x"\npaths = ["login"]', 'begins with "/"'),
        ('name = "x"\npaths = ["/a b"]', "no spaces"),
        ('name = "x"\npaths = ["/login?flow=1"]', "has a query"),
        ('name = "x"\npaths = []', "paths"),
        ('name = "x"', "paths"),
        ('paths = ["/x"]', "name"),
        ('name = "a b"\npaths = ["/x"]', "is not a name"),
        ('name = "x"\npaths = ["/x"]\nmethods = ["FETCH"]', '"FETCH" is not "GET", "HEAD", "POST"'),
        ('name = "x"\npaths = ["/x"]\nmethods = ["post"]', 'did you mean "POST"?'),
        ('name = "x"\npaths = ["/x"]\nauth_failures = [700]', "700 is not an HTTP status"),
        ('name = "x"\npaths = ["/x"]\nauth_failure = [401]', 'Did you mean "auth_failures"'),
        ('name = "x"\npaths = ["/x"]\nservice = "wep"', 'did you mean "web"?'),
        ('name = "x"\npaths = ["/x"]\nignore = true\nauth_failures = [401]', "leave one of them out"),
        ('name = "login"\npaths = ["/x"]', "is the name of more than one of the [[watch.routes]]"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(write: Write, lines: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(write(f"{LOGIN}\n[[watch.routes]]\n{lines}\n"))
    assert says.lower() in str(refused.value).lower()
    assert "bluegreen.toml:" in str(refused.value), "where it stands"


async def test_the_daemons_reader_counts_by_them(write: Write, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.touch()
    file = write(f'{LOGIN}{HEALTH}\n[caddy]\naccess_log = "{log}"\n')
    settings = load(file)
    services = {each.name: Routed(each.name, each.addresses, site=each.site) for each in settings.services}
    door: Any = SimpleNamespace(witnessed=lambda *_: None)
    (reader,) = [each for each in sources(settings, services, door, SystemClock()) if isinstance(each, CaddyLog)]
    async with running(reader, heard := Heard()):
        await until(lambda: reader.position() is not None)
        asked = [("POST", "/self-service/login?flow=1", 400), ("GET", "/whoami", 401), ("GET", "/healthz", 500)]
        lines = [line(status, "127.0.0.1:8001", uri=uri, method=method) for method, uri, status in asked]
        log.write_bytes(b"".join(lines))
        await until(lambda: reader.seen.taken == 3)
    assert heard.bad == {("5xx", BLUE): 0, ("auth", BLUE): 1, ("auth:login", BLUE): 1}
    assert heard.n["5xx", BLUE] == 2
