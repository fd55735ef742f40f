"""Many connections, and such as speak no HTTP: bounded, answered in our words, and nobody is shut out by others."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.interfaces import crowd
from bluegreen.interfaces.budgets import Budgets
from bluegreen.interfaces.hooks import HookRules, make_hooks
from bluegreen.interfaces.listening import serve_hooks
from bluegreen.interfaces.streams import STREAMS
from tests.interfaces.conftest import serving, session
from tests.interfaces.scripts import BEGAN, ScriptedService, at

PROBLEM = b"application/problem+json"
POST = b"POST /v1/cutback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
ORDER = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


async def send(path: Path, sent: bytes) -> bytes:
    """Send bytes on a connection of their own, and return all that comes back until it is closed."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


def statuses(answer: bytes) -> list[int]:
    """The status of each answer on one connection."""
    lines = answer.split(b"\r\n")
    return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.")]


async def status_of(path: Path) -> int:
    async with session(path) as client, client.get("/v1/status") as answer:
        return answer.status


@asynccontextmanager
async def holding(path: Path, count: int, sent: bytes) -> AsyncIterator[list[socket.socket]]:
    """That many connections that sent these bytes and then nothing."""
    loop, held = asyncio.get_running_loop(), list[socket.socket]()
    try:
        for _ in range(count):
            connection = socket.socket(socket.AF_UNIX)
            held.append(connection)
            connection.setblocking(False)
            await loop.sock_connect(connection, str(path))
            with suppress(BrokenPipeError, ConnectionResetError):  # it was dropped already
                await loop.sock_sendall(connection, sent)
        yield held
    finally:
        for connection in held:
            connection.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="CL+TE"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 400, id="TE+CL"),
        pytest.param(POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400, id="two-lengths"),
        pytest.param(POST + b"Content-Length: +2\r\n\r\n{}", 400, id="signed-length"),
        pytest.param(POST + b"Content-Length: 0x2\r\n\r\n{}", 400, id="hexadecimal-length"),
        pytest.param(POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}", 400, id="length-beyond-64-bits"),
        pytest.param(POST + b"Content-Length : 2\r\n\r\n{}", 400, id="space-before-colon"),
        pytest.param(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, id="chunked-not-last"),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, id="unknown-coding"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400, id="bad-chunk-size"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400, id="negative-chunk"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n{}", 400, id="huge-chunk"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n", 400, id="chunk-without-end"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\n folded: x\r\n\r\n", 400, id="folded-first-header"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400, id="nul-in-a-header"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\nX: a\rb\r\n\r\n", 400, id="bare-carriage-return"),
        pytest.param(b"GET /v1/status HTTP/9.9\r\n\r\n", 400, id="future-version"),
        pytest.param(b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 400, id="long-path"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 400, id="many-headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, 400, id="TLS"),
        pytest.param(b"\x00" * 1000, 400, id="zeros"),
        pytest.param(b"hello\r\n\r\n", 400, id="hello"),
        pytest.param(b"FETCH /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="unknown-method"),
        pytest.param(b"CONNECT localhost:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="connect"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="options"),
        pytest.param(b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="head"),
        pytest.param(b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="traversal"),
        pytest.param(b"GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="coded-traversal"),
        pytest.param(b"GET /v1/deployments/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="bytes-in-the-path"),
        pytest.param(b"GET /v1/deployments/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="coded-bytes"),
        pytest.param(b"GET http://evil.example/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="absolute-target"),
        pytest.param(b"GET http://[::1/v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="broken-target"),
    ],
)
async def test_what_is_no_request_is_refused_in_our_words_and_leaves_no_traceback(
    service: ScriptedService,
    socket_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    sent: bytes,
    status: int,
) -> None:
    service.play(at(Phase.WATCHING))
    with caplog.at_level(logging.INFO):
        async with serving(service, socket_path, idle=0.2):
            answer = await send(socket_path, sent)
            assert await status_of(socket_path) == 200
    assert set(statuses(answer)) == {status}
    assert PROBLEM in answer
    assert service.calls == []
    assert caplog.text == ""
    assert capsys.readouterr().out == ""


async def test_a_request_behind_a_refused_one_is_not_taken_for_its_own(
    service: ScriptedService, socket_path: Path
) -> None:
    service.play(at(Phase.WATCHING))
    hidden = b"POST /v1/cutback HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    sent = POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden
    async with serving(service, socket_path, idle=0.2):
        assert statuses(await send(socket_path, sent)) == [400]
    assert service.calls == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"Host: evil.example\r\nOrigin: http://evil.example\r\n", id="foreign-origin"),
        pytest.param(b"Host: a\r\nHost: b\r\n", id="two-hosts"),
        pytest.param(b"", id="no-host"),
        pytest.param(b"Host: [::1\r\n", id="broken-host"),
        pytest.param(b"Host: x:99999999\r\n", id="port-beyond"),
        pytest.param(b"Host: \xff\xfe\r\n", id="bytes"),
        pytest.param(b"Host: x\r\nX-Forwarded-For: 127.0.0.1\r\nX-HTTP-Method-Override: DELETE\r\n", id="forwarded"),
        pytest.param(b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", id="upgrade"),
        pytest.param(b"Host: x\r\nExpect: 200-maybe\r\n", id="expect"),
        pytest.param(b"Host: x\r\nCookie: \x80\x81=;;;=\r\nRange: bytes=9-1\r\n", id="cookie"),
    ],
)
async def test_headers_change_neither_who_asks_nor_what(
    service: ScriptedService, socket_path: Path, headers: bytes
) -> None:
    async with serving(service, socket_path):
        answer = await send(socket_path, b"GET /v1/status HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n")
        assert await status_of(socket_path) == 200
    assert set(statuses(answer)) <= {200, 400, 417}
    assert b"Access-Control" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="idle"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n", id="partial-head"),
        pytest.param(POST + b"Content-Length: 100\r\n\r\n{", id="partial-body"),
        pytest.param(ORDER, id="answered"),
        pytest.param(ORDER * 30, id="pipelined"),
    ],
)
async def test_a_thousand_connections_shut_nobody_out_and_are_bounded(
    service: ScriptedService, socket_path: Path, sent: bytes
) -> None:
    service.play(at(Phase.WATCHING))
    async with serving(service, socket_path, budgets=Budgets(body=60, send=60), idle=60):
        before = open_descriptors()
        async with holding(socket_path, 1000, sent):
            assert await status_of(socket_path) == 200
            ours = open_descriptors() - before - 1000
            assert ours <= crowd.CONNECTIONS + 10
        assert await status_of(socket_path) == 200


async def test_callers_that_go_before_their_request_is_whole_leave_no_trace(
    service: ScriptedService, socket_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        async with serving(service, socket_path):
            for sent in (
                b"GET /v1",
                POST + b"Content-Length: 9\r\n\r\n{",
                POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
            ):
                async with holding(socket_path, 50, sent):
                    pass
            assert await status_of(socket_path) == 200
    assert service.calls == []
    assert caplog.text == ""
    assert capsys.readouterr().out == ""


async def test_who_asks_all_the_time_does_not_drop_others(service: ScriptedService, socket_path: Path) -> None:
    """A follower of the same user keeps its stream while a thousand silent connections come and go."""
    service.play(at(Phase.WATCHING))
    async with (
        asyncio.timeout(60),
        serving(service, socket_path, idle=60),
        session(socket_path) as client,
        client.get("/v1/events?after=0") as stream,
    ):
        await stream.content.readuntil(b"\r\n\r\n")
        async with holding(socket_path, 1000, b"GET"):
            assert await status_of(socket_path) == 200
            await service.tell(Event("still.there", BEGAN))
            assert b"still.there" in await stream.content.readuntil(b"\r\n\r\n")


class Fake:
    """A connection, as the crowd sees it."""

    def __init__(self, house: crowd.Crowd, sender: str, *, silent: bool) -> None:
        self.silent, self.dropped, self._house = silent, False, house
        house.enter(self, sender)  # type: ignore[arg-type]

    def drop(self) -> None:
        self.dropped = True
        self._house.leave(self)  # type: ignore[arg-type]


def test_the_greediest_gives_way_first_what_is_silent() -> None:
    house = crowd.Crowd(limit=4)
    ann = Fake(house, "ann", silent=True)
    bobs = [Fake(house, "bob", silent=silent) for silent in (False, True, True)]
    eve = Fake(house, "eve", silent=False)
    assert [bob.dropped for bob in bobs] == [False, True, False]
    more = Fake(house, "bob", silent=False)
    assert [bob.dropped for bob in (*bobs, more)] == [False, True, True, False]
    refused = Fake(house, "bob", silent=False)
    assert refused.dropped
    assert [one.dropped for one in (ann, eve, more, bobs[0])] == [False] * 4


async def test_a_client_that_does_not_take_its_answers_is_cut_off(service: ScriptedService, socket_path: Path) -> None:
    service.play(at(Phase.WATCHING))
    for _ in range(50):
        await service.tell(Event("much.said", BEGAN, "d-1", Phase.WATCHING, {"output": "x" * 20_000}))
    async with serving(service, socket_path, budgets=Budgets(send=0.3)):
        before = open_descriptors()
        async with holding(socket_path, 20, b"GET /v1/deployments/d-1/logs HTTP/1.1\r\nHost: x\r\n\r\n") as held:
            async with asyncio.timeout(30):
                while open_descriptors() > before + len(held):
                    await asyncio.sleep(0.02)


async def test_streams_of_one_user_are_bounded(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path), session(socket_path) as client:
        streams = [await client.get("/v1/events") for _ in range(STREAMS)]
        async with client.get("/v1/events") as refused:
            document = await refused.json(content_type="application/problem+json")
        assert (refused.status, document["code"]) == (429, "too-many-streams")
        for stream in streams:
            stream.close()
        async with asyncio.timeout(30):
            while (await client.get("/v1/events")).status != 200:
                await service.tell(Event("time.passed", BEGAN))


async def test_silent_knockers_at_the_hooks_shut_out_no_alert(service: ScriptedService) -> None:
    hooks = make_hooks(service, {"pager": HookRules("generic", "a-token")})
    async with serve_hooks(hooks, "127.0.0.1:0", idle=60) as (host, port):
        held = [await asyncio.open_connection(host, port) for _ in range(500)]
        reader, writer = await asyncio.open_connection(host, port)
        head = b"POST /v1/hooks/pager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-token\r\n"
        writer.write(head + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        assert statuses(await asyncio.wait_for(reader.read(), 30)) == [202]
        for _, other in [*held, (reader, writer)]:
            other.close()
    assert len(service.alerts) == 1
