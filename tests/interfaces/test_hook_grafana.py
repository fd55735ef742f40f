"""The hook for Grafana over real TCP: what it signs is taken in, and nothing that was changed, recorded or made up."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from bluegreen.app.requests import Alert, AlertEffect, Caller
from bluegreen.interfaces.budgets import Budgets
from bluegreen.interfaces.hook_door import HookDoor
from bluegreen.interfaces.hook_proofs import WINDOW, HookRules
from bluegreen.interfaces.hooks import BURST, make_hooks
from bluegreen.interfaces.listening import serve_hooks
from tests.interfaces.scripts import ScriptedService

SECRET = "s3cret-of-grafana"
RULES = {
    "grafana": HookRules("grafana", SECRET, {"severity": "critical"}),
    "sightless": HookRules("grafana", SECRET, {"alertname": "DatasourceNoData"}),
    "alerts": HookRules("alertmanager", SECRET),
}
SIGNATURE, TIMESTAMP = "X-Grafana-Alerting-Signature", "X-Grafana-Alerting-Timestamp"


@pytest.fixture
async def url(service: ScriptedService) -> AsyncIterator[str]:
    async with serve_hooks(make_hooks(service, RULES, budgets=Budgets(body=0.3)), "127.0.0.1:0") as (host, port):
        yield f"http://{host}:{port}/v1/hooks"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


def posted(**changes: Any) -> bytes:
    """As Grafana's manual shows it (webhook notifier, body), with a field or two that we do not read."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Checkout fails", "severity": "critical", "grafana_folder": "shop"},
        "annotations": {"summary": "nobody can pay"},
        "startsAt": "2026-11-20T21:04:11.5Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "values": {"B": 44.23, "C": 1},
        "generatorURL": "http://grafana.test/alerting/1/edit",
        "fingerprint": "6fe4ab3d0a4c1a3c",
        "silenceURL": "http://grafana.test/alerting/silence/new",
        "dashboardURL": "",
        "valueString": "[ metric='foo' value=44.23 ]",
    } | changes
    message = {
        "receiver": "bluegreen",
        "status": "firing",
        "alerts": [alert],
        "groupLabels": {},
        "commonLabels": {},
        "externalURL": "http://grafana.test/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "orgId": 1,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "text",
    }
    return json.dumps(message).encode()


def signed(body: bytes, secret: str = SECRET, at: float | None = None, *, header: str = SIGNATURE) -> dict[str, str]:
    """The headers, made as grafana/alerting makes them."""
    timestamp = str(int(time.time() if at is None else at))
    made = hmac.new(secret.encode(), timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {header: made, TIMESTAMP: timestamp}


async def said(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    async with http.post(url, data=body, headers=headers) as answer:
        document = await answer.json(content_type=None)
    return answer.status, str(document.get("detail") or document.get("effect"))


@pytest.mark.parametrize("header", [SIGNATURE, "X-Grafana-Alert-Signature", SIGNATURE.lower()])
async def test_what_grafana_signs_is_understood(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, header: str
) -> None:
    body = posted()
    assert (await said(http, f"{url}/grafana", body, signed(body, header=header)))[0] == 202
    (understood,) = service.alerts
    assert (understood.hook, understood.fingerprint, understood.firing) == ("grafana", "6fe4ab3d0a4c1a3c", True)
    assert understood.starts_at == datetime(2026, 11, 20, 21, 4, 11, 500_000, UTC)
    assert (understood.matches, understood.summary, understood.blind) == (True, "nobody can pay", False)


@pytest.mark.parametrize("apart", [-WINDOW + 20, WINDOW - 20])
async def test_clocks_may_differ_a_little(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, apart: float
) -> None:
    body = posted()
    assert (await said(http, f"{url}/grafana", body, signed(body, at=time.time() + apart)))[0] == 202


@pytest.mark.parametrize(
    ("apart", "words"), [(-WINDOW - 20, "s behind ours: it was sent before"), (WINDOW + 20, "s ahead of ours")]
)
async def test_a_message_that_was_recorded_is_refused_and_its_sender_is_told_why(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, apart: float, words: str
) -> None:
    body = posted()
    status, detail = await said(http, f"{url}/grafana", body, signed(body, at=time.time() + apart))
    assert status == 401
    assert words in detail
    assert service.alerts == []


async def test_a_message_signed_without_its_time_is_refused_with_what_to_enter(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    body = posted()
    headers = {SIGNATURE: hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    status, detail = await said(http, f"{url}/grafana", body, headers)
    assert status == 401
    assert TIMESTAMP in detail
    assert service.alerts == []


BODY = posted()
GOOD = signed(BODY)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        pytest.param("grafana", {}, id="nothing"),
        pytest.param("grafana", {"Authorization": f"Bearer {SECRET}"}, id="the-secret-itself"),
        pytest.param("grafana", signed(BODY, "another"), id="another-secret"),
        pytest.param("grafana", signed(BODY + b" "), id="another-body"),
        pytest.param("grafana", GOOD | {TIMESTAMP: str(int(GOOD[TIMESTAMP]) + 1)}, id="another-time"),
        pytest.param("grafana", {SIGNATURE: GOOD[SIGNATURE]}, id="no-time"),
        pytest.param("grafana", GOOD | {TIMESTAMP: "now"}, id="no-number"),
        pytest.param("grafana", GOOD | {TIMESTAMP: "9" * 400}, id="a-long-number"),
        pytest.param("grafana", GOOD | {TIMESTAMP: "-1"}, id="a-negative-number"),
        pytest.param("grafana", GOOD | {SIGNATURE: "sha256=" + GOOD[SIGNATURE]}, id="with-a-prefix"),
        pytest.param("grafana", GOOD | {SIGNATURE: GOOD[SIGNATURE][:-1]}, id="shorter"),
        pytest.param("grafana", GOOD | {SIGNATURE: "ö" * 64}, id="non-ASCII"),
        pytest.param("grafana", GOOD | {"X-Grafana-Alert-Signature": GOOD[SIGNATURE]}, id="two-signatures"),
        pytest.param("alerts", GOOD, id="a-hook-of-tokens"),
        pytest.param("nobody", GOOD, id="unknown-name"),
    ],
)
async def test_who_did_not_sign_these_bytes_learns_nothing(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, name: str, headers: dict[str, str]
) -> None:
    assert await said(http, f"{url}/{name}", BODY, headers) == (401, "The token is missing or wrong.")
    assert service.alerts == []


@pytest.mark.parametrize("name", ["grafana", "alerts", "nobody"])
async def test_a_claim_whose_body_never_comes_tells_no_names(url: str, service: ScriptedService, name: str) -> None:
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/hooks/{name} HTTP/1.1\r\nHost: x\r\n{SIGNATURE}: {'0' * 64}\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode())
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_forger_is_told_to_wait_and_shuts_out_nobody(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    forged = signed(BODY, "another")
    statuses = {(await said(http, f"{url}/grafana", BODY, forged))[0] for _ in range(BURST + 10)}
    assert statuses == {401, 429}
    assert (await said(http, f"{url}/grafana", BODY, signed(BODY)))[0] == 202


@pytest.mark.parametrize("alertname", ["DatasourceNoData", "DatasourceError"])
async def test_a_rule_that_sees_nothing_says_nothing_of_users(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, alertname: str
) -> None:
    body = posted(labels={"alertname": alertname, "rulename": "Checkout fails", "severity": "critical"})
    assert (await said(http, f"{url}/grafana", body, signed(body)))[0] == 202
    assert (service.alerts[0].matches, service.alerts[0].blind) == (True, True)


async def test_who_asks_for_the_alert_of_a_blind_rule_by_name_gets_it(
    http: aiohttp.ClientSession, url: str, service: ScriptedService
) -> None:
    body = posted(labels={"alertname": "DatasourceNoData"})
    assert (await said(http, f"{url}/sightless", body, signed(body)))[0] == 202
    assert (service.alerts[0].matches, service.alerts[0].blind) == (True, False)


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"{}", 422), (posted(startsAt="now"), 422)])
async def test_what_is_signed_and_no_message_is_a_problem(
    http: aiohttp.ClientSession, url: str, service: ScriptedService, body: bytes, status: int
) -> None:
    assert (await said(http, f"{url}/grafana", body, signed(body)))[0] == status
    assert service.alerts == []


class Watching:
    """The service, as the door asks it."""

    async def record_test(self, name: str, caller: Caller) -> None:
        pass

    def foresee(self, alert: Alert) -> tuple[AlertEffect, str]:
        return AlertEffect.CUTBACK, ""


async def test_the_test_of_a_hook_signs_as_grafana_does(url: str, service: ScriptedService) -> None:
    door = HookDoor(url.split("/")[2], RULES)
    tested = await door.test("grafana", Caller("alice", "socket"), Watching())
    assert (tested.hook, tested.effect) == ("grafana", "recorded")
    (understood,) = service.alerts
    assert (understood.firing, understood.matches) == (False, True)
