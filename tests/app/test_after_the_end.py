"""What goes on after a deployment: the inspection of what was taken back, drift, and never touching the live colour."""

import asyncio

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.app import environments
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import JournalUnwritable, LiveColourProtected
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from tests.app.daemons import ANN, Daemon, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase
INSPECT = 300.0
"""Seconds of `terms`."""


def move(outside: Outside, colour: Colour, *names: str) -> None:
    """Somebody else moves services."""
    for name in names or SERVICES:
        outside.balancer.point(name, *SERVICES[name].addresses[colour])


async def taken_back(daemon: Daemon) -> None:
    daemon.outside.users.failing[GREEN] = 1.0
    await daemon.deploy()
    assert (await daemon.end()).phase is P.REVERTED
    daemon.outside.users.failing.clear()


async def named(daemon: Daemon) -> list[str]:
    return [event.name for event in await daemon.events()]


async def stranded(daemon: Daemon) -> None:
    daemon.outside.balancer.faults.extend([Fault.FOREIGN_CHANGE] * 3)
    await daemon.cutback()
    assert (await daemon.end()).phase is P.STRANDED


# --- STRANDED, more than once


async def test_a_second_end_like_the_first_is_told_also_where_the_daemon_dies_in_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await stranded(daemon)
        died = asyncio.Event()

        async def die() -> None:
            died.set()
            await asyncio.sleep(1)
            raise JournalUnwritable("the daemon is dead")

        outside.at("after journal STRANDED", die)
        outside.balancer.faults.extend([Fault.FOREIGN_CHANGE] * 3)
        await daemon.cutback()
        await died.wait()
    async with running(outside) as daemon:
        await daemon.end()
    assert [notice.event for notice in outside.notifier.sent].count("deployment.stranded") == 2


async def test_no_pause_that_ends_leaves_a_stranded_deployment_to_the_failsafe(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.service.pause(ANN, "hands off")
        outside.at("before journal keep ended", lambda: daemon.service.resume(ANN, "on it"))
        await stranded(daemon)
    card = await outside.cards.read()
    assert card is not None
    assert (card.open, card.failsafe) == (True, False)


# --- the inspection


async def test_what_was_taken_back_is_left_running_for_inspection_and_then_stopped(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        await asyncio.sleep(INSPECT - 10)
        assert outside.runners[GREEN].running == "1.1.0"
        await asyncio.sleep(20)
        assert outside.runners[GREEN].running == ""
        assert (await named(daemon)).count("inspection.ended") == 1
        assert (await daemon.service.status()).releases[GREEN] == ""


async def test_the_inspection_ends_in_its_time_also_after_a_restart(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        await asyncio.sleep(100)
    await asyncio.sleep(100)
    async with running(outside):
        await asyncio.sleep(INSPECT - 210)
        assert outside.runners[GREEN].running == "1.1.0"
        await asyncio.sleep(20)
    assert outside.runners[GREEN].running == ""


async def test_a_daemon_that_dies_while_it_ends_the_inspection_leaves_that_to_the_next(outside: Outside) -> None:
    """Guards: the timer was forgotten before the colour was stopped."""
    outside.at("before runner green down", lambda: asyncio.sleep(10_000))
    async with running(outside) as daemon:
        await taken_back(daemon)
        await asyncio.sleep(INSPECT + 10)
        assert outside.runners[GREEN].running == "1.1.0"
    async with running(outside):
        await asyncio.sleep(5)
    assert outside.runners[GREEN].running == ""


async def test_a_deployment_that_starts_cancels_the_inspection(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        outside.users.failing[GREEN] = 1.0
        await daemon.deploy(auto_promote=True)
        await daemon.end()
        await daemon.deploy("1.2.0")
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(INSPECT + 10)
        assert outside.runners[GREEN].running == "1.2.0"
        assert await outside.journal.facts("inspect") == {}


async def test_what_was_never_switched_is_inspected_and_stopped_too(outside: Outside) -> None:
    outside.cards.full = True
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).moved is False
        assert outside.runners[GREEN].running == "1.1.0"
        await asyncio.sleep(INSPECT + 10)
    assert outside.runners[GREEN].running == ""


async def test_a_colour_that_somebody_made_live_is_not_stopped_after_its_inspection(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        move(outside, GREEN)
        await asyncio.sleep(2 * INSPECT)
        assert outside.runners[GREEN].running == "1.1.0"
        assert (await named(daemon)).count("inspection.not_ended") == 1
    assert outside.broken == []


# --- rule 8


@pytest.mark.parametrize(
    "moved",
    [lambda o: None, lambda o: move(o, GREEN, "api"), lambda o: setattr(o.balancer, "reachable", False)],
    ids=["caddy dials it", "caddy dials one service of it", "caddy cannot be read"],
)
@pytest.mark.parametrize("verb", ["start", "stop"])
async def test_the_live_colour_is_never_touched(verb: str, moved: object, outside: Outside) -> None:
    assert callable(moved)
    moved(outside)
    world = outside.world()
    touched = environments.start(world, BLUE, Release("1.1.0")) if verb == "start" else environments.stop(world, BLUE)
    with pytest.raises(LiveColourProtected):
        await touched
    assert outside.runners[BLUE].calls == []


async def test_the_idle_colour_may_be_started_and_stopped(outside: Outside) -> None:
    world = outside.world()
    assert await environments.start(world, GREEN, Release("1.1.0")) == "started 1.1.0"
    assert await environments.stop(world, GREEN) == "stopped"


async def test_a_colour_of_which_one_service_is_dialled_elsewhere_spelled_otherwise_is_live_too(
    outside: Outside,
) -> None:
    outside.balancer.point("web", "localhost:2001", "127.0.0.1:1001")
    with pytest.raises(LiveColourProtected):
        await environments.stop(outside.world(), GREEN)


# --- traffic that somebody else moved


@pytest.mark.parametrize("to", [(GREEN, ()), (GREEN, ("api",))], ids=["to the idle colour", "one service of two"])
async def test_traffic_that_is_moved_before_the_switch_ends_the_deployment(
    to: tuple[Colour, tuple[str, ...]], outside: Outside
) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        move(outside, to[0], *to[1])
        ended = await daemon.end()
    assert (ended.phase, ended.cause, ended.moved) == (P.ABANDONED, Cause.MOVED_OUTSIDE, False)
    assert "is not stopped" in ended.reason, "users are on it now"
    assert outside.balancer.written == []
    assert outside.broken == []


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY, P.RETIRING])
@pytest.mark.parametrize("names", [(), ("api",)], ids=["all services", "one service of two"])
async def test_traffic_that_is_moved_after_the_switch_goes_back_as_a_whole(
    phase: Phase, names: tuple[str, ...], outside: Outside
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        move(outside, BLUE, *names)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.MOVED_OUTSIDE)
    assert outside.serving() == {BLUE}
    assert outside.balancer.written[-1] == (BLUE, 2)
    assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_a_caddy_that_cannot_be_read_when_the_old_colour_is_due_to_stop_moves_nobody(outside: Outside) -> None:
    outside.at("after journal RETIRING", lambda: setattr(outside.balancer, "reachable", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert "where the traffic is cannot be read" in ended.reason
    assert outside.balancer.written == [(GREEN, 1)]
    assert outside.runners[BLUE].running == "1.0.0"


async def test_traffic_that_was_moved_right_before_the_old_colour_is_stopped_goes_back_as_a_whole(
    outside: Outside,
) -> None:
    """Between two looks of the reconciler: the last look before the stop is our own."""
    outside.change(drain=0.0)
    outside.at("after card closed", lambda: move(outside, BLUE, "api"))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.cause, ended.stopped) == (P.REVERTED, Cause.MOVED_OUTSIDE, False)
    assert outside.serving() == {BLUE}


@pytest.mark.parametrize("phase", [P.RETIRING, P.CONTRACTING])
async def test_with_the_old_colour_stopped_the_new_one_is_restored_and_people_are_called(
    phase: Phase, outside: Outside
) -> None:
    outside.at("after runner blue down" if phase is P.RETIRING else "after journal CONTRACTING",
               lambda: asyncio.sleep(10))  # fmt: skip
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        while not outside.runners[BLUE].calls:
            await asyncio.sleep(0.1)
        move(outside, BLUE, "api")
        ended = await daemon.end()
        names = await named(daemon)
    assert ended.phase is P.LIVE
    assert outside.serving() == {GREEN}
    assert pages(outside) == ["restored"]
    assert names.count("traffic.restored") == 1


async def test_drift_is_told_once_repaired_by_nobody_and_its_end_is_told(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        move(outside, BLUE)
        await asyncio.sleep(60)
        assert outside.serving() == {BLUE}
        drifts = [notice for notice in outside.notifier.sent if notice.event == "traffic.drifted"]
        assert len(drifts) == 1
        assert "wanted green" in drifts[0].text
        move(outside, GREEN)
        await asyncio.sleep(5)
        names = await named(daemon)
    assert (names.count("traffic.drifted"), names.count("traffic.as_wanted")) == (1, 1)
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 2)], "only stamped again, once it was where it should be"


async def test_before_anything_was_ever_deployed_no_colour_is_wanted_and_nothing_drifts(outside: Outside) -> None:
    async with running(outside) as daemon:
        move(outside, GREEN)
        await asyncio.sleep(30)
        assert "traffic.drifted" not in await named(daemon)


async def test_the_colour_is_known_by_its_dials_and_a_missing_stamp_ends_nothing(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.balancer.forget()  # restarted: it comes up from the snippets, without our stamps
        ended = await daemon.end()
    assert ended.phase is P.LIVE


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.REGRESSED])
async def test_a_cutback_under_way_is_not_taken_for_somebody_elses_move(cause: Cause, outside: Outside) -> None:
    outside.at("after balancer blue 2", lambda: asyncio.sleep(5))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        if cause is Cause.OPERATOR:
            await daemon.service.cutback(ANN)
        outside.users.failing[GREEN] = 1.0
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, cause)
    assert "moved outside" not in ended.reason


@pytest.mark.parametrize(("release", "refused"), [("1.1.0", True), ("1.0.0", False)])
async def test_a_configuration_that_is_taken_back_does_not_quarantine_the_release_that_serves(
    release: str, refused: bool, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy(release)
        await daemon.reach(P.WATCHING)
        await daemon.cutback()
        assert (await daemon.end()).phase == P.REVERTED
    assert (await outside.journal.fact("quarantine", release) is not None) is refused


async def test_what_was_left_running_for_inspection_is_stopped_before_another_release_comes_up_there(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.reach(P.WATCHING)
        await daemon.cutback()
        await daemon.end()
        outside.runners[GREEN].calls.clear()
        await daemon.deploy("1.1.1")
        assert (await daemon.end()).phase == P.LIVE
    changed = [call for call in outside.runners[GREEN].calls if call[0] in {"up", "down"}]
    assert changed == [("down", ""), ("up", "1.1.1")]
