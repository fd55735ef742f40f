"""From a bad line in the access log to the change that sends users back: the daemon's own reaction time.

The real daemon watches a release on a real Caddy. At a moment of our choosing enough bad lines to convict are appended
to the log in one write, attributed to the new colour; from just before that write until the PATCH is read at Caddy's
admin socket, the time is ours: to notice, read, judge, decide, read Caddy's configuration, and write.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from benchmarks import writer
from benchmarks.lines import various
from benchmarks.stand import Stand, standing
from benchmarks.stopwatch import Change, Stopwatch
from benchmarks.table import Table, median, milli, p99
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour

GOAL = 0.150
"""Seconds: the project's own limit."""

HISTORY = 5_000
"""Good requests of the live colour before the first release."""

CONVICTING = 60
"""Bad lines in one write: more than is needed after any number of good ones."""

PATIENCE = 30.0
"""Seconds for any one thing to happen."""

SERVICE = "shop"


@dataclass(frozen=True)
class Size:
    """How many cutbacks at each background of lines a second."""

    cutbacks: int
    backgrounds: tuple[int, ...]


FULL = Size(cutbacks=100, backgrounds=(1_000, 10_000))
TINY = Size(cutbacks=1, backgrounds=(0,))


@dataclass(frozen=True)
class Cutback:
    """When the bad lines were written, and the change that followed. Monotonic seconds."""

    written: float
    change: Change

    @property
    def to_patch(self) -> float:
        """What the goal is about."""
        return self.change.arrived - self.written

    @property
    def to_answer(self) -> float:
        """Until Caddy has taken the change on: users are back."""
        return self.change.answered - self.written


async def measure(tiny: bool = False) -> Table:
    """The table of the reaction times."""
    size = TINY if tiny else FULL
    columns = ("other lines", "cutbacks", "to PATCH: median", "p99", "worst", "to Caddy's answer: median", "p99")
    table = Table("line_to_patch: from a bad line in the file to the PATCH at Caddy's admin socket", columns)
    worst = 0.0
    for background in size.backgrounds:
        seen = await _cutbacks(size.cutbacks, background)
        patch, answer = [each.to_patch for each in seen], [each.to_answer for each in seen]
        worst = max(worst, *patch)
        times = (milli(median(patch)), milli(p99(patch)), milli(max(patch)), milli(median(answer)), milli(p99(answer)))
        table.rows.append((f"{background:,}/s", str(len(seen)), *times))
    table.notes = [
        f"goal: {milli(GOAL)}; the worst of all took {milli(worst)}: {'kept' if worst <= GOAL else 'MISSED'}",
        f"each time the real daemon, two services, trial open, {CONVICTING} bad lines of 1 kB in one write",
        "p99 of fewer than 100 is the worst; the stopwatch before the admin socket counts against us",
    ]
    return table


async def _cutbacks(number: int, background: int) -> list[Cutback]:
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(standing(logged=True))
        outer = stand.directory / "stopwatch.sock"
        watch = await stack.enter_async_context(Stopwatch(stand.admin_socket, outer).running())
        await stand.start_daemon(outer)
        stack.push_async_callback(stand.stop_daemon)
        _append(stand, Colour.BLUE, 200, HISTORY)
        if background:
            green = stand.services[SERVICE].addresses[Colour.GREEN][0]
            others = writer.begin(stand.log, SERVICE, green, rate=background, seconds=number * PATIENCE)
            stack.push_async_callback(others.kill)
        return [await _cutback(stand, watch, f"1.1.{index}") for index in range(number)]


async def _cutback(stand: Stand, watch: Stopwatch, release: str) -> Cutback:
    id = await stand.deploy(release)
    await stand.reached(id, Phase.WATCHING)
    await asyncio.sleep(random.uniform(0.1, 0.4))  # no favourite moment between two ticks
    watch.forget()
    written = monotonic()
    _append(stand, Colour.GREEN, 503, CONVICTING)
    change = await watch.next_change(PATIENCE)
    ended = await stand.reached(id, Phase.REVERTED)
    if ended.cause is not Cause.REGRESSED:
        raise RuntimeError(f"{id} was taken back for another reason: {ended.reason}")
    return Cutback(written, change)


def _append(stand: Stand, colour: Colour, status: int, number: int) -> None:
    text = b"".join(various(number, status, SERVICE, stand.services[SERVICE].addresses[colour][0]))
    file = os.open(stand.log, os.O_WRONLY | os.O_APPEND)
    os.write(file, text)
    os.close(file)
