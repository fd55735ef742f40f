"""A phase that does not end is ended by its deadline, and the deployment goes where a failure of it leads."""

import asyncio

import pytest

from bluegreen.app import steps
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, DEADLINES, GREEN

P = Phase
ENDS = {
    P.PREPARING: (P.ABANDONED,),
    P.BACKING_UP: (P.ABANDONED,),
    P.REHEARSING: (P.ABANDONED,),
    P.EXPANDING: (P.ASSESSING, P.ABANDONED),
    P.PROVING: (P.STRANDED,),
    P.STARTING: (P.ABANDONING, P.ABANDONED),
    P.TESTING: (P.ABANDONING, P.ABANDONED),
    P.AWAITING: (P.ABANDONING, P.ABANDONED),
    P.CANARYING: (P.REVERTING, P.REVERTED),
    P.SWITCHING: (P.REVERTING, P.REVERTED),
    P.RETIRING: (P.LIVE,),
    P.CONTRACTING: (P.LIVE,),
}


async def never_ends(run: Run) -> Answer:
    run.note("Godot has not come")
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("phase", list(ENDS))
async def test_a_phase_that_does_not_end_is_ended_by_its_deadline(
    phase: Phase, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(steps.STEPS, phase, never_ends)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        began = outside.clock.monotonic()
        ended = await daemon.end()
        assert DEADLINES[phase] <= outside.clock.monotonic() - began < DEADLINES[phase] + 3
        status = await daemon.service.status()
    assert ended.path[-len(ENDS[phase]) - 1 :] == (phase, *ENDS[phase])
    assert ended.cause is Cause.DEADLINE
    assert ended.reason == f"{phase} passed its deadline: Godot has not come"
    assert status.traffic is not None
    assert status.traffic.colour is (GREEN if ended.phase is P.LIVE else BLUE)


@pytest.mark.parametrize(("phase", "end"), [(P.ASSESSING, P.STRANDED), (P.ABANDONING, P.ABANDONED)])
async def test_a_phase_that_recovers_has_its_deadline_too(
    phase: Phase, end: Phase, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.database.add("0001_a")
    if phase is P.ASSESSING:
        outside.database.failing["0001_a"] = "syntax error"
    outside.smoke.failures[GREEN] = "HTTP 500"
    monkeypatch.setitem(steps.STEPS, phase, never_ends)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path[-2:] == (phase, end)
    assert ended.reason.endswith(f"then: {phase} passed its deadline: Godot has not come")


async def test_the_reason_names_what_was_waited_for(outside: Outside) -> None:
    outside.readiness[1].failures[GREEN] = "HTTP 503"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.reason == "STARTING passed its deadline: api is not ready: HTTP 503"


@pytest.mark.parametrize(("colour", "verb", "end"), [(GREEN, "up", P.ABANDONED), (BLUE, "down", P.LIVE)])
async def test_a_command_that_hangs_is_given_up(colour: str, verb: str, end: Phase, outside: Outside) -> None:
    outside.runners[BLUE if colour == BLUE else GREEN].hanging.add(verb)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (end, Cause.DEADLINE)


async def test_a_migration_that_hangs_is_given_up_and_the_lock_is_free_again(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.hanging.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path[-3:] == (P.EXPANDING, P.ASSESSING, P.ABANDONED)
    assert outside.database.holder == ""


async def test_a_switch_that_was_written_and_runs_out_of_time_is_undone(outside: Outside) -> None:
    outside.at("after balancer green 1", lambda: asyncio.sleep(1000))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved, ended.cause) == (P.REVERTED, True, Cause.DEADLINE)
    assert outside.balancer.written == [(GREEN, 1), (BLUE, 2)]


async def test_readiness_needs_its_successes_in_a_row(outside: Outside) -> None:
    web = outside.readiness[0]
    outside.at("after journal STARTING", lambda: web.say("no", "", "no", "", "no", "", ""))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.STARTING)
        began = outside.clock.monotonic()
        await daemon.reach(P.TESTING, P.AWAITING, P.SWITCHING, P.WATCHING)
        assert 5.9 < outside.clock.monotonic() - began < 6.2  # six seconds between seven questions


async def test_how_long_an_operator_may_take_is_counted_over_restarts(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(3000)
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await until(lambda: daemon.engine.run is None)
        assert 590 < outside.clock.monotonic() - began < 610
        ended = await daemon.current()
    assert (ended.phase, ended.cause) == (P.ABANDONED, Cause.DEADLINE)
    assert ended.reason == "AWAITING passed its deadline: nobody promoted it"


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY])
async def test_the_deadline_of_a_watch_that_is_held_ends_nothing(phase: Phase, outside: Outside) -> None:
    outside.change(on_no_traffic="hold")
    if phase is P.WATCHING:
        outside.users.rate = 0.0
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        outside.readiness[0].failures[BLUE] = "connection refused"
        await asyncio.sleep(6)
        outside.users.rate, outside.users.failing = 100.0, {GREEN: 1.0}
        await asyncio.sleep(10 * DEADLINES[phase])
        assert (await daemon.current()).phase is phase
        assert "regressed-held" in pages(outside)
        await daemon.service.abort("current", ANN)
        assert (await daemon.end()).phase is P.STRANDED
