"""What must never be a 500: bodies, fields, paths and connections as nobody should send them."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bluegreen.domain.phases import Phase
from bluegreen.interfaces.budgets import Budgets
from tests.interfaces.conftest import serving
from tests.interfaces.scripts import ScriptedService, at

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"{", 400, id="cut-short"),
        pytest.param(b"[]", 400, id="list"),
        pytest.param(b"null", 400, id="null"),
        pytest.param(b'{"release": NaN}', 400, id="NaN"),
        pytest.param(b'{"release": -Infinity}', 400, id="infinity"),
        pytest.param(b'{"release": 1e999}', 400, id="beyond-a-float"),
        pytest.param(b'{"release": ' + b"9" * 5000 + b"}", 400, id="huge-integer"),
        pytest.param(b'{"release": "1.1.0", "release": "1.2.0"}', 400, id="duplicate-keys"),
        pytest.param(b'{"release": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, id="deep"),
        pytest.param(b'{"release": "\\ud800"}', 400, id="lone-surrogate"),
        pytest.param(b'{"release": "\xff\xfe"}', 400, id="not-utf-8"),
        pytest.param("\ufeff{}".encode(), 400, id="byte-order-mark"),
        pytest.param(b'{"release": 7}', 422, id="number-for-text"),
        pytest.param(b'{"release": "1.1.0", "auto_promote": "yes"}', 422, id="text-for-bool"),
        pytest.param(b'{"release": "1.1.0", "hurry": true}', 422, id="unknown-field"),
        pytest.param(b'{"release": "1.1.0", "plan": "p-1"}', 422, id="plan-and-release"),
        pytest.param(b'{"plan": "p-1", "force": true}', 422, id="terms-of-a-plan"),
        pytest.param(b'{"release": "../../etc/passwd"}', 422, id="path"),
        pytest.param(b'{"release": ".."}', 422, id="parent"),
        pytest.param(b'{"release": "--help"}', 422, id="option"),
        pytest.param(b'{"release": "$(reboot)"}', 422, id="shell"),
        pytest.param(b'{"release": "1.1.0\\n"}', 422, id="line-break"),
        pytest.param(b'{"release": "1\\u001b[31m"}', 422, id="escape"),
        pytest.param(b'{"release": "' + b"1" * 65 + b'"}', 422, id="long-name"),
        pytest.param(b'{"release": "1.1.0", "reason": "a\\nb"}', 422, id="reason-of-two-lines"),
        pytest.param(b'{"release": "' + b"1" * 300_000 + b'"}', 413, id="too-large"),
    ],
)
async def test_a_bad_body_is_a_problem_and_nothing_is_started(
    http: aiohttp.ClientSession, service: ScriptedService, body: bytes, status: int
) -> None:
    async with http.post("/v1/deployments", data=body, headers=JSON) as answer:
        document = await answer.json(content_type=PROBLEM)
    assert (answer.status, document["status"]) == (status, status)
    assert document["detail"]
    assert service.calls == []


async def test_a_body_in_chunks_is_limited_too(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    async with http.post("/v1/cutback", data=pieces(), headers=JSON) as answer:
        assert answer.status == 413
    assert service.calls == []


async def test_a_compressed_body_is_not_unpacked(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    async with http.post("/v1/cutback", data=gzip.compress(b"{}"), headers=headers) as answer:
        assert answer.status == 400
    assert service.calls == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_another_content_type_is_refused(
    http: aiohttp.ClientSession, service: ScriptedService, kind: str
) -> None:
    async with http.post("/v1/cutback", data=b"{}", headers={"Content-Type": kind}) as answer:
        document = await answer.json(content_type=PROBLEM)
    assert (answer.status, document["code"]) == (415, "not-json")
    assert document["next"]
    assert service.calls == []


async def test_a_problem_never_repeats_what_was_sent(http: aiohttp.ClientSession) -> None:
    for body in (b'{"release": "hunter2 hunter2"}', b'{"release": "1.1.0", "password": "hunter2"', b"hunter2"):
        async with http.post("/v1/plans", data=body, headers=JSON) as answer:
            assert answer.status in (400, 422)
            assert "hunter2" not in await answer.text()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/environments/red/logs", 404, "not-found"),
        ("GET", "/v1/deployments/%00", 404, "not-found"),
        ("GET", "/v1/deployments/..%2F..%2Fetc", 404, "not-found"),
        ("DELETE", "/v1/status", 405, "method-not-allowed"),
        ("GET", "/v1/cutback", 405, "method-not-allowed"),
        ("GET", "/v1/deployments?limit=0", 422, "validation"),
        ("GET", "/v1/deployments?limit=many", 422, "validation"),
        ("GET", "/v1/deployments?colour=blue", 422, "validation"),
        ("GET", "/v1/deployments/d-1/events?after=-1", 422, "validation"),
        ("GET", "/v1/deployments/nothing", 404, "not-found"),
    ],
)
async def test_a_wrong_path_method_or_question_is_a_problem(
    http: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    async with http.request(method, path) as answer:
        document = await answer.json(content_type=PROBLEM)
    assert (answer.status, document["code"]) == (status, code)
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 40, "²"])
async def test_a_last_event_id_that_is_no_number_is_refused(http: aiohttp.ClientSession, last: str) -> None:
    async with http.get("/v1/events", headers={"Last-Event-ID": last}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("key", ["k" * 256, "a\tb"])
async def test_a_strange_idempotency_key_is_refused(
    http: aiohttp.ClientSession, service: ScriptedService, key: str
) -> None:
    async with http.post("/v1/deployments", json={"plan": "p-1"}, headers={"Idempotency-Key": key}) as answer:
        assert answer.status == 400
    assert service.calls == []


async def test_a_dripping_body_is_given_up(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path, budgets=Budgets(body=0.2)):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"POST /v1/cutback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: 100\r\n\r\n{")
        status = await reader.readline()
        rest = await reader.read()
        writer.close()
    assert b" 408 " in status
    assert b"body-timeout" in rest
    assert service.calls == []


@pytest.mark.parametrize("sent", [b"", b"GET /v1/sta", b"GET /v1/status HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_never_asks_is_closed(service: ScriptedService, socket_path: Path, sent: bytes) -> None:
    async with serving(service, socket_path, idle=0.1):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()


async def test_a_stream_that_says_nothing_for_long_is_not_taken_for_silence(
    service: ScriptedService, socket_path: Path
) -> None:
    service.play(at(Phase.AWAITING))
    async with serving(service, socket_path, idle=0.05, budgets=Budgets(heartbeat=0.3)):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readuntil(b": ping")
        writer.close()


async def test_a_client_that_goes_in_the_middle_of_an_order_does_not_cancel_it(
    service: ScriptedService, socket_path: Path
) -> None:
    began, finish, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(ScriptedService):
        async def cutback(self, *arguments: Any, **named: Any) -> Any:
            began.set()
            await finish.wait()
            done.set()
            return at(Phase.REVERTING)

    async with serving(Slow(), socket_path):
        _, writer = await asyncio.open_unix_connection(str(socket_path))
        body = json.dumps({"reason": "now"}).encode()
        writer.write(b"POST /v1/cutback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await began.wait()
        writer.close()
        await writer.wait_closed()
        finish.set()
        async with asyncio.timeout(10):
            await done.wait()
