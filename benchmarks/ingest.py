"""How fast lines become evidence, and what that costs: the reader, the account, and one core's share of both.

The daemon has one event loop: a reader that cannot keep up would be late with every verdict, and one that takes the
whole core late with everything else. Measured on the daemon's own objects, a release on trial, the log on a real disk;
whoever writes it is a process of its own.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter, process_time

from benchmarks import writer
from benchmarks.lines import CLIENTS, line, various
from benchmarks.table import Table, median, micro, p99
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.app.trial import Trial
from bluegreen.app.watch import Watch
from bluegreen.domain.account import WatchRules
from bluegreen.domain.plans import Kind, Plan, Release, Terms
from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.traffic import Colour, Service

DIAL = "127.0.0.1:9001"
SERVICES = {"shop": Service("shop", {Colour.BLUE: ("127.0.0.1:8001",), Colour.GREEN: (DIAL,)}, site="shop.localhost")}
PATIENCE = 60.0
"""Seconds for lines to be heard."""

DIFFERENT = 1_000
"""Lines after which a file repeats itself."""

TERMS = Terms(
    deadlines={}, auto_promote=True, window=1800.0, standby=3600.0, on_blind="hold", on_no_traffic="probes",
    min_effect=0.01, alpha=0.001, min_bad=3, probe_failures=3, slow_factor=1.0, slow_floor=0.025, silent_after=10.0,
    drain=0.0, inspect=0.0,
)  # fmt: skip
"""The defaults of the configuration."""

PLAN = Plan(
    id="p-1", kind=Kind.DEPLOY, release=Release("1.1.0"), live=Colour.BLUE, live_release="1.0.0", terms=TERMS,
    steps=(), warnings=(), digest="", created_at=datetime.now(UTC), expires_at=datetime.now(UTC),
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Lines to be read in one go, steady lines a second and for how long, how often both; calls of each function."""

    lines: int
    rate: int
    seconds: float
    runs: int
    calls: int


FULL = Size(lines=50_000, rate=10_000, seconds=2.0, runs=5, calls=20_000)
TINY = Size(lines=1_000, rate=1_000, seconds=0.2, runs=1, calls=100)


class Ears:
    """The daemon's reader and watch on a log of their own, a release on trial."""

    def __init__(self, log: Path) -> None:
        clock = SystemClock()
        self.source = CaddyLog(log, SERVICES, on_witness=lambda *_: None, clock=clock)
        self.turns = 0
        self._watch = Watch(clock, (self.source,))
        self._watch.moved(Colour.BLUE)
        for _ in range(100):
            self._watch.report(Counted("access_log", "5xx", Colour.BLUE, 1_000, 1))
        self._watch.report(Measured("access_log", "slow", Colour.BLUE, "shop", tuple(n / 10_000 for n in range(1_000))))
        self._watch.open(Colour.GREEN, PLAN)
        self._watch.moved(Colour.GREEN)
        self._wanted, self._heard = 0, asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Ears"]:
        """The reader runs while this lasts."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.source.run(self._report), name="ears")
            try:
                yield self
            finally:
                task.cancel()

    async def heard(self, lines: int) -> None:
        """Return when so many lines are in the account; TimeoutError after PATIENCE seconds."""
        self._wanted = lines
        async with asyncio.timeout(PATIENCE):
            await self._heard.wait()

    def _report(self, batch: Batch) -> None:
        self._watch.report(batch)
        self.turns += isinstance(batch, Counted) and batch.signal == "5xx"
        if 0 < self._wanted <= self.source.seen.taken:
            self._heard.set()


async def measure(tiny: bool = False) -> Table:
    """The table of what lines cost."""
    size = TINY if tiny else FULL
    table = Table("ingest: from lines in the file to evidence", ("", "median", "p99", "runs"))
    with tempfile.TemporaryDirectory(prefix="bluegreen-bench-") as name:
        rushes = [await _rush(Path(name), size.lines) for _ in range(size.runs)]
        steady = [await _steady(Path(name), size) for _ in range(size.runs)]
    decoded = [_decoded(size.lines) for _ in range(size.runs)]
    shares, turns = [share for share, _ in steady], [number for _, number in steady]
    waited, busy = [wall for wall, _ in rushes], [cpu for _, cpu in rushes]
    runs, rate = f"{size.runs:,}", f"{size.rate:,} lines/s"
    table.rows += [
        ("a file full of lines, lines/s", *_rates(size.lines, waited), runs),
        ("the same, lines per second of CPU", *_rates(size.lines, busy), runs),
        ("for scale: json.loads alone, the same", *_rates(size.lines, decoded), runs),
        (f"{rate}: share of one core", f"{median(shares):.1%}", f"{p99(shares):.1%}", runs),
        (f"{rate}: reading turns/s", f"{median(turns):,.0f}", f"{p99(turns):,.0f}", runs),
        *(_cost(name, call, size.calls) for name, call in _calls().items()),
    ]
    table.notes = [
        f"a line has {len(line(200, 'shop', DIAL)):,} bytes; every line of every run went into 5xx, auth and slow,",
        f"by its route and its client: {CLIENTS:,} clients, a path in two with a number of its own",
        f"runs of {size.lines:,} lines, and of {size.seconds:g} s; p99 of fewer than 100 is the worst, the slowest",
        "goal: at most 25 µs per signal and tick",
    ]
    return table


async def _rush(directory: Path, lines: int) -> tuple[float, float]:
    """Seconds until a file that was written before is in the account: on the wall, and of CPU, which is what counts
    where others work on the same machine."""
    written, log = directory / "written", directory / "rush.log"
    different = b"".join(various(DIFFERENT, 200, "shop", DIAL))
    written.write_bytes(different * (lines // DIFFERENT))
    async with Ears(log).listening() as ears:
        await asyncio.sleep(0.1)  # it waits for its log by now
        began, spent = monotonic(), process_time()
        written.rename(log)
        await ears.heard(lines)
        return monotonic() - began, process_time() - spent


async def _steady(directory: Path, size: Size) -> tuple[float, float]:
    """Share of a core's time, and reading turns a second, while lines come at a steady rate."""
    log = directory / "steady.log"
    log.write_bytes(b"")
    async with Ears(log).listening() as ears:
        await asyncio.sleep(0.1)
        others = writer.begin(log, "shop", DIAL, rate=size.rate, seconds=size.seconds)
        spent = process_time()
        await ears.heard(round(size.rate * size.seconds))
        spent = process_time() - spent
        await others.stop()
    return spent / size.seconds, ears.turns / size.seconds


def _rates(lines: int, seconds: list[float]) -> tuple[str, str]:
    """Lines a second: in the median, and when it was slowest."""
    return f"{lines / median(seconds):,.0f}", f"{lines / p99(seconds):,.0f}"


def _calls() -> dict[str, Callable[[], object]]:
    rules = WatchRules()
    signals = {rule.name: rules.tolerance(n=100_000, bad=100) for rule in rules.signals}
    trial = Trial.open(rules, signals, {})
    batch = Counted("access_log", "5xx", Colour.GREEN, 100, 0)
    return {
        "count one signal": lambda: trial.observe(batch),
        "tick (four signals)": lambda: trial.tick(0.1),
        "judge (four signals)": trial.judge,
    }


def _cost(name: str, call: Callable[[], object], calls: int) -> tuple[str, str, str, str]:
    costs = []
    for _ in range(calls):
        began = perf_counter()
        call()
        costs.append(perf_counter() - began)
    return name, micro(median(costs)), micro(p99(costs)), f"{calls:,}"


def _decoded(lines: int) -> float:
    """Seconds of CPU for so many lines."""
    text = line(200, "shop", DIAL)
    began = process_time()
    for _ in range(lines):
        json.loads(text)
    return process_time() - began
