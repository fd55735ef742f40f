"""How many users get a bad answer until they are back: end to end, with real users, a real Caddy and the real daemon.

A release that served well for some seconds begins to fail, wholly or one answer in twenty. Users do not wait for each
other (open_model.py). First bluegreen takes it back by itself; then, with the daemon stopped, a script that polls and a
rule on the error rate do, on the same machine, in the same run.
"""

import asyncio
import os
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from benchmarks import rivals
from benchmarks.lines import line
from benchmarks.open_model import Answer, Users
from benchmarks.rivals import Notice
from benchmarks.stand import NAMES, Stand, standing
from benchmarks.table import Table, median, milli, p99
from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.clock import SystemClock
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour

RATES = (50.0, 1000.0)
"""Requests a second."""

HISTORY = 5_000
"""Good answers of the live colour that the daemon has seen before the first release: little, for an hour."""

LEARN = 2.0
"""Seconds for it to read them."""

GOOD = 3.0
"""Seconds in which a release serves well, and half a second at random: no favourite moment between two looks."""

AFTER = 1.0
"""Seconds after the way back that still count: late answers."""

TIMEOUT = 5.0

FAULTS = {"out": "outage", "some": "5 % errors"}


@dataclass(frozen=True)
class Size:
    """Runs of ours and of the rivals for each fault and rate; seconds after which a rival has not noticed."""

    ours: int
    rivals: int
    limit: float
    rates: tuple[float, ...] = RATES


FULL = Size(ours=10, rivals=3, limit=60.0)
TINY = Size(ours=1, rivals=0, limit=1.0, rates=(50.0,))


@dataclass(frozen=True)
class Spell:
    """One time that a release failed: who was to notice, how it failed, from when until the count ends (monotonic)."""

    who: str
    how: str
    began: float
    ended: float
    noticed: bool


@dataclass(frozen=True)
class Harm:
    """What users got in one spell; seconds from its beginning to the last bad answer, and of the slowest answer."""

    bad: int
    requests: int
    lasted: float
    slowest: float

    @classmethod
    def of(cls, spell: Spell, answers: Sequence[Answer]) -> "Harm":
        """`answers` by due time."""
        begin = bisect_left(answers, spell.began, key=lambda answer: answer.due)
        end = bisect_left(answers, spell.ended, key=lambda answer: answer.due)
        got = answers[begin:end]
        bad = [answer.due - spell.began for answer in got if not answer.good]
        return cls(len(bad), len(got), max(bad, default=0.0), max(answer.done - answer.due for answer in got))


async def measure(tiny: bool = False) -> Table:
    """The table of what users got."""
    size = TINY if tiny else FULL
    columns = ("users", "fault", "", "runs", "bad: median", "worst", "seconds to the last: median", "worst", "slowest")
    table = Table("outage: what users get until they are back", columns)
    table.notes = [
        "open model: request i is due at t0 + i / rate, whatever came of the others; times count from when it was due",
        f"a release serves well for {GOOD:g} s or more, then fails; 5 %: 13 of 256; {HISTORY:,} answers of history",
        "the rivals use the same client of Caddy's admin API",
    ]
    for rate in size.rates:
        await _at(rate, size, table)
    return table


async def _at(rate: float, size: Size, table: Table) -> None:
    """What so many users a second get."""
    async with standing(logged=True, breakable=True) as stand:
        users = Users(stand, rate)
        child = users.begin()
        try:
            await stand.start_daemon(stand.admin_socket)
            remember(stand)
            await asyncio.sleep(LEARN)
            spells = [await _ours(stand, how, f"1.1.{n}-{how}") for how in FAULTS for n in range(size.ours)]
            await stand.stop_daemon()
            spells += await _all_rivals(stand, size)
        finally:
            await child.stop()
        answers = users.answers()
    _add(table, rate, spells, answers, size)


def remember(stand: Stand) -> None:
    """Have the daemon read HISTORY good answers of the live colour at once."""
    text = line(200, NAMES[0], stand.services[NAMES[0]].addresses[Colour.BLUE][0]) * HISTORY
    file = os.open(stand.log, os.O_WRONLY | os.O_APPEND)
    os.write(file, text)
    os.close(file)


async def _ours(stand: Stand, how: str, release: str) -> Spell:
    id = await stand.deploy(release)
    await stand.reached(id, Phase.WATCHING)
    await asyncio.sleep(GOOD + random.random() / 2)
    began = monotonic()
    stand.fail(Colour.GREEN, how)
    back = await stand.reached(id, Phase.REVERTED)
    if back.cause is not Cause.REGRESSED:
        raise RuntimeError(f"{id} was taken back for another reason: {back.reason}")
    return await _over(stand, "bluegreen", how, began, noticed=True)


async def _all_rivals(stand: Stand, size: Size) -> list[Spell]:
    spells = []
    services = tuple(stand.services.values())
    async with CaddyBalancer(stand.caddy.admin, services, timeout=TIMEOUT, clock=SystemClock()) as balancer:
        for who, notice in (("3 failed checks 5 s apart", rivals.poll), ("over 2 % in the last minute", rivals.rate)):
            for how in FAULTS:
                for _ in range(size.rivals):
                    spells.append(await _rival(stand, balancer, who, notice, how, size.limit))
                    if not spells[-1].noticed:
                        break  # once is enough to be told so
    return spells


async def _rival(stand: Stand, balancer: CaddyBalancer, who: str, notice: Notice, how: str, limit: float) -> Spell:
    generation = (await balancer.observe()).highest_generation + 1
    await balancer.switch(Colour.GREEN, generation)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(notice(stand), name=who)
        await asyncio.sleep(GOOD + random.random() * rivals.LOOK)
        began = monotonic()
        stand.fail(Colour.GREEN, how)
        _, late = await asyncio.wait((watching,), timeout=limit)
        watching.cancel()
    await balancer.switch(Colour.BLUE, generation + 1)
    return await _over(stand, who, how, began, noticed=not late)


async def _over(stand: Stand, who: str, how: str, began: float, *, noticed: bool) -> Spell:
    await asyncio.sleep(AFTER)
    stand.recover(Colour.GREEN)
    return Spell(who, how, began, monotonic(), noticed)


def _add(table: Table, rate: float, spells: Sequence[Spell], answers: Sequence[Answer], size: Size) -> None:
    for how, name in FAULTS.items():
        for who in dict.fromkeys(spell.who for spell in spells):
            mine = [spell for spell in spells if (spell.who, spell.how) == (who, how)]
            harms = [Harm.of(spell, answers) for spell in mine]
            if not all(spell.noticed for spell in mine):
                row = (f"{harms[-1].bad:,}", "", f"not in {size.limit:g} s", "", milli(harms[-1].slowest))
            else:
                bad, lasted = [harm.bad for harm in harms], [harm.lasted for harm in harms]
                worst = (f"{max(bad):,}", f"{median(lasted):.2f} s", f"{max(lasted):.2f} s")
                row = (f"{median(bad):g}", *worst, milli(max(harm.slowest for harm in harms)))
            table.rows.append((f"{rate:,.0f}/s", name, who, str(len(mine)), *row))
    late = p99([answer.done - answer.due for answer in answers])
    table.notes.append(f"p99 of all {len(answers):,} answers at {rate:,.0f}/s: {milli(late)}")
