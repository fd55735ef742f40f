"""Stands between the daemon and Caddy's admin endpoint, and loses what it is told to lose.

A real HTTP proxy on loopback. `swallow`: changes are not passed on and never answered. `keep_reply`: changes are
passed on, and their reply is kept back: the moment between the effect and its outcome. `late`: the next change is
passed on after its sender has given up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "content-encoding"}


class Mode(StrEnum):
    """What becomes of changes; reads always pass."""

    PASS = "pass"
    SWALLOW = "swallow"
    KEEP_REPLY = "keep_reply"
    LATE = "late"


class AdminProxy:
    """A proxy to the Unix socket `target`; `url` is for the configuration, `changes` counts what arrived."""

    def __init__(self, target: str) -> None:
        self._target = target.removeprefix("unix/")
        self.mode = Mode.PASS
        self.url = ""
        self.changed = asyncio.Event()
        self.given_up = asyncio.Event()
        """Set by a test to let a late change go on."""
        self.changes = 0
        self.landed: asyncio.Queue[int] = asyncio.Queue()
        """What Caddy said to changes that came late."""

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

    async def _handle(self, request: web.Request) -> web.Response:
        change = request.method != "GET"
        if change:
            self.changes += 1
        if change and self.mode is Mode.SWALLOW:
            self.changed.set()
            await asyncio.sleep(60)
        if change and self.mode is Mode.LATE:
            self.mode = Mode.PASS
            return await asyncio.shield(self._forward_late(request, await request.read()))
        answer = await self._forward(request)
        if change and self.mode is Mode.KEEP_REPLY:
            self.changed.set()
            await asyncio.sleep(60)
        return answer

    async def _forward_late(self, request: web.Request, body: bytes) -> web.Response:
        while not self.given_up.is_set():
            await asyncio.sleep(0.02)
        answer = await self._forward(request, body)
        self.landed.put_nowait(answer.status)
        return answer

    async def _forward(self, request: web.Request, body: bytes | None = None) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._target)) as session,
            session.request(
                request.method,
                f"http://localhost{request.raw_path}",
                data=await request.read() if body is None else body,
                headers=headers,
            ) as got,
        ):
            kept = {name: value for name, value in got.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=got.status, body=await got.read(), headers=kept)
