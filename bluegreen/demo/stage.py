"""The stage of the demonstration, and of the end-to-end tests: a directory with a Caddyfile, a configuration, the
sample application's state, and the processes that play on it.

Caddy, the colours and the daemon are real processes; Postgres is given. Everything lies in one directory.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bluegreen.demo import colour as colours
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, EmbeddedFailed, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace, caddyfile, configuration
from bluegreen.demo.stack import COLOURS, SERVICES, Stack
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.processes import environment

HERE = Path(__file__).parent
START = 20.0
"""Seconds for the daemon to answer."""


@dataclass
class Stage:
    """Where the play takes place.

    `live` runs on blue at first. `extra` is appended to the configuration (hooks, receivers), `up_prefix` stands before
    the words of `up`, and `admin` is where the daemon finds Caddy's admin endpoint, if not at Caddy itself.
    `caddy_lines` and `canary_lines` are further ones of these sections (`mode = "pointer"`, `steps = ["5% 2s"]`).
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
    caddy_lines: str = ""
    canary_lines: str = ""

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
        stack = self._stack()
        stack.save(self.sample)
        self._write_files(stack)
        await self._bring_up_live()
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

    def _stack(self) -> Stack:
        return Stack.on_free_ports(self.dsn)

    async def _bring_up_live(self) -> None:
        await colours.up(self.sample, "blue", self.live)

    def _write_files(self, stack: Stack) -> None:
        self.snippets.mkdir(exist_ok=True)
        for service in SERVICES:
            (self.snippets / f"{service}.caddy").write_text(f"to {stack.address('blue', service)}\n")
        self.caddyfile.write_text(
            caddyfile(admin=self.caddy.admin, front=self.front, log=self.access_log, snippets=self.snippets)
        )
        self.config.touch(mode=0o600)
        self.config.write_text(configuration(stack, self.pace, self._places()) + self.extra)

    def _places(self) -> dict[str, object]:
        return {
            "directory": self.directory,
            "admin": self.admin or self.caddy.admin,
            "live": self.live,
            "caddy": self.caddy_lines,
            "canary": self.canary_lines,
            "up_prefix": self.up_prefix,
            "log": self.access_log,
            "front": self.front,
            "snippets": self.snippets,
            "bin_dir": self.bin_dir,
            "migrations": self.migrations,
            "sample": self.sample,
        }

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
