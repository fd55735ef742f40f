"""Stands between the daemon and Caddy's admin endpoint, and loses what it is told to lose.

A real HTTP proxy on loopback. What becomes of a request is its mode; `meet` gives the next changes one, `mode` all of
them until it is set otherwise.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

T = TypeVar("T")

HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "content-encoding"}
FOREIGN = "/config/apps/http/servers/srv0/max_header_bytes"
"""What somebody else changes: no service of ours, but what we read before is stale."""


class Mode(StrEnum):
    """What becomes of changes; reads always pass, but in SWALLOW_ALL."""

    PASS = "pass"
    SWALLOW = "swallow: not passed on, never answered"
    SWALLOW_ALL = "swallow-all: reads too"
    KEEP_REPLY = "keep-reply: passed on, the answer is kept back"
    LATE = "late: passed on when `given_up` is set, after its sender has given up"
    FREEZE = "freeze: Caddy is frozen, then the change is passed on to it"
    FREEZE_AFTER = "freeze-after: passed on and answered, then Caddy is frozen"
    RESET_BEFORE = "reset-before: the connection is reset, the change is not passed on"
    RESET_AFTER = "reset-after: passed on, then the connection is reset"
    SILENT_OK = "silent-ok: answered with 200, not passed on"
    SPOIL = "spoil: a field that Caddy does not know, so that it answers 500"
    MISNAME = "misname: with another Content-Type, so that it answers 400"
    GATEWAY = "gateway: passed on, and answered with 502 by something in between"
    FOREIGN = "foreign: somebody else changes the configuration first, so that it answers 412"


class AdminProxy:
    """A proxy to the Unix socket `target`; `url` is for the configuration, `changes` counts what arrived."""

    def __init__(self, target: str) -> None:
        self._target = target.removeprefix("unix/")
        self._times: int | None = None
        self._then_mode = Mode.PASS
        self._foreign = 0
        self.mode = Mode.PASS
        self.url = ""
        self.freeze: Callable[[], None] = lambda: None
        """Freezes Caddy; set by a test."""
        self.changed = asyncio.Event()
        self.given_up = asyncio.Event()
        """Set by a test to let a late change go on."""
        self.deserted = asyncio.Event()
        """A sender gave up waiting for an answer."""
        self.changes = 0
        self.landed: asyncio.Queue[int] = asyncio.Queue()
        """What Caddy said to changes that came late."""
        self.statuses: list[int] = []
        """What Caddy said to changes, whoever heard it."""

    def meet(self, mode: Mode, times: int = 1, then: Mode = Mode.PASS) -> None:
        """Give the next changes this mode, and those after them another."""
        self.mode, self._times, self._then_mode = mode, times, then

    @asynccontextmanager
    async def running(self) -> AsyncIterator["AdminProxy"]:
        """Serve until left."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            if self.mode is Mode.SWALLOW_ALL:
                await self._never()
            return await self._watched(self._forward(request))
        self.changes += 1
        return await self._change(request, self._take_mode())

    def _take_mode(self) -> Mode:
        mode = self.mode
        if mode is Mode.LATE and self._times is None:
            self._times = 1
        if self._times is not None:
            self._times -= 1
            if self._times <= 0:
                self.mode, self._times, self._then_mode = self._then_mode, None, Mode.PASS
        return mode

    async def _change(self, request: web.Request, mode: Mode) -> web.StreamResponse:
        match mode:
            case Mode.SWALLOW | Mode.SWALLOW_ALL:
                self.changed.set()
                await self._never()
            case Mode.LATE:
                return await self._in_the_end(self._forward_late(request, await request.read()))
            case Mode.FREEZE:
                body = await request.read()
                self.freeze()
                return await self._in_the_end(self._forward_noted(request, body))
            case Mode.RESET_BEFORE:
                return _reset(request)
            case Mode.SILENT_OK:
                return web.Response(status=200)
            case Mode.SPOIL:
                return await self._forward(request, (await request.read()).replace(b'"dial"', b'"dail"'))
            case Mode.MISNAME:
                plain = request.clone(headers={**request.headers, "Content-Type": "text/plain"})
                return await self._forward(plain, await request.read())
            case Mode.FOREIGN:
                await self._change_something_else()
        return await self._then(request, mode, await self._forward(request))

    async def _then(self, request: web.Request, mode: Mode, answer: web.Response) -> web.StreamResponse:
        """The change was passed on; what becomes of the answer."""
        match mode:
            case Mode.KEEP_REPLY:
                self.changed.set()
                await self._never()
            case Mode.RESET_AFTER:
                return _reset(request)
            case Mode.GATEWAY:
                return web.Response(status=502, text="Bad Gateway")
            case Mode.FREEZE_AFTER:
                self.freeze()
        return answer

    async def _never(self) -> None:
        await self._watched(asyncio.sleep(60))

    async def _watched(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except asyncio.CancelledError:
            self.deserted.set()
            raise

    async def _in_the_end(self, forwarded: Coroutine[Any, Any, web.Response]) -> web.Response:
        """The answer to a change that goes on also when its sender has given up."""
        return await self._watched(asyncio.shield(forwarded))

    async def _forward_late(self, request: web.Request, body: bytes) -> web.Response:
        while not self.given_up.is_set():
            await asyncio.sleep(0.02)
        return await self._forward_noted(request, body)

    async def _forward_noted(self, request: web.Request, body: bytes) -> web.Response:
        answer = await self._forward(request, body)
        self.landed.put_nowait(answer.status)
        return answer

    async def _change_something_else(self) -> None:
        self._foreign += 1
        async with (
            self._session() as session,
            session.post(f"http://localhost{FOREIGN}", json=1_048_576 + self._foreign) as answer,
        ):
            assert answer.status == 200, await answer.text()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._target))

    async def _forward(self, request: web.Request, body: bytes | None = None) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            self._session() as session,
            session.request(
                request.method,
                f"http://localhost{request.raw_path}",
                data=await request.read() if body is None else body,
                headers=headers,
            ) as got,
        ):
            kept = {name: value for name, value in got.headers.items() if name.lower() not in HOP_BY_HOP}
            if request.method != "GET":
                self.statuses.append(got.status)
            return web.Response(status=got.status, body=await got.read(), headers=kept)


def _reset(request: web.Request) -> web.Response:
    """A TCP reset instead of an answer."""
    assert request.transport is not None
    sock = request.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()
