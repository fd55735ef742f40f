"""What lines become: counts by class, who asked, which route, the first bad line; and no secret among it."""

import json
from collections.abc import Sequence

import pytest

from bluegreen.adapters.signals.access_clients import Clients
from bluegreen.adapters.signals.access_fields import decoder, seconds_of
from bluegreen.adapters.signals.access_lines import AccessLines
from bluegreen.adapters.signals.access_routes import RouteClass, Routes
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Measured, Part
from bluegreen.domain.traffic import Colour
from tests.adapters.signals.heard import BLUE, GREEN, SERVICES, line

LOGIN = RouteClass("login", ("/login*",), failures=frozenset({400, 401}))
HEALTH = RouteClass("health", ("/healthz",), ignore=True)
CLIENTS = Clients(b"key")


def read(*lines: bytes, classes: Sequence[RouteClass] = (LOGIN, HEALTH)) -> list[Batch]:
    reader = AccessLines(SERVICES, decoder("X-Bluegreen-Probe"), lambda *_: None, Routes(classes), Clients(b"key"))
    return reader.add_up([text.rstrip(b"\n") for text in lines])


def of(batches: list[Batch], signal: str, colour: Colour = BLUE) -> Counted:
    (found,) = [b for b in batches if isinstance(b, Counted) and (b.signal, b.colour) == (signal, colour)]
    return found


def slow(batches: list[Batch]) -> Measured:
    (found,) = [batch for batch in batches if isinstance(batch, Measured)]
    return found


def test_a_broken_login_does_not_hide_behind_expired_sessions() -> None:
    whoami = [line(401, uri="/whoami")] * 50
    logins = [line(401, uri="/login?flow=1"), line(400, uri="/login"), line(200, uri="/login"), line(403, uri="/login")]
    batches = read(*whoami, *logins, line(400, uri="/whoami"))
    assert (of(batches, "auth").n, of(batches, "auth").bad) == (51, 50), "a 400 is no auth failure elsewhere"
    assert (of(batches, "auth:login").n, of(batches, "auth:login").bad) == (4, 2), "a 403 is none here"
    assert (of(batches, "5xx").n, of(batches, "5xx").bad) == (55, 0), "errors are counted over all"
    assert [part.route for part in of(batches, "auth:login").parts] == ["GET /login"]


def test_a_class_that_nobody_asked_for_is_not_reported() -> None:
    assert {batch.signal for batch in read(line())} == {"5xx", "auth", "slow"}
    assert {batch.signal for batch in read(line(uri="/login"))} == {"5xx", "auth:login", "slow"}


def test_what_is_ignored_counts_nowhere() -> None:
    assert read(line(500, uri="/healthz?full=1"), line(401, uri="/healthz", duration=9.0)) == []


@pytest.mark.parametrize("value", [b'"1"', b"1", b"true"])
def test_who_previews_the_idle_colour_with_the_operators_secret_counts_nowhere(value: bytes) -> None:
    preview = line(500).replace(b'"level":', b'"bluegreen_preview":' + value + b',"level":')
    assert read(preview) == []
    assert of(read(preview, line(500)), "5xx").n == 1


def test_what_caddy_answered_itself_names_no_upstream_and_is_a_line_all_the_same() -> None:
    reader = AccessLines(SERVICES, decoder("X-Bluegreen-Probe"), lambda *_: None, Routes((LOGIN,)), CLIENTS)
    assert reader.add_up([line(204, upstream="").replace(b'"level":', b'"upstream":null,"level":')]) == []
    assert (reader.seen.unattributed, reader.seen.undecodable) == (1, 0)


def test_a_status_may_be_an_error_and_an_auth_failure() -> None:
    batches = read(line(503, uri="/login"), classes=[RouteClass("login", ("/login",), failures=frozenset({503}))])
    assert (of(batches, "5xx").bad, of(batches, "auth:login").bad) == (1, 1)


def test_every_bad_event_has_its_client_and_every_bucket_its_number() -> None:
    addresses = [f"203.0.113.{number}" for number in range(40)]
    batches = read(
        *[line(502 if number % 4 == 0 else 200, client=each) for number, each in enumerate(addresses)],
        line(401, client="2001:db8::1"),
        line(401, client="2001:db8::2"),
    )
    who, denied = of(batches, "5xx").who, of(batches, "auth").who
    assert who is not None
    assert denied is not None
    assert who.failed == tuple(CLIENTS.number(each) for each in addresses[::4])
    assert len(who.asked) == CLIENT_BUCKETS
    assert sum(who.asked) == of(batches, "5xx").n == 42
    assert who.asked == denied.asked
    assert len(set(denied.failed)) == 1, "a /64 is one client"
    assert slow(batches).clients[:40] == tuple(CLIENTS.number(each) for each in addresses)


def test_the_clients_of_a_class_are_its_own() -> None:
    batches = read(line(client="10.0.0.1"), line(401, client="10.0.0.2", uri="/login"))
    login, other = of(batches, "auth:login").who, of(batches, "auth").who
    assert login is not None
    assert other is not None
    assert login.failed == (CLIENTS.number("10.0.0.2"),)
    assert (sum(login.asked), sum(other.asked), other.failed) == (1, 1, ())


def test_an_older_caddy_names_the_client_by_its_connection() -> None:
    who = of(read(line(500, client=None, remote="10.0.0.9")), "5xx").who
    assert who is not None
    assert who.failed == (CLIENTS.number("10.0.0.9"),)


def test_where_a_line_names_no_client_nobody_knows_who_asked() -> None:
    batches = read(line(500), line(500, client=None, remote=None))
    assert (of(batches, "5xx").bad, of(batches, "5xx").who) == (2, None)
    assert (slow(batches).clients, len(slow(batches).routes)) == ((), 2)


def test_each_route_has_its_part_and_the_first_bad_line() -> None:
    batches = read(
        line(200, uri="/users/1"),
        line(502, uri="/users/2?a=b", method="POST", duration=0.0124),
        line(503, uri="/users/3", method="POST"),
        line(401, uri="/users/4"),
    )
    first = "22:23:07.898 UTC POST /users/:id 502 in 12 ms by 127.0.0.1:1001"
    assert of(batches, "5xx").parts == (
        Part("web", "GET /users/:id", 2, 0),
        Part("web", "POST /users/:id", 2, 2, first),
    )
    assert of(batches, "auth").parts[0].bad == 1
    assert slow(batches).routes == ("GET /users/:id", "POST /users/:id", "POST /users/:id", "GET /users/:id")


def test_colours_and_services_are_kept_apart() -> None:
    batches = read(line(500), line(500, "127.0.0.1:2001"), line(200, "127.0.0.1:1003"))
    assert {part.service for part in of(batches, "5xx", BLUE).parts} == {"web", "api"}
    assert [part.service for part in of(batches, "5xx", GREEN).parts] == ["web"]


def test_answers_to_users_are_told_by_service_and_colour() -> None:
    told: list[tuple[str, Colour, int]] = []
    reader = AccessLines(
        SERVICES, decoder("X-P"), lambda *_: None, Routes([HEALTH]), Clients(), lambda *each: told.append(each)
    )
    lines = [line(500), line(), line(200, "127.0.0.1:2003"), line(499), line(uri="/healthz"), line(upstream="")]
    reader.add_up([text.rstrip() for text in lines])
    assert sorted(told) == [("api", GREEN, 1), ("web", BLUE, 2)]


SECRETS = {
    "query": "q-s3cr3t-in-the-query",
    "uuid": "6f1c9a52-0c2e-4b7e-9d0b-0a2f5f3c1d11",
    "number": "109340218",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "mail": "alice@example.org",
    "agent": "Secret-Agent/007",
    "cookie": "session=deadbeef0123",
    "client": "198.51.100.77",
    "client6": "2001:db8:77::7",
    "method": "STEAL9",
    "host": "customer-secret.example.org",
}


def test_no_secret_of_a_request_goes_on() -> None:
    paths = [f"/users/{SECRETS['uuid']}/x/{SECRETS['number']}", f"/reset/{SECRETS['token']}", f"/u/{SECRETS['mail']}"]
    lines = [
        line(
            status,
            uri=f"{path}?token={SECRETS['query']}",
            method=method,
            client=client,
            agent=SECRETS["agent"],
            host=SECRETS["host"],
            duration=2.0,
        ).replace(b'"REDACTED"', json.dumps(SECRETS["cookie"]).encode())
        for status in (500, 401)
        for path in paths
        for method in ("GET", SECRETS["method"])
        for client in (SECRETS["client"], SECRETS["client6"])
    ]
    assert SECRETS["cookie"].encode() in lines[0]
    told = repr(read(*lines))
    assert "/reset/:id 500" in told
    assert [name for name, secret in SECRETS.items() if secret in told] == []


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [
        (1795213387.5, 1795213387.5),
        (1795213387500.0, 1795213387.5),
        (1795213387500000000, 1795213387.5),
        ("2026-11-20T16:23:07.500Z", 1795191787.5),
        ("2026-11-20T16:23:07.500+0100", 1795188187.5),
        ("20/Nov/2026:16:23:07 +0000", None),
        (None, None),
        (0.0, None),
        (-1.0, None),
        (1e300, None),
    ],
)
def test_a_time_is_read_as_caddy_may_write_it(ts: float | str | None, seconds: float | None) -> None:
    assert seconds_of(ts) == seconds


def test_a_line_with_a_strange_time_counts_all_the_same() -> None:
    assert of(read(line(500, ts="noon"), line(500, ts=None), line(500, ts=1e300)), "5xx").bad == 3


def test_it_is_told_when_requests_began_of_those_that_say_so_and_are_no_streams() -> None:
    """An answer that comes late to what was asked before a switch is no sign of anything."""
    batches = read(
        line(200, ts=1_700_000_100.0, duration=60.0),
        line(200, ts="noon", duration=0.1),
        line(101, ts=1_700_000_100.5, duration=99.0),
        line(200, ts=1_700_000_101.5, duration=0.5),
    )
    assert of(batches, "5xx").n == 4
    assert of(batches, "5xx").begun == (1_700_000_040.0, 1_700_000_101.0)


@pytest.mark.parametrize("place", ["request>headers", "resp_headers", "resp_headers>Content-Type"])
def test_headers_that_a_filter_of_the_log_replaces_by_a_text_cost_no_line(place: str) -> None:
    told = json.loads(line(500))
    *above, last = place.split(">")
    part = told
    for name in above:
        part = part.setdefault(name, {})
    part[last] = "REDACTED"
    reader = AccessLines(SERVICES, decoder("X-Bluegreen-Probe"), lambda *_: None, Routes(()), Clients(b"key"))
    batches = reader.add_up([json.dumps(told).encode()])
    assert (of(batches, "5xx").n, of(batches, "5xx").bad, reader.seen.undecodable) == (1, 1, 0)
    assert len(slow(batches).values) == 1
