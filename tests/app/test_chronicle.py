"""Counts that survive restarts: each event counts once, whatever happens to the daemon or to the journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.app.chronicle import AGAIN, Chronicle, Spread, Sums
from bluegreen.app.news import News
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event, Json
from tests.app.daemons import running
from tests.app.outside import Outside, side_by_side
from tests.domain.examples import GREEN
from tests.virtual_time import VirtualClock

BEGAN = datetime(2026, 11, 20, 20, 4, 11, tzinfo=UTC)
END = {"previous": "CONTRACTING", "outcome": "done", "seconds": 0.25, "kind": "deploy", "cause": None}


class Life:
    """One life of a daemon, as far as the chronicle sees it."""

    def __init__(self, journal: MemoryJournal) -> None:
        clock = VirtualClock()
        self.news = News(journal, clock)
        self.chronicle = Chronicle(journal, self.news, clock)

    @property
    def ended(self) -> dict[tuple[str, str, str], int]:
        return dict(self.chronicle.sums.ended)

    async def end(self, outcome: str) -> None:
        await self.news.tell("deployment.ended", deployment="d-1", phase=outcome, **END)
        await asyncio.sleep(2)


@asynccontextmanager
async def life(journal: MemoryJournal) -> AsyncIterator[Life]:
    one = Life(journal)
    async with side_by_side(("chronicle", one.chronicle.run())):
        await asyncio.sleep(2)
        yield one


async def test_what_earlier_daemons_did_counts_once_in_every_later_one() -> None:
    journal = MemoryJournal()
    async with life(journal) as first:
        await first.end("LIVE")
        await first.end("REVERTED")
    for _ in range(3):
        async with life(journal) as later:
            assert later.ended == {("deploy", "LIVE", ""): 1, ("deploy", "REVERTED", ""): 1}
    async with life(journal) as last:
        await last.end("LIVE")
        assert last.ended["deploy", "LIVE", ""] == 2


async def test_a_journal_of_a_program_that_kept_no_sums_is_added_up_from_its_beginning() -> None:
    journal = MemoryJournal()
    before = News(journal, VirtualClock())
    for _ in range(2500):
        await before.tell("deployment.ended", deployment="d-1", phase="LIVE", **END)
    async with life(journal) as now:
        await asyncio.sleep(5)
        assert now.ended == {("deploy", "LIVE", ""): 2500}


async def test_events_that_were_removed_from_the_journal_stay_counted() -> None:
    journal = MemoryJournal()
    async with life(journal) as first:
        await first.end("LIVE")
    kept = await journal.fact("chronicle", "sums")
    fresh = MemoryJournal()
    await fresh.keep("chronicle", "sums", kept)
    async with life(fresh) as later:
        assert later.ended == {("deploy", "LIVE", ""): 1}


async def test_what_the_journal_refuses_is_counted_all_the_same() -> None:
    journal = MemoryJournal()
    async with life(journal) as now:
        journal.full = True
        await now.end("REVERTED")
        assert now.ended == {("deploy", "REVERTED", ""): 1}
        journal.full = False
        await now.end("LIVE")
        await asyncio.sleep(2 * AGAIN)
        assert now.ended == {("deploy", "REVERTED", ""): 1, ("deploy", "LIVE", ""): 1}


async def test_sums_of_another_shape_are_added_up_anew() -> None:
    journal = MemoryJournal()
    async with life(journal) as first:
        await first.end("LIVE")
    for unusable in ({"shape": 99}, {"shape": 1, "seq": 7}, "words"):
        await journal.keep("chronicle", "sums", unusable)
        async with life(journal) as later:
            assert later.ended == {("deploy", "LIVE", ""): 1}, unusable


async def test_the_sums_are_the_same_after_the_journal_kept_them() -> None:
    sums = Sums()
    facts: list[tuple[str, dict[str, Json]]] = [
        ("deployment.ended", {**END, "cause": "regressed"}),
        ("traffic.switched", {"failed": 3}),
        ("traffic.returned", {"seconds": 0.02, "detect_seconds": 0.5}),
    ]
    for number, (name, said) in enumerate(facts, start=1):
        sums.take(Event(name, BEGAN, "d-1", "REVERTED", said, number))
    assert Sums.from_json(sums.to_json()) == sums
    assert sums.seq == len(facts)


def test_a_value_on_a_bound_is_in_its_bucket_and_the_last_one_takes_the_rest() -> None:
    spread = Spread((1.0, 5.0))
    for value in (0.5, 1.0, 1.1, 5.0, 99.0):
        spread.add(value)
    assert spread.up_to == [(1.0, 2), (5.0, 4), (float("inf"), 5)]
    assert spread.total == 106.6


async def test_a_deployment_tells_what_is_counted(outside: Outside) -> None:
    sums = Sums()
    async with running(outside) as daemon:
        await daemon.deploy()
        live = await daemon.end()
        for event in await daemon.events():
            sums.take(event)
    assert sums.ended == {("deploy", "LIVE", ""): 1}
    assert {phase for phase, _ in sums.phases} == {str(phase) for phase in live.path if not phase.final}
    assert sum(sums.failed.counts) == 1, "one switch"
    assert sum(sums.returned.counts) == 0


async def test_a_cutback_tells_how_fast_it_was(outside: Outside) -> None:
    sums = Sums()
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.users.failing[GREEN] = 0.5
        await daemon.end()
        for event in await daemon.events():
            sums.take(event)
    assert sums.ended == {("deploy", "REVERTED", "regressed"): 1}
    assert sum(sums.returned.counts) == sum(sums.convicted.counts) == 1
