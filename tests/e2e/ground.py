"""The ground on which daemons are killed: one Postgres, one Caddy and one process of puppets for the whole run.

Each case gets a world of its own on it: a directory, a database, Caddy's configuration written anew, an access log, and
witnesses that are no part of bluegreen: a steady client, the record of what was sent to Caddy, a receiver of messages.
"""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import asyncpg
from aiohttp import web

from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, dying_with_us, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.scenery import CADDYFILE, SITE, SITES
from bluegreen.interfaces.client import Client, Unreachable
from bluegreen.processes import environment
from tests.e2e import puppets
from tests.e2e.admin_proxy import AdminProxy
from tests.e2e.puppets import COLOURS, SERVICES, Ports

RATE = 50.0
"""Requests per second of the steady client."""

EXPAND = "CREATE TABLE added (id bigint PRIMARY KEY, note text);\n"
CONTRACT = "ALTER TABLE added DROP COLUMN note;\n"
BROKEN = (
    "DO $$ BEGIN IF current_database() NOT LIKE 'bluegreen_scratch%' THEN RAISE EXCEPTION 'not here'; END IF; END $$;\n"
)
"""It passes every rehearsal, and fails on production."""

CONFIG = """\
project = "olympus"

[daemon]
state_dir = "{case}/state"
socket = "{case}/api.sock"
log_format = "json"

[caddy]
admin = "{admin}"
timeout = "2s"
access_log = "{case}/access.log"
front_door = "{front}"
dir = "{case}/snippets"

[[databases]]
name = "olympus"
dsn = "{dsn}"

[backup]
directory = "{case}/backups"
bin_dir = "{bin_dir}"
min_free = "1MiB"

[[migrations]]
name = "olympus"
database = "olympus"
kind = "sql"
directory = "{case}/migrations"

[environments.blue]
release = "1.0.0"
up = ["sh", "{puppets}/puppet.sh", "{puppets}", "up", "{{colour}}", "{{release}}"]
down = ["sh", "{puppets}/puppet.sh", "{puppets}", "down", "{{colour}}"]

[environments.green]
up = ["sh", "{puppets}/puppet.sh", "{puppets}", "up", "{{colour}}", "{{release}}"]
down = ["sh", "{puppets}/puppet.sh", "{puppets}", "down", "{{colour}}"]

[promotion]
auto = {auto}

[watch]
window = "{window}"
standby = "{standby}"
proving = "300ms"
probes.interval = "200ms"

[watch.advanced]
slow_factor = 20.0

[retire]
drain = "0s"
inspect = "60s"

[[notify]]
name = "team"
kind = "webhook"
url = "{receiver}"
"""

SERVICE = """
[[services]]
name = "{service}"
site = "{site}"
blue = ["127.0.0.1:{blue}"]
green = ["127.0.0.1:{green}"]
ready = {{ path = "/health/ready", consecutive = 2, interval = "20ms" }}
probe = "/"

[[smoke]]
name = "{service}-works"
service = "{service}"
http = {{ path = "/health/smoke" }}
expect = {{ version = "json:/version" }}
retries = 0
"""

STAMP = re.compile(r"bluegreen-[a-z]+-\d+-g(\d+)")


@dataclass
class Ground:
    """What all cases share."""

    directory: Path
    postgres: EmbeddedPostgres
    ports: Ports
    front: str
    caddy: EmbeddedCaddy
    puppets: Child
    nursery: "subprocess.Popen[str]"
    cases: int = 0

    @property
    def stage(self) -> Path:
        """Where the puppets' files are."""
        return self.directory / "puppets"

    def born(self, words: tuple[str, ...], log: Path) -> Child:
        """A daemon from the nursery."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(json.dumps({"words": words, "log": str(log)}) + "\n")
        self.nursery.stdin.flush()
        child = Child.of(int(self.nursery.stdout.readline()))
        assert child is not None, f"it ended at once: {tail(log)}"
        return child


@contextmanager
def ground(directory: Path, postgres: EmbeddedPostgres) -> Iterator[Ground]:
    """Caddy and the puppets, running until this is left."""
    numbers = iter(free_ports(5))
    ports = {colour: {service: next(numbers) for service in SERVICES} for colour in COLOURS}
    stage = directory / "puppets"
    puppets.build(stage, ports)
    argv = [*dying_with_us(signal.SIGTERM), sys.executable, "-m", "tests.e2e.puppets", str(stage)]
    child = spawn(argv, env=_environment(), log=directory / "puppets.log")
    caddy = EmbeddedCaddy(directory / "caddy")
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.dying_daemon", "nursery"],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        asyncio.run(caddy.start({}))
        yield Ground(directory, postgres, ports, f"http://127.0.0.1:{next(numbers)}", caddy, child, nursery)
    finally:
        nursery.communicate(timeout=10.0)
        asyncio.run(caddy.stop())
        asyncio.run(child.stop())


@dataclass(frozen=True)
class Answer:
    """What the steady client got. `at`: monotonic seconds."""

    at: float
    service: str
    status: int | None
    colour: str | None
    why: str = ""

    @property
    def good(self) -> bool:
        """It was answered as it should be."""
        return self.status == 200


@dataclass(frozen=True)
class Change:
    """A change that was sent to Caddy: its generation, the colour that it sends users to, and what Caddy said."""

    generation: int
    colour: str
    status: int


class RecordingProxy(AdminProxy):
    """The way to Caddy's admin endpoint, which remembers every change that went over it."""

    def __init__(self, target: str, ports: Ports) -> None:
        super().__init__(target)
        self._ports = ports
        self.sent: list[Change] = []

    async def _forward(self, request: web.Request, body: bytes | None = None) -> web.Response:
        content = await request.read() if body is None else body
        answer = await super()._forward(request, content)
        if request.method != "GET":
            stamps = {int(number) for number in STAMP.findall(content.decode())}
            dialled = [c for c in COLOURS if any(f":{port}" in content.decode() for port in self._ports[c].values())]
            self.sent.append(Change(max(stamps, default=0), " and ".join(dialled), answer.status))
        return answer


@dataclass
class World:
    """The world of one case: what lies in it, who runs in it, and what its witnesses saw."""

    ground: Ground
    case: Path
    database: str
    proxy: RecordingProxy
    answers: list[Answer] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    """Deployments that the API said it had taken."""
    lives: list[Child] = field(default_factory=list)
    """The daemons that were started, in order."""
    config: Path = Path()

    @property
    def dsn(self) -> str:
        """The database of this case."""
        return self.ground.postgres.dsn(self.database)

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.case / "state" / "journal.sqlite"

    @property
    def log(self) -> Path:
        """What the daemons wrote."""
        return self.case / "daemon.log"

    @property
    def daemon(self) -> Child:
        """The daemon that was started last."""
        return self.lives[-1]

    def start(self) -> Child:
        """Start a daemon as an operator does; it answers a moment later."""
        return self._spawn("bluegreen", "serve", "--config", str(self.config))

    def start_struck(self, at: str, nth: int = 1, number: str = "KILL", *more: str) -> Child:
        """Start a daemon that gets a signal at PHASE:BOUNDARY."""
        where = ("--at", at, "--nth", str(nth), "--signal", number, *more)
        words = ("serve-like", "--config", str(self.config), *where)
        if number != "KILL":
            return self._spawn("tests.e2e.dying_daemon", *words)  # whose exit code is ours to see
        self.lives.append(self.ground.born(words, self.log))
        return self.daemon

    async def order(self, verb: str, *words: Any) -> Any:
        """Ask the daemon, waiting until it listens."""
        while True:
            try:
                async with Client(self.case / "api.sock") as client:
                    return (await getattr(client, verb)(*words)).value
            except Unreachable:
                if not self.daemon.alive:
                    raise
            await asyncio.sleep(0.02)

    def puppet(self, name: str, content: str = "") -> None:
        """Write a file that the puppets look at."""
        (self.ground.stage / name).write_text(content)

    def calls(self) -> list[str]:
        """The commands that were called for colours, in order."""
        file = self.ground.stage / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def said(self) -> str:
        """The last words of the daemons."""
        return tail(self.log, 40)

    def _spawn(self, module: str, *words: str) -> Child:
        child = spawn([sys.executable, "-m", module, *words], env=_environment(), log=self.log)
        self.lives.append(child)
        return child


@dataclass(frozen=True)
class Scene:
    """How a world is set up. `files` are migrations by name; `before` a saved world to begin with."""

    files: tuple[tuple[str, str], ...] = (("0001_added.expand.sql", EXPAND),)
    window: str = "500ms"
    standby: str = "500ms"
    auto: bool = True
    config: str = ""
    before: str = ""


@asynccontextmanager
async def world(ground: Ground, scene: Scene) -> AsyncIterator[World]:
    """A world of its own for one case; whatever runs in it is ended afterwards."""
    ground.cases += 1
    case = ground.directory / f"case{ground.cases}"
    database = f"case_{ground.cases}_{ground.directory.name}"
    case.mkdir()
    proxy = RecordingProxy(ground.caddy.admin, ground.ports)
    made = World(ground, case, database, proxy)
    saved = ground.directory / scene.before if scene.before else None
    if saved is not None:
        shutil.copytree(saved / "state", case / "state")
    await make_database(ground, database, scene.before or "template0")
    async with proxy.running(), _receiver(made) as receiver:
        live, release = ("green", "1.1.0") if saved else ("blue", "1.0.0")
        _write(made, scene, live, receiver)
        _set_puppets(ground, {live: release})
        await _load(ground, case)
        try:
            async with asyncio.TaskGroup() as group:
                client = group.create_task(_steady(made), name="steady client")
                yield made
                client.cancel()
        finally:
            for daemon in made.lives:
                await daemon.kill()
            await drop_database(ground, database)


async def make_database(ground: Ground, name: str, template: str) -> None:
    """A database made from another one."""
    await _administrate(ground, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


async def drop_database(ground: Ground, name: str) -> None:
    """Drop a database with whoever is in it."""
    await _administrate(ground, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def ask(dsn: str, question: str, *values: object) -> list[asyncpg.Record]:
    """The rows that Postgres answers."""
    connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        return list(await connection.fetch(question, *values, timeout=30.0))
    finally:
        await connection.close(timeout=10.0)


async def configuration(ground: Ground) -> object:
    """Caddy's whole configuration, asked past everybody."""
    async with (
        aiohttp.ClientSession(connector=_to_caddy(ground)) as session,
        session.get("http://localhost/config/") as answer,
    ):
        return await answer.json(content_type=None)


def _to_caddy(ground: Ground) -> aiohttp.UnixConnector:
    return aiohttp.UnixConnector(ground.caddy.admin.removeprefix("unix/"))


async def eventually(true: Any, seconds: float, what: str) -> None:
    """Return when it is so; else fail in words."""
    deadline = monotonic() + seconds
    while not true():
        if monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.02)


async def _administrate(ground: Ground, statement: str) -> None:
    connection = await asyncpg.connect(ground.postgres.dsn(), timeout=10.0)
    try:
        await connection.execute(statement, timeout=60.0)
    finally:
        await connection.close(timeout=10.0)


def _environment() -> dict[str, str]:
    return environment({"PYTHONPATH": ":".join(sys.path)})


def _write(world: World, scene: Scene, live: str, receiver: str) -> None:
    ground, case = world.ground, world.case
    for name in ("migrations", "snippets"):
        (case / name).mkdir()
    for name, text in scene.files:
        (case / "migrations" / name).write_text(text)
    for service in SERVICES:
        (case / "snippets" / f"{service}.caddy").write_text(f"to 127.0.0.1:{ground.ports[live][service]}\n")
    world.config = case / "bluegreen.toml"
    world.config.touch(mode=0o600)
    filled = CONFIG.format(
        case=case,
        admin=world.proxy.url,
        front=ground.front,
        dsn=world.dsn,
        bin_dir=ground.postgres.bin_dir,
        puppets=ground.stage,
        auto="true" if scene.auto else "false",
        window=scene.window,
        standby=scene.standby,
        receiver=receiver,
    )
    services = [
        SERVICE.format(service=name, site=SITES[name], **{c: ground.ports[c][name] for c in COLOURS})
        for name in SERVICES
    ]
    world.config.write_text(filled + "".join(services) + scene.config.replace("{case}", str(case)))


def _set_puppets(ground: Ground, running: dict[str, str]) -> None:
    for file in ground.stage.iterdir():
        if file.name not in ("ports.json", "puppet.sh", "ready"):
            file.unlink()
    for colour, release in running.items():
        (ground.stage / colour).write_text(release)


async def _load(ground: Ground, case: Path) -> None:
    """Give Caddy its whole configuration, as `caddy reload` does."""
    port = ground.front.rpartition(":")[2]
    sites = [
        SITE.format(site=site, port=port, log=case / "access.log", snippets=case / "snippets", service=service)
        for service, site in SITES.items()
    ]
    text = CADDYFILE.format(admin=ground.caddy.admin) + "".join(sites)
    async with (
        aiohttp.ClientSession(connector=_to_caddy(ground)) as session,
        session.post("http://localhost/load", data=text, headers={"Content-Type": "text/caddyfile"}) as answer,
    ):
        assert answer.status == 200, await answer.text()


@asynccontextmanager
async def _receiver(world: World) -> AsyncIterator[str]:
    """Where messages to people go."""

    async def take(request: web.Request) -> web.Response:
        world.notices.append(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/team", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/team"
    finally:
        await runner.cleanup()


async def _steady(world: World) -> None:
    """Ask one service after the other, for ever, over connections that are kept."""
    timeout = aiohttp.ClientTimeout(total=5.0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            for service in SERVICES:
                world.answers.append(await _one(session, world.ground.front, service))
                await asyncio.sleep(1 / RATE)


async def _one(session: aiohttp.ClientSession, front: str, service: str) -> Answer:
    at = monotonic()
    try:
        async with session.get(f"{front}/", headers={"Host": SITES[service]}) as answer:
            await answer.read()
            return Answer(at, service, answer.status, answer.headers.get("X-Colour"))
    except (aiohttp.ClientError, OSError) as exc:
        return Answer(at, service, None, None, repr(exc))
