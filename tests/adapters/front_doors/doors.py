"""One world per front door: a balancer with two colours behind it that can be moved, broken and silenced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import web

from bluegreen.adapters.front_doors.http import PROBE_HEADER, HttpFrontDoor
from bluegreen.adapters.front_doors.memory import MemoryFrontDoor
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports_traffic import FrontDoor
from tests.adapters.balancers.sites import patch

TIMEOUT = 10.0
"""Seconds for an answer that is due."""

UPSTREAM = "/config/apps/http/servers/srv0/routes/0/handle/1/upstreams/0/dial"


class World(Protocol):
    """What a contract test needs beside the port; the service is called `hera`."""

    @property
    def door(self) -> FrontDoor:
        """The front door of this world."""

    async def serve_from(self, colour: Colour) -> None:
        """Move the traffic."""

    async def answer(self, colour: Colour, status: int | None) -> None:
        """Make a colour answer with this status; None: never."""

    async def silence_log(self) -> None:
        """No more lines come from the access log."""

    async def close(self) -> None:
        """Nobody listens at the front door any more."""


async def answer_from(colour: Colour, door: FrontDoor) -> FrontDoorAnswer:
    """The first answer of a colour after a move.

    A new connection right after a change may be closed without an answer: seen with Caddy 2.11.7 in 1 of 80 first
    changes after its start, never later.
    """
    async with asyncio.timeout(20.0):
        while (answer := await door.ask("hera")).colour is not colour:
            await asyncio.sleep(0.02)
    return answer


class MemoryWorld:
    def __init__(self) -> None:
        self._serving = Colour.BLUE
        hera = Service("hera", {Colour.BLUE: ("127.0.0.1:1",), Colour.GREEN: ("127.0.0.1:2",)})
        self.door = MemoryFrontDoor([hera], lambda _: self._serving)

    async def serve_from(self, colour: Colour) -> None:
        self._serving = colour

    async def answer(self, colour: Colour, status: int | None) -> None:
        self.door.statuses[colour] = status

    async def silence_log(self) -> None:
        self.door.logged = False

    async def close(self) -> None:
        self.door.listening = False


class Upstream:
    """One colour of an application: says its name, and keeps what it was asked."""

    def __init__(self, colour: Colour, port: int) -> None:
        self.port = port
        self.status: int | None = 200
        self.body = colour.value.encode()
        self.asked: list[web.Request] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if self.status is None:
            await asyncio.Event().wait()
        return web.Response(status=self.status or 0, body=self.body)


class CaddyWorld:
    """A real Caddy with a JSON access log, tailed for the front door."""

    patience = 5.0
    """Seconds a front door waits for its line: far more than it takes, for a busy machine."""

    def __init__(self, caddy: EmbeddedCaddy, directory: Path, *, tls: bool = False) -> None:
        self.caddy, self._log = caddy, directory / "access.log"
        self._port, *ports = free_ports(3)
        self.upstreams = {colour: Upstream(colour, port) for colour, port in zip(Colour, ports, strict=True)}
        addresses = {colour: (f"127.0.0.1:{each.port}",) for colour, each in self.upstreams.items()}
        self.service = Service("hera", addresses, site="hera.example.org", probe_path="/healthz?deep=1")
        self._scheme = "https" if tls else "http"
        self.base = f"{self._scheme}://127.0.0.1:{self._port}"
        self.doors: list[HttpFrontDoor] = []
        self.door = self.door_with()
        self._silent = False

    def door_with(self, *, timeout: float = TIMEOUT, verify: bool | None = None) -> HttpFrontDoor:
        """A front door of this Caddy, told of its access log; it still has to be opened."""
        door = HttpFrontDoor(self.base, [self.service], timeout=timeout, witness_timeout=self.patience, verify=verify)
        self.doors.append(door)
        return door

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CaddyWorld"]:
        await self.caddy.start(self._config())
        async with AsyncExitStack() as stack:
            for upstream in self.upstreams.values():
                await upstream.start()
                stack.push_async_callback(upstream.stop)
            await stack.enter_async_context(self.door)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            tail = group.create_task(self._tail(), name="tail")
            stack.callback(tail.cancel)
            yield self

    async def serve_from(self, colour: Colour) -> None:
        status, said = await patch(self.caddy.admin, UPSTREAM, self.service.addresses[colour][0])
        assert status == 200, said

    async def answer(self, colour: Colour, status: int | None) -> None:
        self.upstreams[colour].status = status

    async def silence_log(self) -> None:
        self._silent = True
        self.door._exchange.witness_timeout = 0.2  # nothing comes any more: no reason to be patient

    async def close(self) -> None:
        await self.caddy.stop()

    async def _tail(self) -> None:
        """The access log's reader, as simple as can be."""
        colours = {self.service.addresses[colour][0]: colour for colour in Colour}
        seen, rest = 0, b""
        while True:
            if self._log.exists():
                data = self._log.read_bytes()[seen:]
                seen += len(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines if not self._silent else ():
                    entry = msgspec.json.decode(line)
                    (nonce,) = entry["request"]["headers"][PROBE_HEADER]
                    for door in self.doors if entry.get("upstream") in colours else ():
                        door.witnessed(nonce, colours[entry["upstream"]], entry["status"])
            await asyncio.sleep(0.01)

    def _config(self) -> dict[str, object]:
        upstream = {"handler": "log_append", "key": "upstream", "value": "{http.reverse_proxy.upstream.hostport}"}
        blue = {"handler": "reverse_proxy", "upstreams": [{"dial": self.service.addresses[Colour.BLUE][0]}]}
        server = {
            "listen": [f"127.0.0.1:{self._port}"],
            "logs": {"default_logger_name": "access"},
            "automatic_https": {"disable_redirects": True},
            "routes": [{"match": [{"host": ["hera.example.org"]}], "handle": [upstream, blue]}],
        }
        tls = {"automation": {"policies": [{"issuers": [{"module": "internal", "sign_with_root": True}]}]}}
        pki = {"certificate_authorities": {"local": {"install_trust": False}}}
        if self._scheme == "https":
            server["tls_connection_policies"] = [{}]
        else:
            server["automatic_https"] = {"disable": True}
        log = {"writer": {"output": "file", "filename": str(self._log)}, "include": ["http.log.access.access"]}
        return {
            "logging": {"logs": {"a": log}},
            "apps": {"http": {"servers": {"srv0": server}}, "tls": tls, "pki": pki},
        }
