"""Time in which nobody watched: a daemon that was stopped, a machine that slept, a wall clock that was set."""

import asyncio
from datetime import timedelta

import pytest

from bluegreen.app.watching import TICK
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.domain.signals import Counted
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import GREEN
from tests.virtual_time import VirtualTimeLoop

LIVE, REVERTED = Phase.LIVE, Phase.REVERTED
WATCHING, STANDING_BY = Phase.WATCHING, Phase.STANDING_BY
WINDOW = 20.0
STOPPED = 600.0
"""Seconds: much longer than any window here."""


@pytest.fixture(autouse=True)
def short(outside: Outside) -> None:
    outside.change(window=WINDOW, standby=WINDOW, drain=1.0)


async def to(daemon: Daemon, phase: Phase, seconds: float = 3.0) -> None:
    """Until this phase has lasted so long."""
    await asyncio.sleep(60)
    await daemon.deploy()
    await daemon.reach(phase)
    await until(lambda: elapsed(daemon) >= seconds)


def elapsed(daemon: Daemon) -> float:
    assert daemon.engine.run is not None
    return daemon.engine.run.elapsed


def stop_for(seconds: float) -> None:
    """As SIGSTOP, and SIGCONT after so many seconds."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.stand_still(seconds)


async def told(daemon: Daemon, name: str) -> list[Event]:
    return [event for event in await daemon.events() if event.name == name]


@pytest.mark.parametrize("phase", [WATCHING, STANDING_BY])
@pytest.mark.parametrize("at", [3.0, WINDOW - 0.15])
async def test_time_in_which_the_daemon_was_stopped_does_not_count_as_watched(
    phase: Phase, at: float, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await to(daemon, phase, at)
        began, before = outside.clock.monotonic(), elapsed(daemon)
        stop_for(STOPPED)
        assert elapsed(daemon) == pytest.approx(before, abs=TICK), "at once, before any tick"
        await daemon.reach(STANDING_BY if phase is WATCHING else Phase.RETIRING)
        watched = before + outside.clock.monotonic() - began - STOPPED
        assert watched == pytest.approx(WINDOW, abs=0.5)
        (event,) = await told(daemon, "watch.interrupted")
        assert event.facts["seconds"] == pytest.approx(STOPPED, abs=0.2)
        assert (await daemon.end()).phase is LIVE


async def test_what_is_saved_after_a_stop_is_the_watched_time_too(outside: Outside) -> None:
    """The save of the evidence is due as well when the daemon goes on, and may come before the tick."""
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        stop_for(STOPPED)
        await asyncio.sleep(4)
        saved = (await outside.journal.deployments(1))[0]
    assert saved.phase is WATCHING
    assert 3.0 < saved.elapsed < WINDOW / 2


async def test_the_stake_is_not_released_for_time_in_which_nobody_watched(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        assert daemon.watch.trial is not None
        before = daemon.watch.trial.t_s
        stop_for(STOPPED)
        await asyncio.sleep(1)
        assert daemon.watch.trial.t_s < before + 2


async def test_what_users_got_while_the_daemon_was_stopped_is_judged_before_the_window_may_end(
    outside: Outside,
) -> None:
    """The log of that time is long, and is read for longer than the window would still have lasted."""
    async with running(outside) as daemon:
        await to(daemon, WATCHING, WINDOW - 0.15)
        outside.users.unread = True
        stop_for(STOPPED)
        await asyncio.sleep(5)
        assert (await daemon.current()).phase is WATCHING, "the window would be over, were it not for the log"
        daemon.watch.report(Counted("access_log", "5xx", GREEN, 100, 100))
        assert (await daemon.end()).phase is REVERTED


async def test_what_users_got_during_a_restart_is_judged_before_the_window_may_end(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING, WINDOW - 0.5)
        assert daemon.engine.run is not None
        await daemon.engine.run.update()
    outside.users.unread = True
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        assert (await daemon.current()).phase is WATCHING
        daemon.watch.report(Counted("access_log", "5xx", GREEN, 100, 100))
        assert (await daemon.end()).phase is REVERTED


async def test_a_log_that_never_catches_up_does_not_hold_the_watch_for_ever(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        outside.users.unread = True
        stop_for(STOPPED)
        assert (await daemon.end()).phase is LIVE


async def test_a_bad_release_is_taken_back_when_the_daemon_goes_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        outside.users.failing[GREEN] = 1.0
        stop_for(STOPPED)
        began = outside.clock.monotonic()
        ended = await daemon.end()
        assert outside.clock.monotonic() - began < 2
    assert (ended.phase, ended.cause) == (REVERTED, "regressed")


async def test_probes_that_were_under_way_when_the_daemon_was_stopped_are_held_against_nobody(
    outside: Outside,
) -> None:
    outside.users.silent = True  # only probes tell
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        for _ in range(5):
            sent = outside.clock.monotonic()
            stop_for(10.0)
            daemon.watch.report(Counted("probes", "probe", None, 1, 1, key="web", since=sent))
            await asyncio.sleep(0.15)
            daemon.watch.report(Counted("probes", "probe", None, 1, 1, key="web", since=sent))
        assert daemon.watch.trial is not None
        assert not daemon.watch.regressed.is_set()
        outside.users.silent = False
        assert (await daemon.end()).phase is LIVE


async def test_a_journal_that_hangs_over_an_interruption_is_no_second_one(outside: Outside) -> None:
    outside.at("before journal watch.interrupted", lambda: asyncio.sleep(10))
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        stop_for(STOPPED)
        assert (await daemon.end()).phase is LIVE
        assert len(await told(daemon, "watch.interrupted")) == 1


async def test_a_busy_moment_is_no_interruption(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        stop_for(1.0)
        await daemon.end()
        assert await told(daemon, "watch.interrupted") == []


@pytest.mark.parametrize("phase", [WATCHING, STANDING_BY])
async def test_after_a_sleep_of_the_machine_the_time_begins_anew_and_that_is_told(
    phase: Phase, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await to(daemon, phase, 12.0)
        began = outside.clock.monotonic()
        outside.clock.slept += STOPPED
        await daemon.reach(STANDING_BY if phase is WATCHING else Phase.RETIRING)
        assert outside.clock.monotonic() - began == pytest.approx(WINDOW, abs=0.5)
        (event,) = await told(daemon, "watch.restarted")
        assert event.facts["seconds"] == pytest.approx(STOPPED)
        assert (await daemon.end()).phase is LIVE


async def test_a_sleep_before_the_watch_is_none_of_its_business(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        outside.clock.slept += STOPPED
        await daemon.deploy()
        assert (await daemon.end()).phase is LIVE
        assert await told(daemon, "watch.restarted") == []


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("phase", [Phase.AWAITING, WATCHING, STANDING_BY])
async def test_a_wall_clock_that_is_set_changes_no_duration(hours: int, phase: Phase, outside: Outside) -> None:
    outside.change(window=WINDOW, standby=WINDOW, drain=1.0, auto_promote=False)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        id = (await daemon.deploy()).id
        for wanted in (Phase.AWAITING, WATCHING, STANDING_BY, Phase.RETIRING):
            began = outside.clock.monotonic()
            if wanted is Phase.AWAITING:
                await daemon.reach(wanted)
            if wanted is phase:
                await asyncio.sleep(1)
                outside.clock.ahead += timedelta(hours=hours)
            if wanted is WATCHING:
                await asyncio.sleep(3)
                assert (await daemon.current()).phase is Phase.AWAITING
                await daemon.service.promote(id, ANN)
            await daemon.reach(wanted)
            if wanted in (STANDING_BY, Phase.RETIRING):
                assert outside.clock.monotonic() - began == pytest.approx(WINDOW, abs=0.5)
        assert (await daemon.end()).phase is LIVE
        assert pages(outside) == []
