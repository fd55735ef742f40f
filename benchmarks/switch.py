"""What a switch costs users: failed requests, and the time until the new colour answers.

Any change of Caddy's configuration, through the admin API as well as by `caddy reload`, replaces its servers and
closes the connections that are idle just then; a POST that is already on its way to one of them is lost. So the cost
depends on how many clients keep connections and how briefly they pause. All ways in one run, under the same load, one
after the other; each is told to go to green and back, again and again.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from time import monotonic

from benchmarks.crowd import FAILED, Answer, Crowd
from benchmarks.stand import standing
from benchmarks.switching_others import Haproxy, Nginx, Traefik
from benchmarks.switching_rivals import Plain, Pointed, Reloaded, Rewritten, Rival
from benchmarks.table import Table, median, milli, p99
from bluegreen.domain.traffic import Colour

CLIENTS = 32
PAUSE = 0.002
"""Seconds between an answer and the next request of a client."""

SPACING = 0.7
"""Seconds after a command that are counted for it."""

EVERYBODY: Sequence[type[Rival]] = (Pointed, Rewritten, Reloaded, Nginx, Haproxy, Traefik, Plain)


@dataclass(frozen=True)
class Size:
    """How many switches each way, there and back: an even number; `pointer` of the one that promises the most."""

    switches: int
    pointer: int

    def of(self, rival: type[Rival]) -> int:
        """How many for this one."""
        return self.pointer if rival is Pointed else self.switches


FULL = Size(switches=20, pointer=100)
TINY = Size(switches=2, pointer=2)


@dataclass(frozen=True)
class Command:
    """One switch: where to, when it was given (monotonic seconds), and how many seconds it took to be answered."""

    to: Colour
    at: float
    took: float


@dataclass(frozen=True)
class Cost:
    """What users got in the time that is counted for one command: the first answer of the new colour and the last of
    the old one, in seconds from the command; and how long the command itself `took`."""

    requests: int
    failed: int
    took: float
    first_new: float | None
    last_old: float | None

    @classmethod
    def of(cls, command: Command, answers: Sequence[Answer], spacing: float) -> "Cost":
        """`answers` in order of time."""
        begin = bisect_left(answers, command.at, key=lambda answer: answer.at)
        end = bisect_left(answers, command.at + spacing, key=lambda answer: answer.at)
        since = answers[begin:end]
        new = [answer.at - command.at for answer in since if answer.said == command.to]
        old = [answer.at - command.at for answer in since if answer.said == command.to.other]
        failed = sum(answer.said == FAILED for answer in since)
        return cls(len(since), failed, command.took, min(new, default=None), max(old, default=None))


async def costs(rival: Rival, switches: int, spacing: float = SPACING, pause: float = PAUSE) -> list[Cost]:
    """Start it, let users in who pause so long, switch it there and back, and end it; `spacing` is counted for each."""
    commands: list[Command] = []
    try:
        await rival.start()
        crowd = Crowd(rival.stand, CLIENTS, pause, rival.port)
        users = crowd.begin()
        try:
            await asyncio.sleep(2 * SPACING)
            for number in range(switches):
                to = (Colour.GREEN, Colour.BLUE)[number % 2]
                began = monotonic()
                await rival.switch(to)
                commands.append(Command(to, began, monotonic() - began))
                await asyncio.sleep(began + spacing - monotonic())
        finally:
            await users.stop()
    finally:
        await rival.stop()
    answers = crowd.answers()
    return [Cost.of(command, answers, spacing) for command in commands]


async def measure(tiny: bool = False) -> Table:
    """The table of what switches cost, whoever makes them."""
    size = TINY if tiny else FULL
    columns = ("", "switches", "failed, each: mean", "worst", "of requests", "command", "new colour: median", "p99")
    title = f"switch: failed requests of {CLIENTS} keep-alive clients that POST {milli(PAUSE)} apart"
    table = Table(title, (*columns, "old colour's last"))
    missing = []
    async with standing(logged=False) as stand:
        for kind in EVERYBODY:
            if kind.installed():
                table.rows.append(_row(kind.about, await costs(kind(stand), size.of(kind))))
            else:
                missing.append(kind.about)
    table.notes = [
        "one after the other under the same load; not one POST is sent twice; colours: `respond` of another Caddy",
        "command: until it was answered; new colour: from the command to the first answer of it that any client got",
        f"failed: within {SPACING:g} s of the command; p99 of fewer than 100 is the worst; Traefik's throttle: 10 ms",
        *(f"not installed: {', '.join(missing)}" for _ in missing[:1]),
    ]
    return table


def _row(about: str, found: Sequence[Cost]) -> tuple[str, ...]:
    failed = [cost.failed for cost in found]
    first = [cost.first_new for cost in found if cost.first_new is not None]
    last = [cost.last_old for cost in found if cost.last_old is not None]
    took = milli(median([cost.took for cost in found]))
    if about == Plain.about:
        first, last, took = [], [], ""
    shown = (milli(median(first)), milli(p99(first))) if first else ("", "")
    requests = f"{sum(cost.requests for cost in found):,}"
    return (
        about,
        str(len(found)),
        f"{mean(failed):.1f}",
        str(max(failed)),
        requests,
        took,
        *shown,
        milli(median(last)) if last else "",
    )
