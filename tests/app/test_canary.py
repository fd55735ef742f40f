"""CANARYING: shares of the users meet the new colour, step by step, as long as they fare well."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.app import environments
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import LiveColourProtected
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import CanaryStep, Kind
from bluegreen.domain.rules import SIGNALS, GaugeRule, SignalRule
from bluegreen.domain.signals import Gauged
from bluegreen.domain.traffic import Colour, Split
from tests.app.daemons import ANN, Daemon, alert, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

CANARYING, SWITCHING, WATCHING = Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING
LIVE, REVERTED = Phase.LIVE, Phase.REVERTED

STEPS = (CanaryStep(0.05, 30.0), CanaryStep(0.25, 30.0))
FIRST, SECOND = Split(GREEN, 0.05), Split(GREEN, 0.25)


@pytest.fixture
def shared(outside: Outside) -> Outside:
    """A canary of 5 % for 30 s and of 25 % for 30 s."""
    outside.change(canary=STEPS)
    return outside


async def to(daemon: Daemon, step: int = 1, **wishes: Any) -> Deployment:
    """Until this step serves."""
    await asyncio.sleep(60)
    await daemon.deploy(**wishes)
    await until(lambda: daemon.engine.run is not None and daemon.engine.run.split == (FIRST, SECOND)[step - 1])
    return await daemon.current()


async def named(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    return [dict(event.facts) for event in await daemon.events() if event.name == name]


# --- step by step


async def test_each_share_serves_for_its_time_and_then_everybody_is_switched(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        assert daemon.watch.serving is BLUE
        began = shared.clock.monotonic()
        await daemon.reach(WATCHING)
        assert 59 < shared.clock.monotonic() - began < 65
        ended = await daemon.end()
        steps = await named(daemon, "canary.step_ended")
    assert ended.phase is LIVE
    assert shared.balancer.written == [(FIRST, 1), (SECOND, 2), (GREEN, 3)]
    assert [step["share"] for step in steps] == [0.05, 0.25]
    assert steps[0]["seen"].endswith("answers came from green")
    assert any("step 1 of 2 (5 %) ended undecided: 5xx needs" in warning for warning in ended.warnings)


async def test_a_step_that_is_served_well_ends_before_its_time(shared: Outside) -> None:
    shared.change(canary=(CanaryStep(0.05, 3600.0), CanaryStep(0.25, 3600.0)))
    shared.users.rate = 5000.0
    async with running(shared) as daemon:
        await to(daemon)
        began = shared.clock.monotonic()
        await daemon.reach(WATCHING)
        took = shared.clock.monotonic() - began
        steps = await named(daemon, "canary.step_ended")
        ended = await daemon.end()
    assert ended.phase is LIVE
    assert 2 < took < 120
    assert [step["undecided"] for step in steps] == ["", ""]
    assert steps[1]["seconds"] > 0.5, "the second step asks for samples of its own"


async def test_without_steps_nothing_is_split(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, outside.balancer.written) == (LIVE, [(GREEN, 1)])


async def test_the_plan_says_what_the_steps_are(shared: Outside) -> None:
    async with running(shared) as daemon:
        await daemon.deploy()
        plan = (await daemon.current()).plan
    step = next(step for step in plan.steps if step.phase is CANARYING)
    assert step.does
    assert "at most 5 % for 30 s, 25 % for 30 s; back to blue if they fare worse" in step.text


async def test_a_rollback_and_a_fix_in_an_outage_take_no_canary(shared: Outside) -> None:
    async with running(shared) as daemon:
        await daemon.deploy(live_is_down=True, reason="blue broke")
        ended = await daemon.end()
        assert (ended.phase, shared.balancer.written) == (LIVE, [(GREEN, 1)])
        await daemon.service.rollback("1.0.0", ANN, "back")
        ended = await daemon.end()
    assert (ended.plan.kind, ended.phase, shared.balancer.written[-1]) == (Kind.ROLLBACK, LIVE, (BLUE, 2))


async def test_one_trial_runs_through_the_steps_the_switch_and_the_window(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        trial = daemon.watch.trial
        await daemon.reach(WATCHING)
        assert daemon.watch.trial is trial
        assert not daemon.watch.side_by_side
        assert trial is not None
        assert trial.t_s > 59


async def test_steps_that_nothing_here_can_make_end_without_having_moved_anybody(shared: Outside) -> None:
    shared.with_shares = False
    async with running(shared) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved, shared.balancer.written) == (REVERTED, False, [])
    assert "nothing here can share users out" in ended.reason


# --- back


@pytest.mark.parametrize("step", [1, 2])
async def test_a_release_that_fails_its_share_is_taken_back_and_most_users_never_met_it(
    step: int, shared: Outside
) -> None:
    async with running(shared) as daemon:
        await to(daemon, step)
        shared.users.failing[GREEN] = 0.5
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert shared.balancer.written[-1] == (BLUE, step + 1)
    assert shared.users.got_bad[GREEN] <= 20
    assert shared.serving() == {BLUE}
    assert SWITCHING not in ended.path


async def test_what_fails_on_both_colours_is_no_fault_of_the_release_and_goes_no_further(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        shared.users.failing = {BLUE: 0.3, GREEN: 0.3}
        await asyncio.sleep(120)
        held = await daemon.current()
        status = await daemon.service.status()
        assert (held.phase, shared.balancer.written) == (CANARYING, [(FIRST, 1)])
        assert status.watch is not None
        assert "both colours" in status.watch.held
        assert pages(shared) == ["shared-cause"]
        shared.users.failing.clear()
        ended = await daemon.end()
    assert ended.phase is LIVE


@pytest.mark.parametrize("bad", [0.05, 1.0])
async def test_a_release_that_alone_fails_its_users_is_never_called_innocent(bad: float, shared: Outside) -> None:
    shared.change(canary=(CanaryStep(0.5, 3600.0),))
    async with running(shared) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(CANARYING)
        await asyncio.sleep(10)
        shared.users.failing[GREEN] = bad
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert pages(shared) == []


async def test_a_journal_that_hangs_does_not_keep_a_worse_release_on(shared: Outside) -> None:
    async def hanging(what: str) -> None:
        if what.startswith("before journal"):
            await asyncio.sleep(60)
        if what.startswith("after balancer blue"):
            back.append(shared.clock.monotonic())

    back: list[float] = []
    shared.change(canary=(CanaryStep(0.5, 3600.0),))
    async with running(shared) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(CANARYING)
        await asyncio.sleep(10)
        shared.story = hanging
        shared.users.failing = {BLUE: 0.3, GREEN: 0.3}
        await asyncio.sleep(5)
        assert daemon.engine.run is not None
        assert "both colours" in daemon.engine.run.held
        shared.users.failing = {GREEN: 1.0}
        began = shared.clock.monotonic()
        await until(lambda: back)
    assert back[0] - began < 20, "it has to outweigh the shared cause of before"


async def test_a_journal_that_hangs_at_the_end_of_a_step_does_not_either(shared: Outside) -> None:
    async def hanging(what: str) -> None:
        if what == "before journal canary.step_ended":
            hung.append(what)
            await asyncio.sleep(600)

    hung: list[str] = []
    shared.story = hanging
    async with running(shared) as daemon:
        await to(daemon)
        await until(lambda: hung)
        shared.users.failing[GREEN] = 1.0
        began = shared.clock.monotonic()
        ended = await daemon.end()
        assert shared.clock.monotonic() - began < 5
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)


async def give_up(daemon: Daemon) -> None:
    await daemon.service.abort("current", ANN)


async def cut_back(daemon: Daemon) -> None:
    await daemon.cutback()


async def alerted(daemon: Daemon) -> None:
    await daemon.service.alert(alert(daemon))


@pytest.mark.parametrize(
    ("order", "cause"), [(give_up, Cause.OPERATOR), (cut_back, Cause.OPERATOR), (alerted, Cause.ALERT)]
)
async def test_an_order_to_stop_takes_everybody_back(
    order: Callable[[Daemon], Any], cause: Cause, shared: Outside
) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await asyncio.sleep(1)
        await order(daemon)
        ended = await daemon.end()
    assert (ended.phase, ended.cause, ended.moved) == (REVERTED, cause, True)
    assert shared.balancer.written == [(FIRST, 1), (BLUE, 2)]


@pytest.mark.parametrize("elsewhere", ["the old colour", "the new colour"])
async def test_traffic_that_others_move_while_users_are_shared_out_ends_it(elsewhere: str, shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        colour = BLUE if elsewhere == "the old colour" else GREEN
        for name, service in SERVICES.items():
            shared.balancer.point(name, *service.addresses[colour])
        began = shared.clock.monotonic()
        ended = await daemon.end()
        assert shared.clock.monotonic() - began < 5, "nobody waits for the end of the step"
    assert (ended.phase, ended.cause) == (REVERTED, Cause.MOVED_OUTSIDE)
    assert shared.serving() == {BLUE}


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LANDS_LATE, Fault.NO_EFFECT, Fault.UNREACHABLE])
@pytest.mark.parametrize("write", [1, 2, 3])
async def test_a_write_that_fails_leaves_everybody_on_the_old_colour(fault: Fault, write: int, shared: Outside) -> None:
    async with running(shared) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        if write > 1:
            wanted = (FIRST, SECOND)[write - 2]
            await until(lambda: daemon.engine.run is not None and daemon.engine.run.split == wanted)
        shared.balancer.faults.append(fault)
        ended = await daemon.end()
        shared.balancer.land()
    assert (ended.phase, shared.serving()) == (REVERTED, {BLUE})
    assert ended.moved is (write > 1 or fault in (Fault.LANDS_LATE, Fault.NO_EFFECT))


async def test_a_write_whose_answer_is_lost_is_settled_by_looking(shared: Outside) -> None:
    shared.balancer.faults.append(Fault.LOST_WITH_EFFECT)
    async with running(shared) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_a_share_that_is_long_in_being_proved_is_no_daemon_that_hangs(shared: Outside) -> None:
    kept_up = []
    shared.at("after balancer green 0.25 2", lambda: setattr(shared.front_door, "logged", False))
    async with running(shared) as daemon:
        await to(daemon)
        await until(lambda: not shared.front_door.logged)
        for _ in range(9):
            await asyncio.sleep(1)
            kept_up.append(daemon.watch.keeps_up())
        assert daemon.engine.run is not None
        assert daemon.engine.run.splitting, "it is still being proved"
    assert all(kept_up)


# --- people


async def test_a_pause_holds_the_step_and_resume_lets_it_go_on(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await daemon.service.pause(ANN, "lunch")
        await asyncio.sleep(300)
        status = await daemon.service.status()
        assert status.watch is not None
        assert status.watch.held.endswith("step 1 of 2 (5 %) is over")
        assert shared.balancer.written == [(FIRST, 1)]
        await daemon.service.resume(ANN, "back")
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_in_a_pause_no_user_meets_the_new_colour_unless_somebody_promoted_it(shared: Outside) -> None:
    async with running(shared) as daemon:
        shared.at("after journal CANARYING", lambda: daemon.service.pause(ANN, "lunch"))
        await daemon.deploy()
        await daemon.reach(CANARYING)
        await asyncio.sleep(300)
        assert shared.balancer.written == []
    async with running(shared) as daemon:
        await asyncio.sleep(300)
        assert shared.balancer.written == [], "nor after a restart"
        await daemon.service.resume(ANN, "back")
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_a_colour_that_died_while_it_was_waited_for_meets_nobody(shared: Outside) -> None:
    shared.change(canary=STEPS, auto_promote=False)
    async with running(shared) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.AWAITING)
        shared.readiness[0].failures[GREEN] = "connection refused"
        await daemon.service.promote("current", ANN, "go")
        ended = await daemon.end()
    assert (ended.phase, shared.balancer.written) == (REVERTED, [])


async def test_in_a_pause_a_worse_release_stays_and_the_status_says_what_would_be_done(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await daemon.service.pause(ANN, "lunch")
        shared.users.failing[GREEN] = 1.0
        await asyncio.sleep(120)
        assert (await daemon.current()).phase is CANARYING
        assert "cutback-withheld" in pages(shared)
        await daemon.service.resume(ANN, "back")
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)


@pytest.mark.parametrize("full", [False, True])
async def test_a_promotion_ends_the_canary_and_never_the_watch(full: bool, shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await daemon.service.promote("current", ANN, "looks fine", full=full)
        await daemon.reach(WATCHING)
        assert shared.balancer.written == [(FIRST, 1), (GREEN, 2)]
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_a_full_promotion_at_the_gate_skips_the_canary(shared: Outside) -> None:
    shared.change(canary=STEPS, auto_promote=False)
    async with running(shared) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.AWAITING)
        await daemon.service.promote("current", ANN, "a hotfix", full=True)
        ended = await daemon.end()
    assert (ended.phase, shared.balancer.written) == (LIVE, [(GREEN, 1)])


# --- both colours serve


@pytest.mark.parametrize("colour", list(Colour))
async def test_no_colour_is_stopped_while_users_are_on_both(colour: Colour, shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        with pytest.raises(LiveColourProtected):
            await environments.stop(daemon.engine.world, colour)
    assert not shared.broken


async def test_while_the_old_colour_cannot_take_everybody_a_worse_release_stays_and_people_are_called(
    shared: Outside,
) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        shared.readiness[0].failures[BLUE] = "connection refused"
        await asyncio.sleep(5)
        shared.users.failing[GREEN] = 1.0
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is CANARYING
        assert pages(shared) == ["no-way-back", "regressed-held"]
        shared.readiness[0].failures.clear()
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)


async def test_when_nobody_can_tell_how_users_fare_the_share_stays(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        shared.users.silent = True
        await asyncio.sleep(600)
        assert shared.balancer.written == [(FIRST, 1)]
        assert pages(shared) == ["blind"]
        shared.users.silent = False
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_no_sample_at_all_is_never_a_success(shared: Outside) -> None:
    async with running(shared) as daemon:
        daemon.watch.report = lambda batch: None  # type: ignore[method-assign] # whatever comes, nothing is heard
        await to(daemon)
        await asyncio.sleep(600)
        assert shared.balancer.written == [(FIRST, 1)]
        assert pages(shared) == ["blind"]


async def test_a_gauge_alone_serves_no_step_however_many_samples_it_has(shared: Outside) -> None:
    others = tuple(replace(rule, weight=0.2, critical=False) for rule in SIGNALS if rule.name != "probe")
    queue = SignalRule("queue", 0.4, True, source="extra", gauge=GaugeRule(high=100.0))
    shared.change(canary=(CanaryStep(0.05, 3600.0), CanaryStep(0.25, 3600.0)), signals=(*others, queue))
    async with running(shared) as daemon:
        hear = daemon.watch.report
        daemon.watch.report = lambda batch: hear(batch) if isinstance(batch, Gauged) else None  # type: ignore[method-assign]
        shared.log.emit(*[Gauged("extra", "queue", BLUE, 1.0)] * 20_000)
        await to(daemon)
        shared.log.emit(*[Gauged("extra", "queue", GREEN, 1.0)] * 20_000)
        await asyncio.sleep(600)
        assert shared.balancer.written == [(FIRST, 1)]


# --- after a restart


async def test_a_new_daemon_goes_on_with_the_step_and_with_the_same_evidence(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await asyncio.sleep(20)
        trial = daemon.watch.trial
        assert trial is not None
        before = trial.counts()["5xx"][0]
    async with running(shared) as daemon:
        await asyncio.sleep(1)
        run = daemon.engine.run
        assert run is not None
        assert (run.split, run.deployment.phase, daemon.watch.side_by_side) == (FIRST, CANARYING, True)
        assert daemon.watch.serving is BLUE, "it is still what is usual"
        again = daemon.watch.trial
        assert again is not None
        assert again.counts()["5xx"][0] >= before - 20, "at most what came since the last save is missing"
        ended = await daemon.end()
    assert (ended.phase, shared.balancer.written) == (LIVE, [(FIRST, 1), (SECOND, 2), (GREEN, 3)])


async def test_a_worse_release_is_still_found_after_a_restart(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await asyncio.sleep(5)
    shared.users.failing[GREEN] = 1.0
    async with running(shared) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)


async def test_traffic_that_was_moved_while_the_daemon_was_down_ends_it(shared: Outside) -> None:
    async with running(shared) as daemon:
        await to(daemon)
        await asyncio.sleep(1)
    for name, service in SERVICES.items():
        shared.balancer.point(name, *service.addresses[GREEN])
    async with running(shared) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause, shared.serving()) == (REVERTED, Cause.MOVED_OUTSIDE, {BLUE})
