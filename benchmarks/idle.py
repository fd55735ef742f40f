"""What the daemon costs while it does its work and nothing happens: memory, CPU, wake-ups, threads, open files.

The real daemon with its reconciler (a look at Caddy every second), its probes, the reader of the access log, the
journal and the metrics, which are scraped as Prometheus would. First idle, then with a release on trial and users at a
steady pace. From /proc (proc_pid_stat(5), proc_pid_status(5)), which costs the daemon nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp

from benchmarks import writer
from benchmarks.stand import NAMES, Stand, standing
from benchmarks.table import Table
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour

SCRAPE = 15.0
"""Seconds between two scrapes."""

SETTLE = 3.0
"""Seconds after which a state counts."""

RATE = 50
"""Users' requests a second."""

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Size:
    """How many seconds each state is watched."""

    seconds: float


FULL = Size(seconds=60.0)
TINY = Size(seconds=1.0)


@dataclass(frozen=True)
class Use:
    """What a process has used since its start. Seconds of CPU; wake-ups: times it waited and was scheduled again."""

    cpu: float
    wakeups: int
    at: float

    @classmethod
    def of(cls, pid: int) -> "Use":
        """All threads together."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
        threads = Path(f"/proc/{pid}/task").iterdir()
        return cls(cpu, sum(_status(thread / "status", "voluntary_ctxt_switches") for thread in threads), monotonic())


async def measure(tiny: bool = False) -> Table:
    """The table of what the daemon uses."""
    size = TINY if tiny else FULL
    columns = ("", "CPU of one core", "wake-ups/s", "resident", "threads", "open files")
    table = Table("idle: what the daemon uses", columns)
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(standing(logged=True))
        await stand.start_daemon(stand.admin_socket)
        stack.push_async_callback(stand.stop_daemon)
        await stack.enter_async_context(_scraped(stand))
        await _row(table, "nothing happens", stand, size.seconds)
        await stand.reached(await stand.deploy("1.1.0"), Phase.WATCHING)
        green = stand.services[NAMES[0]].addresses[Colour.GREEN][0]
        users = writer.begin(stand.log, NAMES[0], green, rate=RATE, seconds=size.seconds + 30)
        stack.push_async_callback(users.kill)
        await _row(table, f"a release on trial, {RATE} lines/s", stand, size.seconds)
    table.notes = [
        f"over {size.seconds:g} s each; two services, probed every second; a look at Caddy every second",
        f"GET /metrics every {SCRAPE:g} s; wake-ups: voluntary context switches of all threads",
    ]
    return table


async def _row(table: Table, name: str, stand: Stand, seconds: float) -> None:
    await asyncio.sleep(SETTLE)
    before = Use.of(stand.pid)
    await asyncio.sleep(seconds)
    after = Use.of(stand.pid)
    took = after.at - before.at
    status = Path(f"/proc/{stand.pid}/status")
    table.rows.append(
        (
            name,
            f"{(after.cpu - before.cpu) / took:.1%}",
            f"{(after.wakeups - before.wakeups) / took:,.0f}",
            f"{_status(status, 'VmRSS') / 1024:,.0f} MiB",
            str(_status(status, "Threads")),
            str(_open_files(stand.pid)),
        )
    )


@asynccontextmanager
async def _scraped(stand: Stand) -> AsyncIterator[None]:
    """Somebody scrapes the metrics while this lasts."""

    async def scrape() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"http://{stand.metrics}/metrics") as answer:
                    answer.raise_for_status()
                await asyncio.sleep(SCRAPE)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(scrape(), name="prometheus")
        try:
            yield
        finally:
            task.cancel()


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _status(file: Path, key: str) -> int:
    """One number of a status file in /proc."""
    lines = [line.split() for line in file.read_text().splitlines()]
    return next(int(words[1]) for words in lines if words[0] == f"{key}:")
