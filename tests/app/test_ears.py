"""The ears of the daemon: what is counted for the trial, what for the history, and what for nobody."""

import asyncio
from collections.abc import Callable

import pytest

from bluegreen.adapters.signals.memory import MemorySignals
from bluegreen.app.watch import Watch
from bluegreen.domain.evidence import Evidence, Judgement
from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.standby import Standby
from tests.app.outside import side_by_side
from tests.domain.examples import BLUE, GREEN, plan, terms
from tests.virtual_time import VirtualClock

TERMS = terms()
PLAN = plan(terms=TERMS)


@pytest.fixture
async def watch() -> Watch:
    """Blue serves; nothing is on trial."""
    watch = Watch(VirtualClock(), ())
    watch.moved(BLUE)
    return watch


def judged(watch: Watch) -> Judgement:
    judgement = watch.judge(TERMS)
    assert judgement is not None
    return judgement


def evidence(watch: Watch, signal: str) -> Evidence:
    (found,) = [evidence for evidence in judged(watch).signals if evidence.signal == signal]
    return found


async def test_with_nothing_on_trial_the_colour_that_serves_makes_the_history(watch: Watch) -> None:
    watch.report(Counted("log", "5xx", BLUE, 100, 1))
    watch.report(Counted("log", "5xx", GREEN, 50, 50))
    assert watch.baseline.seen("5xx") == (100, 1)
    assert watch.judge(TERMS) is None


async def test_on_trial_only_the_new_colour_counts_and_the_history_rests(watch: Watch) -> None:
    watch.report(Counted("log", "5xx", BLUE, 100, 1))
    watch.open(GREEN, PLAN)
    watch.moved(GREEN)
    watch.report(Counted("log", "5xx", GREEN, 10, 2))
    watch.report(Counted("log", "5xx", BLUE, 10, 10))
    assert (evidence(watch, "5xx").n, evidence(watch, "5xx").bad) == (10, 2)
    assert watch.baseline.seen("5xx") == (100, 1)


async def test_what_was_asked_before_traffic_moved_counts_for_nobody(watch: Watch) -> None:
    watch.open(GREEN, PLAN)
    asked = asyncio.get_running_loop().time()
    await asyncio.sleep(1)
    watch.moved(GREEN)
    watch.report(Counted("probes", "probe", None, 1, 1, key="web", since=asked))
    assert evidence(watch, "probe").n == 0
    watch.report(Counted("probes", "probe", None, 1, 1, key="web", since=asyncio.get_running_loop().time()))
    assert evidence(watch, "probe").n == 1


async def test_before_anybody_knows_who_serves_what_names_no_colour_counts_for_nobody() -> None:
    watch = Watch(VirtualClock(), ())
    watch.report(Counted("probes", "probe", None, 1, 0, since=0.0))
    assert watch.baseline.seen("probe") == (0, 0)


async def test_being_told_again_who_serves_forgets_nothing(watch: Watch) -> None:
    asked = asyncio.get_running_loop().time()
    await asyncio.sleep(1)
    watch.moved(BLUE)
    watch.report(Counted("probes", "probe", None, 1, 0, since=asked))
    assert watch.baseline.seen("probe") == (1, 0)


async def test_slow_is_what_the_slowest_twentieth_of_the_live_colour_exceeded(watch: Watch) -> None:
    watch.report(Measured("log", "slow", BLUE, "web", tuple(0.100 + 0.001 * i for i in range(1000))))
    watch.open(GREEN, PLAN)
    watch.report(Measured("log", "slow", GREEN, "web", (0.2, 0.9, 1.2, 2.0)))
    watch.report(Measured("log", "slow", GREEN, "api", (9.0, 9.0)))  # no history: no limit
    slow = evidence(watch, "slow")
    assert (slow.n, slow.bad) == (4, 2)
    assert slow.tolerated >= 0.05


async def test_below_the_floor_nothing_is_slow(watch: Watch) -> None:
    watch.report(Measured("log", "slow", BLUE, "web", (0.001,) * 1000))
    watch.open(GREEN, PLAN)
    watch.report(Measured("log", "slow", GREEN, "web", (0.05,) * 20 + (0.15,) * 3))
    assert evidence(watch, "slow").bad == 3


async def test_without_durations_of_the_live_colour_nothing_is_called_slow(watch: Watch) -> None:
    watch.open(GREEN, PLAN)
    watch.report(Measured("log", "slow", GREEN, "web", (9.0, 9.0)))
    assert "slow" not in [found.signal for found in judged(watch).signals]


async def test_a_worse_colour_is_known_in_the_turn_after_it_was_reported_without_any_time_passing(watch: Watch) -> None:
    watch.report(Counted("log", "5xx", BLUE, 10_000, 10))
    watch.open(GREEN, PLAN)
    watch.report(Counted("log", "5xx", GREEN, 20, 20))
    began = asyncio.get_running_loop().time()
    await watch.regressed.wait()
    assert asyncio.get_running_loop().time() == began
    assert judged(watch).verdict == "regressed"


async def test_what_is_reported_in_one_turn_is_judged_together(watch: Watch) -> None:
    watch.report(Counted("log", "5xx", BLUE, 10_000, 10))
    watch.open(GREEN, PLAN)
    watch.report(Counted("log", "5xx", GREEN, 4, 4))
    watch.report(Counted("log", "5xx", GREEN, 10_000, 0))
    await asyncio.sleep(1)
    assert not watch.regressed.is_set()


async def test_after_the_trial_nothing_is_judged_and_what_comes_makes_history(watch: Watch) -> None:
    watch.open(GREEN, PLAN)
    watch.moved(GREEN)
    watch.report(Counted("log", "5xx", GREEN, 20, 20))
    watch.close()
    watch.report(Counted("log", "5xx", GREEN, 30, 0))
    assert watch.judge(TERMS) is None
    assert not watch.regressed.is_set()
    assert watch.baseline.seen("5xx") == (30, 0)


async def test_a_source_is_silent_when_it_was_alive_and_says_nothing_for_so_long() -> None:
    log, other = MemorySignals(VirtualClock(), "log"), MemorySignals(VirtualClock(), "never heard")
    watch = Watch(VirtualClock(), (log, other))
    async with side_by_side(("watch", watch.run())):
        log.emit(Counted("log", "5xx", BLUE, 1, 0))
        await asyncio.sleep(4)
        assert watch.silent(5.0) == {}
        await asyncio.sleep(2)
        assert watch.silent(5.0) == {"log": "log has said nothing for 6 s"}


async def test_a_trial_goes_on_as_it_was_kept(watch: Watch) -> None:
    watch.report(Counted("log", "5xx", BLUE, 10_000, 10))
    watch.open(GREEN, PLAN)
    await asyncio.sleep(30)
    watch.tick()
    watch.report(Counted("log", "5xx", GREEN, 100, 1))
    watch.report(Counted("probes", "probe", GREEN, 2, 2, key="web"))
    before, kept = judged(watch), watch.to_json()
    again = Watch(VirtualClock(), ())
    assert again.reopen(GREEN, kept)
    assert judged(again) == before
    again.report(Counted("probes", "probe", GREEN, 1, 1, key="web"))
    await asyncio.sleep(0)
    assert again.regressed.is_set(), "the third failure in a row"


async def test_it_is_told_when_a_source_cannot_go_on_where_it_was() -> None:
    source = MemorySignals(VirtualClock(), "log")
    watch = Watch(VirtualClock(), (source,))
    watch.open(GREEN, PLAN)
    kept = watch.to_json()
    assert watch.reopen(GREEN, kept)
    source.missing = True
    assert not watch.reopen(GREEN, kept)


async def test_the_old_colour_is_lost_after_three_failed_checks_in_a_row() -> None:
    standby = Standby()
    seen = []
    for failure in ("no", "no", "", "no", "no", "no", "no", "", ""):
        standby.checked(failure)
        seen.append(str(standby))
    assert seen == ["degraded", "degraded", "ready", "degraded", "degraded", "lost", "lost", "lost", "ready"]


async def test_what_a_live_colour_showed_that_was_down_is_no_measure(watch: Watch) -> None:
    """Guards: the quick errors of a dead colour made every answer of the fix slow, and excused all of its errors."""
    watch.report(Counted("log", "5xx", BLUE, 1000, 1000))
    watch.report(Measured("log", "slow", BLUE, "web", (0.001,) * 1000))
    watch.open(GREEN, plan(terms=TERMS, live_is_down=True))
    watch.report(Measured("log", "slow", GREEN, "web", (0.5,) * 100))
    watch.report(Counted("log", "5xx", GREEN, 100, 0))
    judgement = watch.judge(TERMS)
    assert judgement is not None
    assert judgement.verdict != "regressed"
    watch.report(Counted("log", "5xx", GREEN, 100, 100))
    judgement = watch.judge(TERMS)
    assert judgement is not None
    assert judgement.verdict == "regressed"


# --- side by side


def both(watch: Watch, green: int, blue: int) -> None:
    """A moment in which green served a tenth of the users; so many of them failed."""
    watch.report(Counted("access_log", "5xx", BLUE, 900, blue))
    watch.report(Counted("access_log", "5xx", GREEN, 100, green))
    watch.tick()


async def beside(watch: Watch, green: int, blue: int) -> Judgement:
    """After ten seconds of both colours; the history of blue is good."""
    watch.report(Counted("access_log", "5xx", BLUE, 100_000, 100))
    watch.open(GREEN, PLAN, side_by_side=True)
    for _ in range(100):
        await asyncio.sleep(0.1)
        both(watch, green, blue)
    return judged(watch)


async def test_what_is_bad_on_both_colours_is_no_fault_of_the_new_one(watch: Watch) -> None:
    """Also where nobody told how users are shared out."""
    judgement = await beside(watch, green=30, blue=270)
    assert judgement.odds >= judgement.odds_needed
    assert judgement.verdict == "undecided"
    assert "held back: a shared cause (" in judgement.describe()


async def test_what_is_bad_on_the_new_colour_alone_cuts(watch: Watch) -> None:
    assert (await beside(watch, green=30, blue=1)).verdict == "regressed"


async def test_a_shared_cause_does_not_cut_either_when_all_users_have_moved(watch: Watch) -> None:
    await beside(watch, green=30, blue=270)
    watch.moved(GREEN)
    watch.all_moved()
    assert judged(watch).verdict != "regressed"
    watch.report(Counted("access_log", "5xx", GREEN, 1000, 300))
    assert judged(watch).verdict == "regressed"


async def test_while_both_serve_what_names_no_colour_counts_for_nobody(watch: Watch) -> None:
    watch.report(Counted("probes", "probe", None, 5, 0))
    watch.open(GREEN, PLAN, side_by_side=True)
    watch.report(Counted("probes", "probe", None, 1, 1, key="web"))
    watch.report(Counted("probes", "probe", GREEN, 1, 0, key="web"))
    assert (evidence(watch, "probe").n, watch.side_by_side) == (1, True)
    watch.moved(GREEN)
    watch.all_moved()
    watch.report(Counted("probes", "probe", None, 1, 0, key="web"))
    assert (evidence(watch, "probe").n, watch.side_by_side) == (2, False)


async def test_side_by_side_goes_on_after_a_restart(watch: Watch) -> None:
    await beside(watch, green=30, blue=270)
    before, kept = judged(watch), watch.to_json()
    again = Watch(VirtualClock(), ())
    again.moved(BLUE)
    assert again.reopen(GREEN, kept)
    assert again.side_by_side
    assert judged(again) == before
    both(again, green=30, blue=270)
    assert judged(again).verdict == "undecided"


# --- which sources cannot be heard


async def test_a_source_that_is_behind_or_has_failed_is_told_in_words() -> None:
    log, other = MemorySignals(VirtualClock(), "access_log"), MemorySignals(VirtualClock(), "queue")
    watch = Watch(VirtualClock(), (log, other))
    assert watch.hearing.troubles(5.0) == {}
    log.lag, other.trouble = 14.2, "queue: connection refused"
    assert watch.hearing.troubles(5.0) == {
        "access_log": "access_log is 14 s behind",
        "queue": "queue: connection refused",
    }
    assert watch.silent(5.0) == {"access_log": "access_log is 14 s behind"}


class Crashing(MemorySignals):
    """A source with a flaw: it crashes on what it hears first."""

    async def run(self, report: Callable[[Batch], None]) -> None:
        await super().run(report if self.heard_at is not None else _crash)


def _crash(batch: Batch) -> None:
    raise ZeroDivisionError(batch)


async def test_a_source_that_crashes_ends_no_other_and_is_begun_again() -> None:
    clock = VirtualClock()
    flawed, other = Crashing(clock, "queue"), MemorySignals(clock, "access_log")
    watch = Watch(clock, (flawed, other))
    watch.moved(BLUE)
    async with side_by_side(("signals", watch.run())):
        flawed.emit(Counted("queue", "jobs", BLUE, 1, 0))
        await asyncio.sleep(0.5)
        assert watch.hearing.troubles(5.0)["queue"].startswith("queue crashed: ZeroDivisionError(")
        flawed._heard_at = clock.monotonic()
        other.emit(Counted("access_log", "5xx", BLUE, 10, 1))
        await asyncio.sleep(0.5)
        assert watch.baseline.seen("5xx") == (10, 1)
        flawed.emit(Counted("queue", "jobs", BLUE, 2, 1))
        await asyncio.sleep(40)
        assert watch.baseline.seen("jobs") == (2, 1)
        assert "queue" not in watch.hearing.troubles(500.0)
