"""A real Caddy with arms in it, before two colours of an application that say who they are."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bluegreen.adapters.balancers.caddy_arms import Style, pointer_arms
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.sites import config, proxy, route, server

SITE = "hera.example.org"


@dataclass(frozen=True)
class Answer:
    """What a user got."""

    status: int
    colour: str
    cookies: tuple[str, ...]
    headers: Mapping[str, str]
    seen: Mapping[str, str]
    """Headers of the request as the application saw it."""


class Application:
    """One colour. It says its name, how long the body was, and sets a cookie of its own."""

    def __init__(self, colour: Colour, port: int) -> None:
        self.colour, self.port = colour, port
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[str] = []
        self.breaks = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=4 << 20)
        app.router.add_get("/socket", self._talk)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        self.answers.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            await socket.send_str(self.colour)
        return socket

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append(request.method)
        await self.answers.wait()
        if self.breaks:
            self.breaks -= 1
            assert request.transport is not None
            request.transport.close()
        answer = web.json_response({"colour": self.colour, "length": len(body), "seen": dict(request.headers)})
        answer.headers.add("Set-Cookie", "session=of-the-application")
        return answer


@dataclass
class ArmedStand:
    """`live` is the pointer file; `service` is hera, on free ports."""

    caddy: EmbeddedCaddy
    directory: Path
    front: int
    service: Service
    blue: Application
    green: Application
    session: aiohttp.ClientSession
    scheme: str = "http"
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.directory / "access.log"

    @property
    def live(self) -> Path:
        return self.directory / "live"

    def style(self, **wishes: Any) -> Style:
        return Style(pointer=self.live, **wishes)

    async def serve(self, handler: Mapping[str, Any], *, tls: bool = False) -> None:
        """Start Caddy with one site that holds this handler; with `tls` it has a certificate of Caddy's own."""
        self.scheme = "https" if tls else "http"
        logs: dict[str, Any] = {"logs": {"default_logger_name": "users"}}
        if tls:
            logs |= {"tls_connection_policies": [{}], "automatic_https": {"disable_redirects": True}}
        whole = config(srv0=server(route(handler, host=SITE), listen=f"127.0.0.1:{self.front}", **logs))
        if tls:
            internal = {"issuers": [{"module": "internal"}]}
            whole["apps"]["tls"] = {"automation": {"policies": [internal]}, "certificates": {"automate": [SITE]}}
            whole["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
        writer = {"output": "file", "filename": str(self.log)}
        whole["logging"] = {"logs": {"users": {"writer": writer, "include": ["http.log.access.users"]}}}
        await self.caddy.start(whole)

    async def arm(self, style: Style | None = None, original: Mapping[str, Any] | None = None) -> None:
        own = original or proxy(*self.service.addresses[Colour.BLUE])
        await self.serve(pointer_arms(self.service, own, style or self.style(), Colour.BLUE))

    def point(self, line: str) -> None:
        """As the daemon does it: another file in its place."""
        fresh = self.live.with_suffix(".new")
        fresh.write_text(line)
        fresh.rename(self.live)

    async def ask(self, method: str = "GET", path: str = "/", *, body: bytes = b"", **headers: str) -> Answer:
        """One request of a user; underscores in names of headers are hyphens."""
        sent = {"Host": SITE} | {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.scheme}://127.0.0.1:{self.front}{path}"
        name = SITE if self.scheme == "https" else None
        async with self.session.request(
            method, url, headers=sent, data=body or None, ssl=False, server_hostname=name
        ) as answer:
            said = await answer.json() if answer.content_type == "application/json" else {}
            return Answer(
                answer.status,
                said.get("colour", ""),
                tuple(answer.headers.getall("Set-Cookie", ())),
                dict(answer.headers) | {"length": str(said.get("length", ""))},
                said.get("seen", {}),
            )

    async def certified(self) -> Answer | None:
        """One request over TLS; None while Caddy has no certificate yet: it makes it after its start."""
        try:
            return await self.ask()
        except aiohttp.ClientConnectorSSLError:
            return None

    async def colours(self, n: int = 5) -> set[str]:
        return {(await self.ask()).colour for _ in range(n)}


@asynccontextmanager
async def armed_stand(caddy: EmbeddedCaddy, directory: Path) -> AsyncIterator[ArmedStand]:
    """Both colours run; Caddy does not yet."""
    front, *ports = free_ports(3)
    blue, green = applications = [Application(colour, port) for colour, port in zip(Colour, ports, strict=True)]
    service = Service("hera", {each.colour: (f"127.0.0.1:{each.port}",) for each in applications}, site=SITE)
    directory.mkdir(mode=0o755, exist_ok=True)
    for each in applications:
        await each.start()
    timeout = aiohttp.ClientTimeout(total=30.0)
    try:
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield ArmedStand(caddy, directory, front, service, blue, green, session)
    finally:
        for each in applications:
            await each.stop()
