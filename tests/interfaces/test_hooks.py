"""Alert hooks over real TCP: who may post, what is understood, and that nothing is given away."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from bluegreen.app.requests import AlertAnswer, AlertEffect
from bluegreen.domain.errors import ConfigurationError, JournalUnwritable
from bluegreen.interfaces.buckets import SENDERS, Buckets
from bluegreen.interfaces.budgets import Budgets
from bluegreen.interfaces.hooks import ALERTS_BURST, BURST, LABELS, TEXT, HookRules, make_hooks
from bluegreen.interfaces.listening import serve_hooks
from tests.interfaces.scripts import ScriptedService

TOKEN = "s3cret-of-the-hook"
RULES = {
    "alerts": HookRules("alertmanager", TOKEN, {"team": "shop"}),
    "other": HookRules("generic", "another-token", {}, "record"),
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OTHER = {"Authorization": "Bearer another-token"}
AT = "2026-11-20T21:04:11.123456789Z"


@pytest.fixture
async def url(service: ScriptedService) -> AsyncIterator[str]:
    async with serve_hooks(make_hooks(service, RULES, budgets=Budgets(body=0.3)), "127.0.0.1:0") as (host, port):
        yield f"http://{host}:{port}/v1/hooks"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


def alert(**changes: Any) -> dict[str, Any]:
    return {"status": "firing", "labels": {"team": "shop"}, "startsAt": AT, "fingerprint": "f1"} | changes


def message(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "bluegreen", "alerts": list(alerts)}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_an_alert_of_alertmanager_is_understood(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    sent = message(alert(annotations={"summary": "too many 5xx"}, endsAt="0001-01-01T00:00:00Z", generatorURL="x"))
    async with http.post(f"{url}/alerts", json=sent, headers=BEARER) as answer:
        document = await answer.json()
    assert answer.status == 202
    assert document == {"event": "e-1", "effect": "recorded", "reason": "no deployment runs", "durable": True}
    (understood,) = service.alerts
    assert (understood.hook, understood.fingerprint, understood.firing) == ("alerts", "f1", True)
    assert understood.starts_at == datetime(2026, 11, 20, 21, 4, 11, 123457, UTC)
    assert (understood.matches, understood.effect, understood.summary) == (True, "cutback", "too many 5xx")


async def test_several_alerts_are_told_by_the_strongest_and_the_matching_come_first(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    service.answers["f2"] = AlertAnswer("e-2", AlertEffect.CUTBACK, "")
    service.answers["f3"] = AlertAnswer("e-3", AlertEffect.DUPLICATE, "seen before", durable=False)
    sent = message(alert(status="resolved"), alert(fingerprint="f3", labels={"team": "mail"}), alert(fingerprint="f2"))
    async with http.post(f"{url}/alerts", json=sent, headers=BEARER) as answer:
        document = await answer.json()
    assert (document["event"], document["effect"], document["durable"]) == ("e-2", "cutback", False)
    assert [part["effect"] for part in document["alerts"]] == ["cutback", "recorded", "duplicate"]
    assert [alert.fingerprint for alert in service.alerts] == ["f2", "f1", "f3"]


@pytest.mark.parametrize(
    ("labels", "matches"),
    [({"team": "shop", "severity": "page"}, True), ({"team": "mail"}, False), ({"Team": "shop"}, False), ({}, False)],
)
async def test_every_configured_label_must_be_equal(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, labels: dict[str, str], matches: bool
) -> None:
    async with http.post(f"{url}/alerts", json=message(alert(labels=labels)), headers=BEARER) as answer:
        assert answer.status == 202
    assert service.alerts[0].matches is matches


async def test_a_generic_message_needs_nothing_but_the_token(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    before = datetime.now(UTC)
    async with http.post(f"{url}/other", json={"further": 1}, headers=OTHER) as answer:
        assert answer.status == 202
    (understood,) = service.alerts
    assert before <= understood.starts_at <= datetime.now(UTC)
    assert (understood.firing, understood.matches, understood.effect) == (True, True, "record")
    assert understood.fingerprint


async def test_a_generic_message_sent_again_is_the_same_alert(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    for sent in ({"id": "m-1"}, {"id": "m-1"}, {"id": "m-2"}, {}, {}):
        async with http.post(f"{url}/other", json=sent, headers=OTHER) as answer:
            assert answer.status == 202
    first, again, another, *nameless = [(alert.fingerprint, alert.starts_at) for alert in service.alerts]
    assert first == again != another
    assert nameless[0] != nameless[1]


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        pytest.param("alerts", {}, id="no-token"),
        pytest.param("alerts", {"Authorization": ""}, id="empty-header"),
        pytest.param("alerts", {"Authorization": "Bearer"}, id="no-credentials"),
        pytest.param("alerts", {"Authorization": "Bearer "}, id="empty-token"),
        pytest.param("alerts", {"Authorization": "Bearer wrong"}, id="wrong-token"),
        pytest.param("alerts", {"Authorization": f"Bearer {TOKEN}x"}, id="longer-token"),
        pytest.param("alerts", {"Authorization": f"Bearer {TOKEN[:-1]}"}, id="shorter-token"),
        pytest.param("alerts", {"Authorization": "Bearer tökén-ñ"}, id="non-ASCII"),
        pytest.param("alerts", {"Authorization": f"Digest {TOKEN}"}, id="other-scheme"),
        pytest.param("alerts", {"Authorization": "Basic !!!"}, id="not-base64"),
        pytest.param("alerts", {"Authorization": "Basic ööö"}, id="non-ASCII-base64"),
        pytest.param("alerts", basic(TOKEN, ""), id="token-as-user"),
        pytest.param("alerts", basic("am", "wrong"), id="wrong-password"),
        pytest.param("other", basic("am", "another-token"), id="basic-is-alertmanagers"),
        pytest.param("other", BEARER, id="another-hooks-token"),
        pytest.param("nobody", BEARER, id="unknown-name"),
    ],
)
async def test_who_cannot_prove_the_token_learns_nothing(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, name: str, headers: dict[str, str]
) -> None:
    async with http.post(f"{url}/{name}", data=b"{ not even JSON", headers=headers) as answer:
        document = await answer.json(content_type="application/problem+json")
    assert answer.status == 401
    assert document["detail"] == "The token is missing or wrong."
    assert service.alerts == []


@pytest.mark.parametrize("tokens", [("wrong", TOKEN), (TOKEN, "wrong"), (TOKEN, TOKEN)])
async def test_two_tokens_at_once_prove_nothing(http: aiohttp.ClientSession, url: str, tokens: tuple[str, ...]) -> None:
    headers = [("Authorization", f"Bearer {token}") for token in tokens]
    async with http.post(f"{url}/alerts", json=message(alert()), headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("user", ["alertmanager", "", "with:colon"])
async def test_alertmanager_may_prove_itself_by_basic(http: aiohttp.ClientSession, url: str, user: str) -> None:
    expected = 401 if ":" in user else 202
    async with http.post(f"{url}/alerts", json=message(alert()), headers=basic(user, TOKEN)) as answer:
        assert answer.status == expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="cut-short"),
        pytest.param(b"\xff\xfe", 400, id="not-utf-8"),
        pytest.param(b'{"alerts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422, id="deep"),
        pytest.param(b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, id="deep-elsewhere"),
        pytest.param(b"[]", 422, id="list"),
        pytest.param(b"{}", 422, id="no-alerts"),
        pytest.param(json.dumps(message()).encode(), 422, id="empty-alerts"),
        pytest.param(json.dumps(message(alert(startsAt="2026-11-20T21:04:11"))).encode(), 422, id="no-time-zone"),
        pytest.param(json.dumps(message(alert(startsAt="now"))).encode(), 422, id="no-time"),
        pytest.param(json.dumps(message(alert(status="maybe"))).encode(), 422, id="other-status"),
        pytest.param(json.dumps(message(alert(labels={"a": 1}))).encode(), 422, id="label-of-number"),
        pytest.param(b" " * 300_000, 413, id="too-large"),
    ],
)
async def test_a_bad_message_is_a_problem_and_no_alert(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, body: bytes, status: int
) -> None:
    async with http.post(f"{url}/alerts", data=body, headers=BEARER) as answer:
        document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["status"]) == (status, status)
    assert service.alerts == []


async def test_a_dripping_message_is_given_up(url: str, service: ScriptedService) -> None:
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/hooks/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{"
    writer.write(head.encode())
    assert b" 408 " in await reader.readline()
    writer.close()
    assert service.alerts == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/alerts"), ("PUT", "/alerts"), ("POST", ""), ("POST", "/a/b")])
async def test_there_is_no_other_route(http: aiohttp.ClientSession, url: str, method: str, path: str) -> None:
    async with http.request(method, f"{url}{path}", headers=BEARER) as answer:
        assert answer.status in (404, 405)


async def test_a_storm_without_a_token_does_not_shut_out_who_has_it(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    statuses, waits = set(), set()
    for _ in range(BURST + 20):
        async with http.post(f"{url}/alerts", headers={"Authorization": "Bearer wrong"}) as answer:
            statuses.add(answer.status)
            waits.add(answer.headers.get("Retry-After"))
    assert statuses == {401, 429}
    assert waits == {None, "1"}
    async with http.post(f"{url}/alerts", json=message(alert()), headers=BEARER) as answer:
        assert answer.status == 202


async def test_a_very_long_token_is_refused_without_a_word_of_it(url: str, service: ScriptedService) -> None:
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/hooks/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"k" * 100_000 + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"application/problem+json" in answer
    assert b"kkkk" not in answer
    assert service.alerts == []


async def test_too_many_alerts_are_told_to_wait_but_never_one_that_cuts_back(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    service.answers["the-one"] = AlertAnswer("e-2", AlertEffect.CUTBACK, "")
    flood = [alert(fingerprint=f"f{number}") for number in range(ALERTS_BURST)]
    async with http.post(f"{url}/alerts", json=message(*flood), headers=BEARER) as answer:
        assert answer.status == 202
    async with http.post(f"{url}/alerts", json=message(*flood), headers=BEARER) as answer:
        document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["code"]) == (429, "too-many-requests")
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(service.alerts) == ALERTS_BURST
    async with http.post(f"{url}/alerts", json=message(*flood, alert(fingerprint="the-one")), headers=BEARER) as answer:
        document = await answer.json()
    assert (answer.status, document["effect"]) == (202, "cutback")
    assert [alert.fingerprint for alert in service.alerts[ALERTS_BURST:]] == ["the-one"]


async def test_the_alert_that_cuts_back_is_taken_in_before_all_others(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    service.answers["the-one"] = AlertAnswer("e-2", AlertEffect.CUTBACK, "")
    sent = message(*(alert(fingerprint=f"f{number}") for number in range(9)), alert(fingerprint="the-one"))
    async with http.post(f"{url}/alerts", json=sent, headers=BEARER) as answer:
        assert answer.status == 202
    assert [alert.fingerprint for alert in service.alerts][:2] == ["the-one", "f0"]


async def test_what_is_remembered_of_an_alert_is_bounded(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    labels = {f"label{number}": "v" * 2_000 for number in range(90)} | {"team": "shop", "colour": "green"}
    large = alert(fingerprint="f" * 5_000, labels=labels, annotations={"summary": "s" * 5_000})
    async with http.post(f"{url}/alerts", json=message(large), headers=BEARER) as answer:
        assert answer.status == 202
    async with http.post(f"{url}/other", json={"id": "m" * 100_000, "summary": "s" * 9_000}, headers=OTHER) as answer:
        assert answer.status == 202
    for taken in service.alerts:
        assert len(taken.fingerprint) == 16
        assert len(taken.summary) == TEXT
        assert sum(len(name) + len(value) for name, value in taken.labels.items()) <= LABELS * 2 * TEXT
    assert service.alerts[0].matches
    assert {"team": "shop", "colour": "green"}.items() <= service.alerts[0].labels.items()


async def test_two_long_ids_are_two_alerts(http: aiohttp.ClientSession, url: str, service: ScriptedService) -> None:
    for end in ("a", "b", "a"):
        async with http.post(f"{url}/other", json={"id": "m" * 1_000 + end}, headers=OTHER) as answer:
            assert answer.status == 202
    first, second, again = [(taken.fingerprint, taken.starts_at) for taken in service.alerts]
    assert first == again != second


async def test_a_failing_service_is_a_problem(http: aiohttp.ClientSession, url: str, service: ScriptedService) -> None:
    async def refuse(alert: object) -> AlertAnswer:
        raise JournalUnwritable

    service.alert = refuse  # type: ignore[method-assign]
    async with http.post(f"{url}/alerts", json=message(alert()), headers=BEARER) as answer:
        assert answer.status == 503


def test_a_hook_without_a_token_is_a_configuration_error(service: ScriptedService) -> None:
    with pytest.raises(ConfigurationError, match=r"hooks\.open\.token"):
        make_hooks(service, {"open": HookRules("generic", "")})


def test_rules_do_not_show_their_token() -> None:
    assert TOKEN not in repr(RULES)


def test_a_bucket_refills_with_time_and_is_each_senders_own() -> None:
    buckets = Buckets(rate=2.0, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.25) == pytest.approx(0.25)
    assert buckets.take("a", 0.5) == 0.0
    assert buckets.take("a", 100.0) == 0.0


def test_what_costs_more_than_a_bucket_holds_takes_a_full_one() -> None:
    buckets = Buckets(rate=2.0, burst=10)
    assert buckets.take("a", 0.0, cost=4) == 0.0
    assert buckets.take("a", 0.0, cost=8) == 1.0
    assert buckets.take("a", 2.0, cost=1_000) == 0.0
    assert buckets.take("a", 2.0) == 0.5


def test_buckets_are_bounded_and_forget_the_longest_silent() -> None:
    buckets = Buckets(rate=1.0, burst=1)
    for number in range(SENDERS + 1):
        buckets.take(number, 0.0)
    assert buckets.take(SENDERS, 0.0) > 0
    assert buckets.take(0, 0.0) == 0.0
