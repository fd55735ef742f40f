"""What a switch costs users: failed requests, and the time until the new colour answers.

Any change of Caddy's configuration, through the admin API as well as by `caddy reload`, replaces its servers and
closes the connections that are idle just then; a POST that is already on its way to one of them is lost. So the cost
depends on how many clients keep connections and how briefly they pause. Both ways, and stretches without any switch,
in one run.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from time import monotonic

from benchmarks.crowd import FAILED, Answer, Crowd
from benchmarks.stand import Stand, standing
from benchmarks.table import Table, median, milli, p99
from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.clock import SystemClock
from bluegreen.domain.traffic import Colour

CLIENTS = 32
PAUSE = 0.002
"""Seconds between an answer and the next request of a client."""

SPACING = 0.7
"""Seconds after a command that are counted for it."""

TIMEOUT = 5.0

Switch = Callable[[Colour], Awaitable[None]]


@dataclass(frozen=True)
class Size:
    """How many switches each way, there and back: an even number."""

    switches: int


FULL = Size(switches=20)
TINY = Size(switches=2)


@dataclass(frozen=True)
class Command:
    """One switch: how, where to, when it was given. Monotonic seconds. `to` None: nothing was done."""

    way: str
    to: Colour | None
    at: float


@dataclass(frozen=True)
class Cost:
    """What users got in the time that is counted for one command."""

    requests: int
    failed: int
    first_answer: float | None

    @classmethod
    def of(cls, command: Command, answers: Sequence[Answer]) -> "Cost":
        """`answers` in order of time."""
        begin = bisect_left(answers, command.at, key=lambda answer: answer.at)
        end = bisect_left(answers, command.at + SPACING, key=lambda answer: answer.at)
        since = answers[begin:end]
        new = [answer.at - command.at for answer in since if answer.said == command.to]
        return cls(len(since), sum(answer.said == FAILED for answer in since), min(new, default=None))


async def measure(tiny: bool = False) -> Table:
    """The table of what switches cost."""
    size = TINY if tiny else FULL
    async with standing(logged=False) as stand:
        crowd = Crowd(stand, CLIENTS, PAUSE)
        users = crowd.begin()
        try:
            await asyncio.sleep(SPACING)
            commands = await _switches(stand, size.switches)
        finally:
            await users.stop()
        answers = crowd.answers()
    return _table(commands, answers)


async def _switches(stand: Stand, number: int) -> list[Command]:
    """Ours to green and back, reloads to green and back, and nothing, in turns."""
    commands: list[Command] = []

    async def give(way: str, to: Colour | None, act: Switch | None) -> None:
        commands.append(Command(way, to, monotonic()))
        if act is not None and to is not None:
            await act(to)
        await asyncio.sleep(commands[-1].at + SPACING - monotonic())

    async def reload(to: Colour) -> None:
        await stand.caddy.reload(files[to], TIMEOUT)

    files = {colour: stand.caddyfile(colour) for colour in Colour}
    services = tuple(stand.services.values())
    async with CaddyBalancer(stand.caddy.admin, services, timeout=TIMEOUT, clock=SystemClock()) as balancer:

        async def rewrite(to: Colour) -> None:
            await balancer.switch(to, len(commands))

        for _ in range(0, number, 2):
            for way, act in (("ours: the admin API", rewrite), ("caddy reload", reload), ("no switch at all", None)):
                for to in (Colour.GREEN, Colour.BLUE):
                    await give(way, to if act else None, act)
    return commands


def _table(commands: Sequence[Command], answers: Sequence[Answer]) -> Table:
    seconds = answers[-1].at - answers[0].at
    columns = ("", "switches", "failed, each: mean", "median", "worst", "of requests", "new colour: median", "p99")
    title = f"switch: failed requests of {CLIENTS} keep-alive clients that POST {milli(PAUSE)} apart"
    table = Table(title, columns)
    for way in dict.fromkeys(command.way for command in commands):
        costs = [Cost.of(command, answers) for command in commands if command.way == way]
        failed = [cost.failed for cost in costs]
        firsts = [cost.first_answer for cost in costs if cost.first_answer is not None]
        shown = (milli(median(firsts)), milli(p99(firsts))) if firsts else ("", "")
        counted = (f"{mean(failed):.1f}", f"{median(failed):g}", f"{max(failed)}")
        table.rows.append((way, str(len(costs)), *counted, f"{sum(c.requests for c in costs):,}", *shown))
    table.notes = [
        f"{len(answers) / seconds:,.0f} requests/s in all, not one sent twice; colours: `respond` of another Caddy",
        "new colour: from the command to the first answer of the new colour that any client got",
        f"failed: within {SPACING:g} s of the command; p99 of fewer than 100 is the worst",
    ]
    return table
