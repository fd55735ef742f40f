"""The stage of the demonstration, and of the end-to-end tests: a directory with a Caddyfile, a configuration, the
sample application's state, and the processes that play on it.

Caddy, the colours and the daemon are real processes; Postgres is given. Everything lies in one directory.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bluegreen.demo import colour as colours
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, EmbeddedFailed, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.demo.stack import COLOURS, SERVICES, Stack
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.processes import environment

HERE = Path(__file__).parent
SITES = {service: f"{service}.localhost" for service in SERVICES}
PROBES = {"accounts": "/whoami", "shop": "/"}
"""Paths that users ask for too; /whoami without a session is a 401, which is an answer."""

START = 20.0
"""Seconds for the daemon to answer."""

CADDYFILE = """\
{{
	admin {admin}
	auto_https off
	persist_config off
}}
"""

SITE = """
http://{site}:{port} {{
	log {{
		output file {log} {{
			mode 0640
		}}
		format json
	}}
	log_append upstream {{http.reverse_proxy.upstream.hostport}}
	reverse_proxy {{
		import {snippets}/{service}.caddy
	}}
}}
"""

CONFIG = """\
project = "olympus"

[daemon]
state_dir = "{directory}/state"
socket = "{directory}/api.sock"
log_format = "json"

[caddy]
admin = "{admin}"
timeout = "{pace.caddy_timeout}"
access_log = "{log}"
front_door = "{front}"
dir = "{snippets}"

[[databases]]
name = "olympus"
dsn = "{dsn}"
connections = 10

[backup]
directory = "{directory}/backups"
bin_dir = "{bin_dir}"
min_free = "16MiB"

[[migrations]]
name = "olympus"
database = "olympus"
kind = "sql"
directory = "{migrations}"

[environments.blue]
release = "{live}"
up = [{up_prefix}{command}, "up", "--state", "{sample}", "--colour", "{{colour}}", "--version", "{{release}}"]
down = [{command}, "down", "--state", "{sample}", "--colour", "{{colour}}"]
logs = [{command}, "logs", "--state", "{sample}", "--colour", "{{colour}}"]

[environments.green]
up = [{up_prefix}{command}, "up", "--state", "{sample}", "--colour", "{{colour}}", "--version", "{{release}}"]
down = [{command}, "down", "--state", "{sample}", "--colour", "{{colour}}"]
logs = [{command}, "logs", "--state", "{sample}", "--colour", "{{colour}}"]

[promotion]
auto = {pace.auto}

[deadlines]
starting = "{pace.starting}"

[watch]
window = "{pace.window}"
standby = "{pace.standby}"

[watch.advanced]
slow_factor = {pace.slow_factor}

[retire]
drain = "{pace.drain}"
inspect = "{pace.inspect}"
"""

SERVICE = """
[[services]]
name = "{service}"
site = "{site}"
blue = ["{blue}"]
green = ["{green}"]
ready = {{ path = "/health/ready", consecutive = 2, interval = "100ms" }}
probe = "{probe}"

[[smoke]]
name = "{service}-version"
service = "{service}"
http = {{ path = "/version" }}
expect = {{ version = "json:/version" }}
retries = 1
retry_delay = "200ms"

[[smoke]]
name = "{service}-works"
service = "{service}"
http = {{ path = "/health/smoke" }}
retries = 0
"""


@dataclass(frozen=True)
class Pace:
    """How fast the play goes: durations as the configuration writes them.

    `slow_factor` is above the default of 1, since everything plays on one machine, users included, and its hiccups
    would count as the release's.
    """

    window: str = "8s"
    standby: str = "3s"
    drain: str = "0s"
    inspect: str = "30s"
    starting: str = "20s"
    caddy_timeout: str = "2s"
    auto: str = "true"
    slow_factor: str = "2.0"


@dataclass
class Stage:
    """Where the play takes place.

    `live` runs on blue at first. `extra` is appended to the configuration (hooks, receivers), `up_prefix` stands before
    the words of `up`, and `admin` is where the daemon finds Caddy's admin endpoint, if not at Caddy itself.
    """

    directory: Path
    dsn: str
    bin_dir: Path
    pace: Pace = field(default_factory=Pace)
    extra: str = ""
    migrations: Path = HERE / "migrations"
    live: str = "1.0.0"
    up_prefix: str = ""
    admin: str = ""

    def __post_init__(self) -> None:
        self.sample = self.directory / "sample"
        self.snippets = self.directory / "snippets"
        self.access_log = self.directory / "access.log"
        self.config = self.directory / "bluegreen.toml"
        self.caddyfile = self.directory / "Caddyfile"
        self.daemon_log = self.directory / "daemon.log"
        self.socket = self.directory / "api.sock"
        self.front = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.caddy = EmbeddedCaddy(self.directory / "caddy")
        self.daemon: Child | None = None

    @property
    def pids(self) -> list[int | None]:
        """The daemon's and Caddy's, where they run."""
        return [self.daemon.pid if self.daemon is not None else None, self.caddy.pid]

    @property
    def client(self) -> Client:
        """The operator's client; open it with `async with`."""
        return Client(self.socket)

    async def set_up(self) -> None:
        """Schema, files, Caddy, and the live release on blue: the world before the daemon's first start."""
        await _prepare_schema(self.dsn)
        stack = Stack.on_free_ports(self.dsn)
        stack.save(self.sample)
        self._write_files(stack)
        await colours.up(self.sample, "blue", self.live)
        await self.caddy.start(self.caddyfile)

    async def start_daemon(self) -> None:
        """Start the daemon and return when it answers; EmbeddedFailed with its last words."""
        argv = [sys.executable, "-m", "bluegreen", "serve", "--config", str(self.config)]
        self.daemon = spawn(argv, env=environment({"PYTHONPATH": ":".join(sys.path)}), log=self.daemon_log)
        await self._answering(self.daemon)

    async def stop_daemon(self) -> None:
        """Stop it as systemd would; harmless when it is down."""
        if self.daemon is not None:
            await self.daemon.stop()

    async def kill_daemon(self) -> None:
        """End it at once, as a crash would."""
        if self.daemon is not None:
            await self.daemon.kill()

    async def tear_down(self) -> None:
        """End everything that was started here; harmless twice."""
        await self.stop_daemon()
        await self.caddy.kill()
        for colour in COLOURS:
            if self.sample.exists():
                await colours.down(self.sample, colour)

    def _write_files(self, stack: Stack) -> None:
        self.snippets.mkdir(exist_ok=True)
        for service in SERVICES:
            (self.snippets / f"{service}.caddy").write_text(f"to {stack.address('blue', service)}\n")
        self.caddyfile.write_text(self._caddyfile())
        self.config.touch(mode=0o600)
        self.config.write_text(self._configuration(stack))

    def _caddyfile(self) -> str:
        port = self.front.rpartition(":")[2]
        sites = [
            SITE.format(site=site, port=port, log=self.access_log, snippets=self.snippets, service=service)
            for service, site in SITES.items()
        ]
        return CADDYFILE.format(admin=self.caddy.admin) + "".join(sites)

    def _configuration(self, stack: Stack) -> str:
        head = CONFIG.format(
            directory=self.directory,
            admin=self.admin or self.caddy.admin,
            live=self.live,
            up_prefix=self.up_prefix,
            log=self.access_log,
            front=self.front,
            snippets=self.snippets,
            dsn=self.dsn,
            bin_dir=self.bin_dir,
            migrations=self.migrations,
            sample=self.sample,
            command=f'"{sys.executable}", "-m", "bluegreen.demo.colour"',
            pace=self.pace,
        )
        services = [
            SERVICE.format(
                service=service,
                site=site,
                probe=PROBES[service],
                blue=stack.address("blue", service),
                green=stack.address("green", service),
            )
            for service, site in SITES.items()
        ]
        return head + "".join(services) + self.extra

    async def _answering(self, daemon: Child) -> None:
        why = ""
        for _ in range(int(START / 0.1)):
            if not daemon.alive:
                raise EmbeddedFailed(f"the daemon ended at start; it said: {tail(self.daemon_log)}")
            try:
                async with self.client as client:
                    await client.status()
            except ClientError as exc:
                why = exc.detail
                await daemon.ended(0.1)
            else:
                return
        raise EmbeddedFailed(f"the daemon did not answer within {START:g} s: {why}; it said: {tail(self.daemon_log)}")


async def _prepare_schema(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        await connection.execute((HERE / "schema.sql").read_text(), timeout=30.0)
    finally:
        await connection.close(timeout=10.0)


@asynccontextmanager
async def staged(stage: Stage) -> AsyncIterator[Stage]:
    """The stage set up, with the daemon running; taken down whatever happens."""
    try:
        await stage.set_up()
        await stage.start_daemon()
        yield stage
    finally:
        await stage.tear_down()
