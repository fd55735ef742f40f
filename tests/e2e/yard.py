"""A yard to shunt users in: a real Caddy, a real daemon, a process for each colour of several services; no database.

It is the same yard in mode "rewrite" and in mode "pointer"; there the routes are armed through the API as an operator
does it, or the Caddyfile becomes the one that `bluegreen caddy snippet` asks for (`keep_arms`).
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar, AbstractResolver, ResolveResult

from bluegreen.app.requests import PlanRequest, Status
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Event
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.interfaces.render import status_lines
from bluegreen.processes import Ran, environment, run_command

MODES = ("rewrite", "pointer")
FINAL = ("LIVE", "ABANDONED", "REVERTED", "STRANDED")
COLOURS = ("blue", "green")
ONE = {"web": "web.olympus.test"}
TWO = {"id": "id.olympus.test", "shop": "shop.olympus.test"}
FOUR = {**TWO, "api": "api.olympus.test", "files": "files.olympus.test"}
PATIENCE = 3.0
"""Seconds after which a user gives up."""

EVENTS = re.compile(r"^bluegreen_signal_events_total\{(.*)\} (\S+)$", re.MULTILINE)

GLOBAL = """\
{{
	admin {admin}
	auto_https off
	{persist}
}}
"""

SITE = """
http://{site}:{port} {{
	log {{
		output file {directory}/access.log {{
			mode 0640
		}}
		format json
	}}
	log_append upstream {{http.reverse_proxy.upstream.hostport}}
	{served} {{
		{to}
	}}
}}
"""

CONFIG = """\
project = "yard"

[daemon]
state_dir = "{directory}/state"
socket = "{directory}/api.sock"
log_format = "json"

[caddy]
admin = "{admin}"
mode = "{mode}"
timeout = "1s"
access_log = "{directory}/access.log"
front_door = "http://127.0.0.1:{port}"
dir = "{directory}/snippets"
{caddy}

[canary]
{canary}

[environments.blue]
release = "1.0.0"
up = ["sh", "{directory}/colour.sh", "up", "{{colour}}", "{{release}}"]
down = ["sh", "{directory}/colour.sh", "down", "{{colour}}"]
{environment}

[environments.green]
up = ["sh", "{directory}/colour.sh", "up", "{{colour}}", "{{release}}"]
down = ["sh", "{directory}/colour.sh", "down", "{{colour}}"]
{environment}

[promotion]
auto = {auto}

[watch]
window = "{window}"
standby = "{standby}"
proving = "300ms"
aftermath = "0s"
probes.interval = "200ms"

[watch.advanced]
slow_factor = 20.0

[retire]
drain = "{drain}"
inspect = "1h"
{retire}

[[notify]]
name = "team"
kind = "command"
command = ["sh", "-c", "cat >> {directory}/messages; echo >> {directory}/messages"]
"""

SERVICE = """
[[services]]
name = "{name}"
site = "{site}"
blue = ["127.0.0.1:{blue}"]
green = ["127.0.0.1:{green}"]
ready = {{ path = "/health/ready", consecutive = 2, interval = "50ms" }}
probe = "/"

[[smoke]]
name = "{name}-version"
service = "{name}"
http = {{ path = "/version" }}
expect = {{ version = "json:/version" }}
retries = 0
"""

COLOUR = """\
set -e
dir={directory}
echo "$*" >> $dir/calls
case $1 in
up) printf %s "$3" > $dir/$2.new; mv $dir/$2.new $dir/$2 ;;
down) rm -f $dir/$2 ;;
slice) date +%s.%N >> $dir/slices ;;
esac
"""


class Loopback(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """One address of loopback."""
        address = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)
        return [address]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Got:
    """What one user got. `at`: monotonic seconds when it was sent, `seconds` how long it took."""

    at: float
    service: str
    status: int | None
    colour: str | None
    seconds: float = 0.0
    why: str = ""

    @property
    def good(self) -> bool:
        """It was answered as it should be."""
        return self.status == 200


@dataclass
class Yard:
    """The world of one test. `caddy_keys`, `canary`, `retire`, `environment` are lines for these sections."""

    directory: Path
    mode: str = "rewrite"
    sites: Mapping[str, str] = field(default_factory=lambda: ONE)
    window: str = "60s"
    standby: str = "1s"
    drain: str = "0s"
    auto: bool = True
    caddy_keys: str = ""
    canary: str = ""
    retire: str = ""
    environment: str = ""
    admin: str = ""
    snippets: bool = True
    got: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = iter(free_ports(1 + len(COLOURS) * len(self.sites)))
        self.port = next(numbers)
        self.ports = {colour: {name: next(numbers) for name in self.sites} for colour in COLOURS}
        self.caddy = EmbeddedCaddy(self.directory / "caddy")
        self.caddyfile = self.directory / "Caddyfile"
        self.config = self.directory / "bluegreen.toml"
        self.pointer = self.directory / "snippets" / "live"
        self.apps: dict[str, Child] = {}
        self.daemon: Child | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Yard"]:
        """Everything runs, and is armed where it should be, while this lasts."""
        await self.built()
        try:
            await self.start_daemon()
            if self.mode == "pointer":
                await self.arm()
            yield self
        finally:
            await self.cleared()

    async def built(self) -> None:
        """Files, colours and Caddy: all but the daemon."""
        await asyncio.to_thread(self._write)
        for colour in COLOURS:
            await self.application(colour)
        await self.caddy.start(self.caddyfile)

    async def cleared(self) -> None:
        """End everything that was started here."""
        for child in [*self.apps.values(), *([self.daemon] if self.daemon else [])]:
            await child.kill()
        await self.caddy.kill()

    async def application(self, colour: str) -> Child:
        """Start the process of a colour; it answers when this returns."""
        (self.directory / f"{colour}.ready").unlink(missing_ok=True)
        words = [f"{name}={port}" for name, port in self.ports[colour].items()]
        log = self.directory / f"{colour}.log"
        argv = [sys.executable, "-m", "tests.e2e.yard_app", str(self.directory), colour, *words]
        child = self.apps[colour] = spawn(argv, env=_environment(), log=log)
        await until(lambda: (self.directory / f"{colour}.ready").exists() or not child.alive, 30.0, f"{colour} answers")
        assert child.alive, tail(log)
        return child

    async def start_daemon(self, struck_at: str = "") -> None:
        """Start the daemon; it answers when this returns. `struck_at` PHASE:BOUNDARY: it is killed (-9) there."""
        argv = [sys.executable, "-m", "bluegreen", "serve", "--config", str(self.config)]
        if struck_at:
            argv[2:4] = ["tests.e2e.dying_daemon", "serve-like"]
            argv += ["--at", struck_at]
        self.daemon = spawn(argv, env=_environment(), log=self.directory / "daemon.log")
        async with asyncio.timeout(60.0):
            while True:
                assert self.daemon.alive, self.said()
                with suppress(ClientError):
                    await self.order("status")
                    return
                await asyncio.sleep(0.05)

    async def kill_daemon(self) -> None:
        """End it at once, as a crash would."""
        assert self.daemon is not None
        await self.daemon.kill()

    async def arm(self) -> None:
        """`bluegreen caddy arm`, as an operator types it."""
        ran = await self.cli("caddy", "arm", "-y")
        assert ran.code == 0, f"{ran.output}\n{self.said()}"

    async def keep_arms(self) -> None:
        """Paste what `bluegreen caddy snippet` says into the Caddyfile, import it in each site, and reload."""
        ran = await self.cli("caddy", "snippet")
        assert ran.code == 0, ran.output
        places = {"port": self.port, "directory": self.directory, "to": "header_up X-Yard arms"}
        sites = [
            SITE.format(site=site, served=f"import bluegreen_{name}", **places) for name, site in self.sites.items()
        ]
        head = GLOBAL.format(admin=self.caddy.admin.removeprefix("http://"), persist="persist_config off")
        self.caddyfile.write_text("\n".join([head, ran.output, *sites]))
        await self.caddy.reload(self.caddyfile)

    async def cli(self, *words: str) -> Ran:
        """A verb, typed."""
        argv = [sys.executable, "-m", "bluegreen", "--socket", str(self.directory / "api.sock"), *words]
        return await run_command(argv, timeout=60.0, env=_environment() | {"BLUEGREEN_CONFIG": str(self.config)})

    async def daemon_ended(self) -> None:
        """Return when the daemon is gone by itself."""
        assert self.daemon is not None
        assert await self.daemon.ended(30.0), self.said()

    # --- the operator

    async def order(self, verb: str, *words: object, **more: Any) -> Any:
        """Ask the daemon."""
        async with Client(self.directory / "api.sock") as client:
            return (await getattr(client, verb)(*words, **more)).value

    async def deploy(self, release: str = "1.1.0") -> str:
        """Plan and deploy; returns the id."""
        try:
            plan = await self.order("plan", PlanRequest(release=release))
            return str((await self.order("deploy", plan.id)).id)
        except ClientError as exc:
            raise AssertionError(f"{exc!r}; the daemon said: {self.said()}") from exc

    async def reached(self, id: str, *phases: str, seconds: float = 40.0) -> Deployment:
        """The deployment when it is in one of these phases."""
        now: Deployment | None = None
        try:
            async with asyncio.timeout(seconds), Client(self.directory / "api.sock") as client:
                while (now := (await client.deployment(id)).value).phase not in phases:
                    assert now.phase not in FINAL, f"{now.phase}: {now.reason}\n{self.said()}"
                    await asyncio.sleep(0.03)
        except (ClientError, TimeoutError) as exc:
            raise AssertionError(f"{now and (now.phase, now.reason)}: {exc!r}; the daemon said: {self.said()}") from exc
        return now

    async def ended(self, id: str, seconds: float = 40.0) -> Deployment:
        """The deployment when it has ended."""
        return await self.reached(id, *FINAL, seconds=seconds)

    async def taken_back(self, release: str = "1.1.0") -> None:
        """Deploy a release and take it back: blue is wanted and serves, and green is still up."""
        id = await self.deploy(release)
        await self.reached(id, "WATCHING")
        await self.order("cutback", "to begin with")
        back = await self.ended(id)
        assert back.phase == "REVERTED", back.reason
        assert await self.colours() == {"blue"}

    async def events(self, id: str) -> list[Event]:
        """What happened in a deployment."""
        return list((await self.order("logs", id)).items)

    async def status(self) -> str:
        """What `bluegreen status` prints."""
        status: Status = await self.order("status")
        return "\n".join(status_lines(status))

    def messages(self) -> list[dict[str, Any]]:
        """What people were told."""
        file = self.directory / "messages"
        return [json.loads(line) for line in file.read_text().splitlines() if line.strip()] if file.exists() else []

    def calls(self) -> list[str]:
        """The commands that were called for colours, in order."""
        file = self.directory / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def said(self) -> str:
        """The daemon's last words."""
        return tail(self.directory / "daemon.log", 25)

    # --- the users

    def url(self, service: str, path: str) -> str:
        """Where a user asks."""
        return f"http://{self.sites[service]}:{self.port}{path}"

    def client(self, jar: AbstractCookieJar | None = None, **more: Any) -> aiohttp.ClientSession:
        """A user's browser: its connections are kept, every name is this machine; without a jar it keeps no cookies."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Loopback(), limit=0, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar() if jar is None else jar,  # one without cookies is false
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
            **more,
        )

    async def ask(
        self, session: aiohttp.ClientSession, service: str, path: str = "/page", method: str = "POST", **more: Any
    ) -> Got:
        """One request, and what came of it. A POST is never repeated, neither here nor on the way."""
        at = monotonic()
        try:
            async with session.request(method, self.url(service, path), **more) as answer:
                await answer.read()
                colour = answer.headers.get("X-Colour")
                return Got(at, service, answer.status, colour, monotonic() - at)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            return Got(at, service, None, None, monotonic() - at, repr(exc))

    async def colours(self, **more: Any) -> set[str | None]:
        """Which colours answer now, service by service, several times each."""
        async with self.client() as session:
            return {(await self.ask(session, name, "/", **more)).colour for name in list(self.sites) * 3}

    @asynccontextmanager
    async def users(self, rate: float, number: int = 10, path: str = "/page") -> AsyncIterator[list[Got]]:
        """So many users, each with connections of his own, who ask this often in all; what they get is in `got`."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._user(number / rate, path), name=f"user {n}") for n in range(number)]
            yield self.got
            for task in tasks:
                task.cancel()

    async def _user(self, pause: float, path: str) -> None:
        async with self.client() as session:
            while True:
                for service in self.sites:
                    self.got.append(await self.ask(session, service, path))
                    await asyncio.sleep(max(0.0, pause - self.got[-1].seconds))

    async def asked(self, number: int) -> None:
        """Return when so many more requests of users have ended."""
        wanted = len(self.got) + number
        await until(lambda: len(self.got) >= wanted, 60.0, f"{number} more requests")

    async def heard(self, number: int = 200) -> None:
        """Return when the daemon counted so many answers of blue to users: it knows what is usual."""

        async def so() -> bool:
            return (await self.counted("5xx")).get("blue", 0.0) >= number

        await until_async(so, 60.0, f"the daemon heard {number} answers")

    async def counted(self, signal: str) -> dict[str, float]:
        """Events of a signal that the daemon counted, by colour."""
        socket = str(self.directory / "api.sock")
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session,
            session.get("http://localhost/metrics") as answer,
        ):
            said = await answer.text()
        found: dict[str, float] = {}
        for labels, number in EVENTS.findall(said):
            if f'signal="{signal}"' in labels:
                for colour in COLOURS:
                    if f'colour="{colour}"' in labels:
                        found[colour] = found.get(colour, 0.0) + float(number)
        return found

    # --- Caddy, past the daemon

    async def caddy_says(self, path: str = "/config/", method: str = "GET", body: object = None) -> Any:
        """What Caddy's admin endpoint answers, asked past the daemon; AssertionError where it refuses."""
        connector = aiohttp.UnixConnector(self.caddy.admin.removeprefix("unix/"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://localhost{path}", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None) if method == "GET" else None

    def stale(self, colour: str) -> Path:
        """A Caddyfile that names the addresses of a colour itself and knows of no arms."""
        file = self.directory / f"Caddyfile.{colour}"
        file.write_text(self.caddyfile_text({name: f"to 127.0.0.1:{self.ports[colour][name]}" for name in self.sites}))
        return file

    def caddyfile_text(self, to: Mapping[str, str], persist: str = "persist_config off") -> str:
        """A Caddyfile with these lines inside each service's reverse_proxy block."""
        sites = [
            SITE.format(site=site, port=self.port, directory=self.directory, served="reverse_proxy", to=to[name])
            for name, site in self.sites.items()
        ]
        return GLOBAL.format(admin=self.caddy.admin.removeprefix("http://"), persist=persist) + "".join(sites)

    def _write(self) -> None:
        (self.directory / "snippets").mkdir()
        to = {name: f"to 127.0.0.1:{self.ports['blue'][name]}" for name in self.sites}
        if self.snippets:
            for name, line in to.items():
                (self.directory / "snippets" / f"{name}.caddy").write_text(line + "\n")
            to = {name: f"import {self.directory}/snippets/{name}.caddy" for name in self.sites}
        self.caddyfile.write_text(self.caddyfile_text(to))
        (self.directory / "blue").write_text("1.0.0")
        (self.directory / "colour.sh").write_text(COLOUR.format(directory=self.directory))
        places = {
            "directory": self.directory,
            "admin": self.admin or self.caddy.admin,
            "mode": self.mode,
            "port": self.port,
            "caddy": self.caddy_keys,
            "canary": self.canary,
            "environment": self.environment,
            "auto": str(self.auto).lower(),
            "window": self.window,
            "standby": self.standby,
            "drain": self.drain,
            "retire": self.retire,
        }
        services = [
            SERVICE.format(name=name, site=site, **{colour: self.ports[colour][name] for colour in COLOURS})
            for name, site in self.sites.items()
        ]
        self.config.touch(mode=0o600)
        self.config.write_text(CONFIG.format(**places) + "".join(services))


async def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when it is so; else fail in words."""
    try:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.03)
    except TimeoutError as exc:
        raise AssertionError(f"{what}: not within {seconds:g} s") from exc


async def until_async(true: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """The same, for what has to be asked."""
    try:
        async with asyncio.timeout(seconds):
            while not await true():
                await asyncio.sleep(0.05)
    except TimeoutError as exc:
        raise AssertionError(f"{what}: not within {seconds:g} s") from exc


def failed(got: Sequence[Got]) -> list[Got]:
    """Those that were not answered as they should be."""
    return [each for each in got if not each.good]


def _environment() -> dict[str, str]:
    return environment({"PYTHONPATH": ":".join(sys.path)})
