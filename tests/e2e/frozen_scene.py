"""A real Caddy, a real daemon, a process for each colour that can be frozen, and users of their own."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import aiohttp

from bluegreen.app.requests import PlanRequest
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.domain.deployments import Deployment
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.processes import environment

SITE = "app.localhost"
PATIENCE = 2.0
"""Seconds after which a user gives up."""

COUNTED = re.compile(r'^bluegreen_signal_events_total\{(?=.*colour="blue").*signal="([^"]+)".*\} (\S+)$', re.MULTILINE)
SIGNALS = {"answers": "5xx", "probes": "probe", "stuck": "stuck:web", "flows": "flow:pages"}

CADDYFILE = """\
{{
	admin {admin}
	auto_https off
	persist_config off
}}

http://{site}:{port} {{
	log {{
		output file {directory}/access.log {{
			mode 0640
		}}
		format json
	}}
	log_append upstream {{http.reverse_proxy.upstream.hostport}}
	reverse_proxy {{
		import {directory}/snippets/web.caddy
	}}
}}
"""

CONFIG = """\
project = "frozen"

[daemon]
state_dir = "{directory}/state"
socket = "{directory}/api.sock"
log_format = "json"

[caddy]
admin = "{admin}"
timeout = "2s"
access_log = "{directory}/access.log"
front_door = "http://127.0.0.1:{port}"
dir = "{directory}/snippets"

[environments.blue]
release = "1.0.0"
up = ["sh", "-c", 'printf %s "$2" > "$0/$1"', "{directory}", "{{colour}}", "{{release}}"]
down = ["sh", "-c", 'rm -f "$0/$1"', "{directory}", "{{colour}}"]

[environments.green]
up = ["sh", "-c", 'printf %s "$2" > "$0/$1"', "{directory}", "{{colour}}", "{{release}}"]
down = ["sh", "-c", 'rm -f "$0/$1"', "{directory}", "{{colour}}"]

[promotion]
auto = true

[watch]
window = "{window}"
standby = "1s"
proving = "300ms"
aftermath = "0s"

[watch.advanced]
slow_factor = 20.0

[retire]
drain = "0s"
inspect = "60s"

[[services]]
name = "web"
site = "{site}"
blue = ["127.0.0.1:{blue}"]
green = ["127.0.0.1:{green}"]
ready = {{ path = "/health/ready", consecutive = 2, interval = "50ms" }}
probe = "/"
version = "header:X-Version"

[[smoke]]
name = "version"
service = "web"
http = {{ path = "/version" }}
expect = {{ version = "json:/version" }}
retries = 0

{more}"""


@dataclass(frozen=True)
class Got:
    """What one user got. `at` and `seconds`: monotonic, when it was sent and how long it took."""

    at: float
    path: str
    status: int | None
    colour: str | None
    version: str | None
    seconds: float

    def affected(self, release: str) -> bool:
        """It was served badly: not at all, or by a colour that is not what it should be."""
        return self.status != 200 or (self.colour == "green" and self.version != release)


@dataclass
class Scene:
    """The world of one test."""

    directory: Path
    window: str = "60s"
    more: str = ""
    got: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, *ports = free_ports(3)
        self.ports = dict(zip(("blue", "green"), ports, strict=True))
        self.caddy = EmbeddedCaddy(self.directory / "caddy")
        self.apps: dict[str, Child] = {}
        self.daemon: Child | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Scene"]:
        """Everything runs while this lasts."""
        self._write()
        try:
            for colour in self.ports:
                self.apps[colour] = await self.application(colour)
            await self.caddy.start(self.directory / "Caddyfile")
            await self._start_daemon()
            yield self
        finally:
            for child in [*self.apps.values(), *([self.daemon] if self.daemon else [])]:
                await child.kill()
            await self.caddy.kill()

    async def application(self, colour: str, release: str = "") -> Child:
        """A process that answers for a colour; beside the one that is there, where there is one."""
        words = [str(self.directory), colour, str(self.ports[colour]), *([release] if release else [])]
        log = self.directory / f"{colour}.log"
        child = spawn([sys.executable, "-m", "tests.e2e.frozen_app", *words], env=_environment(), log=log)
        async with asyncio.timeout(30.0):
            while not (self.directory / f"{colour}.ready-{release or 'self'}").exists():
                assert child.alive, tail(log)
                await asyncio.sleep(0.02)
        return child

    def mode(self, mode: str, colour: str = "green") -> None:
        """Make a colour fail so from now on."""
        file = self.directory / f"{colour}.mode"
        file.with_suffix(".new").write_text(mode)
        file.with_suffix(".new").rename(file)

    async def order(self, verb: str, *words: object) -> object:
        """Ask the daemon."""
        async with Client(self.directory / "api.sock") as client:
            return (await getattr(client, verb)(*words)).value

    async def heard(self, **events: int) -> None:
        """Return when the daemon has counted so many events of each signal for blue; of `stuck`, those of web."""
        async with asyncio.timeout(90.0), self._api() as session:
            while True:
                async with session.get("http://localhost/metrics") as answer:
                    said = await answer.text()
                counts = {name: float(n) for name, n in COUNTED.findall(said)}
                if all(counts.get(SIGNALS[name], 0.0) >= n for name, n in events.items()):
                    return
                await asyncio.sleep(0.2)

    async def asked(self, number: int) -> None:
        """Return when so many more requests of users have ended."""
        wanted = len(self.got) + number
        async with asyncio.timeout(30.0):
            while len(self.got) < wanted:
                await asyncio.sleep(0.05)

    async def deploy(self, release: str) -> str:
        """Plan and deploy; returns the id."""
        try:
            async with Client(self.directory / "api.sock") as client:
                plan = (await client.plan(PlanRequest(release=release))).value
                return (await client.deploy(plan.id)).value.id
        except ClientError as exc:
            raise AssertionError(f"{exc!r}; the daemon said: {self.said()}") from exc

    async def reached(self, id: str, *phases: str, seconds: float = 60.0) -> Deployment:
        """The deployment when it is in one of these phases; AssertionError with the daemon's words where it is not."""
        try:
            async with asyncio.timeout(seconds), Client(self.directory / "api.sock") as client:
                while (now := (await client.deployment(id)).value).phase not in phases:
                    assert now.phase not in ("ABANDONED", "REVERTED", "STRANDED", "LIVE"), f"{now.phase}: {now.reason}"
                    await asyncio.sleep(0.05)
        except (ClientError, TimeoutError) as exc:
            raise AssertionError(f"{exc!r}; the daemon said: {self.said()}") from exc
        return now

    @asynccontextmanager
    async def users(self, rate: float, path: str = "/page") -> AsyncIterator[None]:
        """Users who ask at this rate, whatever they got before, while this lasts."""
        async with asyncio.TaskGroup() as group, self._session() as session:
            pacing = group.create_task(self._pace(group, session, rate, path), name="users")
            yield
            pacing.cancel()

    async def _pace(self, group: asyncio.TaskGroup, session: aiohttp.ClientSession, rate: float, path: str) -> None:
        due = monotonic()
        while True:
            group.create_task(self.ask(session, path), name=f"user:{path}")
            due += 1.0 / rate
            await asyncio.sleep(max(0.0, due - monotonic()))

    @asynccontextmanager
    async def staying(self, path: str, number: int) -> AsyncIterator[None]:
        """Users who stay with one request for as long as it lasts, and come again."""
        async with asyncio.TaskGroup() as group, self._session() as session:
            tasks = [group.create_task(self._stay(session, path), name=f"{path}:{n}") for n in range(number)]
            yield
            for task in tasks:
                task.cancel()

    async def _stay(self, session: aiohttp.ClientSession, path: str) -> None:
        """Hold one answer, for two seconds and a half where it has no end."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with asyncio.timeout(2.5 if path == "/events" else 20.0):
                    async with session.get(self._url(path), headers={"Host": SITE}) as answer:
                        await answer.read()

    async def ask(self, session: aiohttp.ClientSession, path: str) -> None:
        """One request, noted with what came of it."""
        at, status, headers = monotonic(), None, {}
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=PATIENCE)
            async with session.get(self._url(path), headers={"Host": SITE}, timeout=timeout) as answer:
                await answer.read()
                status, headers = answer.status, dict(answer.headers)
        found = Got(at, path, status, headers.get("X-Colour"), headers.get("X-Version"), monotonic() - at)
        self.got.append(found)

    def hurt(self, release: str, since: float) -> float:
        """Seconds from the first to the last request that was served badly, and were sent after `since`."""
        bad = [got.at for got in self.got if got.affected(release) and got.at >= since - PATIENCE]
        assert bad, "nobody was affected"
        return max(bad) - min(bad)

    def said(self) -> str:
        """The daemon's last words."""
        return tail(self.directory / "daemon.log", 20)

    def _api(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.directory / "api.sock")))

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    def _write(self) -> None:
        (self.directory / "snippets").mkdir()
        (self.directory / "snippets" / "web.caddy").write_text(f"to 127.0.0.1:{self.ports['blue']}\n")
        (self.directory / "blue").write_text("1.0.0")
        places = {
            "admin": self.caddy.admin,
            "directory": self.directory,
            "site": SITE,
            "port": self.port,
            "window": self.window,
            "more": self.more,
            **self.ports,
        }
        (self.directory / "Caddyfile").write_text(CADDYFILE.format(**places))
        config = self.directory / "bluegreen.toml"
        config.touch(mode=0o600)
        config.write_text(CONFIG.format(**places))

    async def _start_daemon(self) -> None:
        argv = [sys.executable, "-m", "bluegreen", "serve", "--config", str(self.directory / "bluegreen.toml")]
        self.daemon = spawn(argv, env=_environment(), log=self.directory / "daemon.log")
        async with asyncio.timeout(60.0):
            while True:
                assert self.daemon.alive, self.said()
                with suppress(ClientError):
                    await self.order("status")
                    return
                await asyncio.sleep(0.1)


def _environment() -> dict[str, str]:
    return environment({"PYTHONPATH": ":".join(sys.path)})
