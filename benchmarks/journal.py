"""What it costs to remember, and to be asked: a commit of the journal, and `bluegreen status`.

Every phase, intent and event is committed before the story goes on; an operator asks when it burns. A commit is as fast
as the disk is honest: the table names the file system it was measured on.
"""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.child import PATHS
from benchmarks.stand import Stand, standing
from benchmarks.table import Table, median, milli, p99
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.processes import environment, run_command

PATIENCE = 30.0
"""Seconds for one command."""


@dataclass(frozen=True)
class Size:
    """Commits, and runs of the command."""

    commits: int
    runs: int


FULL = Size(commits=1_000, runs=20)
TINY = Size(commits=10, runs=1)

ANSWERS = {"systemctl": (0, 1, 3, 4)}
"""Codes that are an answer: also that a unit is not active, or that nobody runs systemd."""

Work = Callable[[], Awaitable[object]]


async def measure(tiny: bool = False) -> Table:
    """The table of commits and answers."""
    size = TINY if tiny else FULL
    table = Table("journal: a commit, and `bluegreen status` of a release on trial", ("", "median", "p99", "runs"))
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(standing(logged=True))
        await stand.start_daemon(stand.admin_socket)
        deployment = await stand.reached(await stand.deploy("1.1.0"), Phase.WATCHING)
        kind = _file_system(stand.directory)
        await _commits(table, stand.directory, deployment, size.commits)
        await _answers(table, stand, size)
    table.notes = [
        f"journal: a deployment of {len(deployment.path)} phases with an event, WAL, synchronous=FULL, on {kind}",
        "bluegreen status: the whole command, from its start to its end; p99 of fewer than 100 is the worst",
    ]
    return table


async def _commits(table: Table, directory: Path, deployment: Deployment, number: int) -> None:
    journal = SqliteJournal(directory / "bench.sqlite")
    event = Event("phase.entered", datetime.now(UTC), deployment.id, deployment.phase, {"reason": "measured"})
    probe = os.open(directory / "probe", os.O_WRONLY | os.O_CREAT, 0o600)

    async def flush() -> None:
        os.pwrite(probe, b"x" * 4096, 0)
        os.fdatasync(probe)

    await journal.open()
    try:
        await _row(table, "save a deployment", lambda: journal.save(deployment, event), number)
        await _row(table, "for scale: write 4 kB and fdatasync", flush, number)
    finally:
        os.close(probe)
        await journal.close()


async def _answers(table: Table, stand: Stand, size: Size) -> None:
    env = environment(PATHS)

    async def command(*argv: str) -> None:
        ran = await run_command(argv, timeout=PATIENCE, env=env)
        if ran.code not in ANSWERS.get(argv[0], (0,)):
            raise RuntimeError(f"{' '.join(argv)} ended with {ran.code}: {ran.last_line}")

    python = sys.executable
    async with stand.client as client:
        await _row(table, "the API's answer alone", client.status, size.runs * 10)
    for name, argv in (
        ("bluegreen status", (python, "-m", "bluegreen", "status", "--socket", str(stand.socket))),
        ("the same by curl", ("curl", "-sf", "--unix-socket", str(stand.socket), "http://localhost/v1/status")),
        ("for scale: systemctl is-active", ("systemctl", "is-active", "bluegreen")),
        ("for scale: python -c pass", (python, "-c", "pass")),
        ("for scale: python -c 'import aiohttp'", (python, "-c", "import aiohttp")),
    ):
        if shutil.which(argv[0]):
            await _row(table, name, partial(command, *argv), size.runs)


async def _row(table: Table, name: str, work: Work, runs: int) -> None:
    times = []
    for _ in range(runs):
        began = perf_counter()
        await work()
        times.append(perf_counter() - began)
    table.rows.append((name, milli(median(times)), milli(p99(times)), f"{runs:,}"))


def _file_system(directory: Path) -> str:
    """The type of the file system that a directory lies on (proc_pid_mounts(5))."""
    mounts = [entry.split()[:3] for entry in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [(len(at), kind) for _, at, kind in mounts if directory.is_relative_to(at)]
    return max(inside)[1]
