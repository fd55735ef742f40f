"""The live-only parts follow the users, never run twice, and hold nobody up."""

import asyncio

import pytest

from bluegreen.app.handover import HOME_SECONDS
from bluegreen.app.requests import PlanRequest
from bluegreen.domain.deployments import Cause
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

UP, DOWN = "up live-only", "down live-only"


@pytest.fixture(autouse=True)
def with_parts(outside: Outside) -> None:
    outside.employ("mailer", "scheduler")
    outside.change(window=10.0, standby=10.0, drain=1.0)


def moves(outside: Outside) -> list[str]:
    """What was done with users and with the parts, in order."""
    words = ("balancer", "runner")
    return [what for what in outside.told if what.startswith(words) and ("live-only" in what or "balancer" in what)]


def runs_on(outside: Outside) -> set[str]:
    return {str(colour) for colour, runner in outside.runners.items() if runner.alone}


async def begun(outside: Outside, daemon: Daemon) -> None:
    await asyncio.sleep(30)
    await daemon.deploy()
    await daemon.reach(Phase.WATCHING)


async def test_they_stop_on_the_old_colour_and_start_on_the_new_one_once_users_are_there(outside: Outside) -> None:
    async with running(outside) as daemon:
        await begun(outside, daemon)
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE, ended.reason
    assert moves(outside) == ["balancer green 1", f"runner blue {DOWN}", f"runner green {UP}"]
    assert runs_on(outside) == {"green"}
    assert outside.runners[GREEN].alone == "1.1.0"
    assert outside.broken == []


@pytest.mark.parametrize("state", [PartState.RUNNING, PartState.STOPPED, None])
async def test_before_the_first_handover_it_is_said_where_they_are_not_seen(
    state: PartState | None, outside: Outside
) -> None:
    """Their compose project may be another one than ours: to stop nothing there would be no failure."""
    if state is not None:
        outside.runners[BLUE].found = (Part("mailer", state), Part("scheduler", PartState.RUNNING))
    async with running(outside) as daemon:
        await begun(outside, daemon)
        ended = await daemon.end()
        await daemon.deploy("1.2.0")
        again = await daemon.end()
    said = [warning for warning in ended.warnings if "not seen to run on blue" in warning]
    assert [warning.partition(" is not")[0] for warning in said] == {
        PartState.RUNNING: [],
        PartState.STOPPED: ["mailer"],
        None: ["mailer, scheduler"],
    }[state]
    assert not any("not seen to run" in warning for warning in again.warnings), "from then on it is known"


async def test_at_a_cutback_they_come_home_after_the_users(outside: Outside) -> None:
    async with running(outside) as daemon:
        await begun(outside, daemon)
        await until(lambda: outside.runners[GREEN].alone)
        await daemon.cutback()
        ended = await daemon.end()
    assert ended.phase is Phase.REVERTED
    assert moves(outside)[3:] == ["balancer blue 2", f"runner green {DOWN}", f"runner blue {UP}"]
    assert runs_on(outside) == {"blue"}
    assert outside.runners[BLUE].alone == "1.0.0"
    assert outside.broken == []


@pytest.mark.parametrize("hanging", [(BLUE, DOWN), (GREEN, UP)])
async def test_a_hanging_part_delays_neither_the_watch_nor_the_way_back(
    hanging: tuple[object, str], outside: Outside
) -> None:
    colour, verb = hanging
    outside.runners[colour].hanging.add(verb)  # type: ignore[index]
    async with running(outside) as daemon:
        await begun(outside, daemon)
        outside.users.failing[GREEN] = 1.0
        began = outside.clock.monotonic()
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        assert outside.clock.monotonic() - began < 3
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (Phase.REVERTED, Cause.REGRESSED)
    assert runs_on(outside) == {"blue"}
    assert outside.broken == []


async def test_the_window_does_not_end_before_they_have_arrived(outside: Outside) -> None:
    outside.runners[BLUE].hanging.add(DOWN)
    async with running(outside) as daemon:
        await begun(outside, daemon)
        await asyncio.sleep(25)
        status = await daemon.service.status()
        assert status.deployment is not None
        assert status.deployment.phase is Phase.WATCHING
        assert status.watch is not None
        assert "stopping mailer, scheduler on blue" in status.watch.held


async def test_parts_that_do_not_start_on_the_new_colour_are_a_release_that_does_not_work(outside: Outside) -> None:
    outside.runners[GREEN].failing[UP] = "no such queue"
    async with running(outside) as daemon:
        await begun(outside, daemon)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (Phase.REVERTED, Cause.STEP_FAILED)
    assert "mailer, scheduler do not start on green" in ended.reason
    assert "no such queue" in ended.reason
    assert runs_on(outside) == {"blue"}
    assert outside.broken == []


async def test_what_cannot_be_stopped_on_the_old_colour_is_never_started_on_the_new_one(outside: Outside) -> None:
    outside.runners[BLUE].failing[DOWN] = "host does not answer"
    async with running(outside) as daemon:
        await begun(outside, daemon)
        ended = await daemon.end()
    assert ended.phase is Phase.REVERTED
    assert "never run twice" in ended.reason
    assert not any(what == f"runner green {UP}" for what in outside.told)
    assert "live-only" in pages(outside)
    assert runs_on(outside) == {"blue"}


async def test_a_part_that_stops_at_the_second_try_costs_nothing_but_a_warning(outside: Outside) -> None:
    outside.runners[BLUE].failing[DOWN] = "busy"
    async with running(outside) as daemon:
        await begun(outside, daemon)
        await until(lambda: (DOWN, "") in outside.runners[BLUE].calls)
        outside.runners[BLUE].failing.clear()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert any("cannot be stopped on blue: " in warning for warning in ended.warnings)
    assert runs_on(outside) == {"green"}


@pytest.mark.parametrize("trouble", ["failing", "hanging"])
async def test_at_a_cutback_the_old_ones_are_not_started_while_the_new_ones_may_run(
    trouble: str, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await begun(outside, daemon)
        await until(lambda: outside.runners[GREEN].alone)
        if trouble == "failing":
            outside.runners[GREEN].failing[DOWN] = "the link is cut"
        else:
            outside.runners[GREEN].hanging.add(DOWN)
        began = outside.clock.monotonic()
        await daemon.cutback()
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        assert outside.clock.monotonic() - began < 1
        ended = await daemon.end()
        assert ended.phase is Phase.REVERTED, "users are back, whatever becomes of the parts"
        assert outside.clock.monotonic() - began < HOME_SECONDS + 5
    assert runs_on(outside) == {"green"}
    assert "live-only" in pages(outside)
    assert any("takeover blue" in str(notice.facts) for notice in outside.notifier.sent)
    assert outside.broken == []


async def test_with_the_live_colour_down_they_start_on_the_operators_word(outside: Outside) -> None:
    outside.kill(BLUE)
    outside.runners[BLUE].failing[DOWN] = "host does not answer"
    outside.runners[BLUE].alone = ""
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy(live_is_down=True, reason="the host burnt")
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE, ended.reason
    assert any("the host burnt" in warning and "twice" in warning for warning in ended.warnings)
    assert runs_on(outside) == {"green"}


async def test_without_the_release_to_start_them_again_nothing_is_begun(outside: Outside) -> None:
    outside.releases = {BLUE: "0.9.0"}  # its file is gone
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.ABANDONED
    assert "on blue after a cutback is not known: there is no release 0.9.0" in ended.reason
    assert ended.next == ("write the release file of what blue runs now",)
    assert any("no deployment starts: with what " in warning for warning in plan.warnings)
