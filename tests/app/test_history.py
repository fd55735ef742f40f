"""What the live colour showed survives restarts, and what a release showed on trial is usual once it stays."""

import asyncio
from datetime import timedelta

import pytest

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.app.baseline import Baseline
from bluegreen.app.history import KIND, LIVE, Keeping
from bluegreen.app.news import News
from bluegreen.app.watch import Watch
from bluegreen.domain.account import WatchRules
from bluegreen.domain.phases import Phase
from bluegreen.domain.signals import Counted, Gauged, Measured
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN
from tests.virtual_time import VirtualClock

P = Phase


class Life:
    """One life of what keeps the history, on a journal that survives it."""

    def __init__(self, journal: MemoryJournal, clock: VirtualClock, deployment: str = "") -> None:
        self.watch = Watch(clock, ())
        self.watch.moved(BLUE)
        self.keeping = Keeping(journal, clock, News(journal, clock), self.watch, lambda: deployment)

    def count(self, n: int, bad: int) -> None:
        self.watch.report(Counted("access_log", "5xx", BLUE, n, bad))


@pytest.fixture
async def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


async def chunks(journal: MemoryJournal, key: str = LIVE) -> int:
    return len(await journal.chunks(KIND, key, limit=100_000))


async def again(journal: MemoryJournal, clock: VirtualClock) -> Life:
    """The next life, its history read."""
    life = Life(journal, clock)
    await life.keeping.read()
    await life.keeping.take_up()
    return life


async def test_counts_durations_and_gauges_are_there_again_after_a_restart(
    journal: MemoryJournal, clock: VirtualClock
) -> None:
    first = Life(journal, clock)
    for _ in range(30):
        first.count(100, 1)
        first.watch.report(Measured("access_log", "slow", BLUE, "web", (0.1, 0.2, 0.3)))
        first.watch.report(Gauged("queue", "queue", BLUE, 7.0))
        await first.keeping.keep()
        await asyncio.sleep(10)
    second = await again(journal, clock)
    before, after = first.watch.baseline, second.watch.baseline
    assert after.seen("5xx") == before.seen("5xx") == (3000, 30)
    assert after.limits(1.0, 0.0) == before.limits(1.0, 0.0) != {}
    assert after.ranges() == before.ranges() == {"queue": (7.0, 7.0)}
    rules = WatchRules()
    assert after.tolerances(rules, after.limits(1, 0)) == before.tolerances(rules, before.limits(1, 0))


async def test_a_day_is_kept_and_no_more(journal: MemoryJournal, clock: VirtualClock) -> None:
    life = Life(journal, clock)
    for _ in range(2 * 24):
        for _ in range(360):
            life.count(1, 0)
            await life.keeping.keep()
            await asyncio.sleep(10)
    assert await chunks(journal) <= 8640 + 361
    second = await again(journal, clock)
    assert 8600 <= second.watch.baseline.seen("5xx")[0] <= 8641


async def test_only_what_changed_is_written(journal: MemoryJournal, clock: VirtualClock) -> None:
    life = Life(journal, clock)
    life.count(100, 1)
    await life.keeping.keep()
    await asyncio.sleep(10)
    await life.keeping.keep()
    await life.keeping.keep()
    assert await chunks(journal) == 1


async def test_a_journal_that_refuses_loses_nothing_and_counts_nothing_twice(
    journal: MemoryJournal, clock: VirtualClock
) -> None:
    life = Life(journal, clock)
    journal.full = True
    for _ in range(5):
        life.count(100, 1)
        life.watch.report(Measured("access_log", "slow", BLUE, "web", (0.1,) * 100))
        await life.keeping.keep()
        await asyncio.sleep(10)
    journal.full = False
    await life.keeping.keep()
    second = await again(journal, clock)
    assert second.watch.baseline.seen("5xx") == (500, 5)
    assert second.watch.baseline.percentiles(0.5, 500)
    assert not second.watch.baseline.percentiles(0.5, 501)


async def test_the_time_without_a_daemon_is_a_gap(journal: MemoryJournal, clock: VirtualClock) -> None:
    life = Life(journal, clock)
    life.count(100, 1)
    await life.keeping.keep()
    await asyncio.sleep(25 * 3600)
    second = await again(journal, clock)
    assert second.watch.baseline.seen("5xx") == (0, 0)


@pytest.mark.parametrize("kept", [{}, {"histories": {"5xx": [["?"]]}, "durations": {}, "ranges": {}}, None, 7])
async def test_what_another_program_kept_is_left_alone(
    journal: MemoryJournal, clock: VirtualClock, kept: object
) -> None:
    life = Life(journal, clock)
    life.count(100, 1)
    await life.keeping.keep()
    await journal.append(KIND, LIVE, 1 << 40, kept)
    second = await again(journal, clock)
    assert second.watch.baseline.seen("5xx") == (0, 0)
    second.count(10, 1)
    await second.keeping.keep()


async def test_a_damaged_journal_begins_a_new_history(journal: MemoryJournal, clock: VirtualClock) -> None:
    journal.damaged = True
    assert (await again(journal, clock)).watch.baseline.seen("5xx") == (0, 0)


async def test_a_history_that_joins_another_is_the_sum_of_both() -> None:
    one, other, both = Baseline(), Baseline(), Baseline()
    for t in range(0, 1200, 4):
        mine = t < 700
        for learner in (one if mine else other, both):
            learner.learn(Counted("access_log", "5xx", BLUE if mine else GREEN, 10, int(t % 40 == 0)), 1e9 + t)
            learner.learn(Measured("access_log", "slow", BLUE, "web", (0.1 + t / 1e4,)), 1e9 + t)
    one.join(other)
    assert one.whole() == both.whole()


async def test_after_a_restart_the_live_colour_is_proved_against_what_it_showed_before(outside: Outside) -> None:
    """The known gap: without its history a colour that was bad already was blamed for a migration."""
    outside.change(proving=10.0)
    outside.users.failing[BLUE] = 0.3
    async with running(outside):
        await asyncio.sleep(300)
    outside.database.add("0001_a")
    outside.change(proving=10.0, min_bad=1_000_000, window=1.0, standby=0.0)
    async with running(outside) as daemon:
        assert daemon.watch.baseline.seen("5xx")[1] > 5000
        await daemon.deploy()
        ended = await daemon.end()
    assert P.STARTING in ended.path


async def test_what_a_release_showed_on_trial_is_usual_once_it_is_live(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(100)
        before = daemon.watch.baseline.seen("5xx")[0]
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        assert daemon.watch.baseline.seen("5xx")[0] < before + 1000, "while it is on trial it is no measure"
        assert (await daemon.end()).phase is P.LIVE
        live = daemon.watch.baseline.seen("5xx")[0]
        assert live > before + 3500
        await asyncio.sleep(20)
    assert await chunks(outside.journal, (await daemon.current()).id) == 0
    async with running(outside) as daemon:
        assert daemon.watch.baseline.seen("5xx")[0] >= live


async def test_what_a_release_showed_that_was_taken_back_is_forgotten(outside: Outside) -> None:
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))
    async with running(outside) as daemon:
        await asyncio.sleep(100)
        await daemon.deploy()
        assert (await daemon.end()).phase is P.REVERTED
        await asyncio.sleep(30)
        assert daemon.watch.baseline.seen("5xx")[1] == 0
    assert await chunks(outside.journal, (await daemon.current()).id) == 0


async def test_a_restart_during_the_trial_loses_nothing_of_what_it_showed(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(100)
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        await asyncio.sleep(11)
    async with running(outside) as daemon:
        assert daemon.watch.candidate is not None
        assert daemon.watch.candidate.seen("5xx")[0] > 2000
        before = daemon.watch.baseline.seen("5xx")[0]
        await daemon.end()
        assert daemon.watch.baseline.seen("5xx")[0] > before + 3000


async def test_killed_right_after_the_watch_what_it_showed_joins_all_the_same(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(100)
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
    found = 0
    for _ in range(2):  # and not twice
        async with running(outside) as daemon:
            found = daemon.watch.baseline.seen("5xx")[0]
            await daemon.end()
            await asyncio.sleep(15)
    assert 10_000 < found < 20_000
    assert found == pytest.approx(100 * 100 + 4000 + 1500, rel=0.2)


async def test_a_clock_that_was_far_ahead_once_leaves_nothing_that_is_kept_for_ever(
    journal: MemoryJournal, clock: VirtualClock
) -> None:
    life = Life(journal, clock)
    for days in (0, 400, 0):
        clock.ahead = timedelta(days=days)
        life.count(100, 1)
        await life.keeping.keep()
        await asyncio.sleep(10)
    second = await again(journal, clock)
    assert await chunks(journal) == 1
    seen = second.watch.baseline.seen("5xx")
    second.count(100, 1)
    await second.keeping.keep()
    third = await again(journal, clock)
    assert third.watch.baseline.seen("5xx") == (seen[0] + 100, seen[1] + 1)


async def test_a_flaw_in_keeping_it_ends_no_daemon(
    journal: MemoryJournal, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(journal, clock)
    life.count(100, 1)
    with monkeypatch.context() as flawed:
        flawed.setattr(life.watch.baseline, "take", lambda: 1 // 0)
        await life.keeping.keep()
    await life.keeping.keep()
    assert (await again(journal, clock)).watch.baseline.seen("5xx") == (100, 1)
