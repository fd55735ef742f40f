"""A daemon dies and another one takes over: nothing is assumed, nothing takes effect twice."""

import asyncio

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.app import steps
from bluegreen.app.run import Run
from bluegreen.app.waiting import until
from bluegreen.domain.deployments import Answer, Cause, Deployment
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.phases import NEXT, Phase
from bluegreen.domain.signals import Counted
from tests.app.daemons import ANN, Daemon, alert, outcomes, pages, running
from tests.app.daemons import until as reached
from tests.app.outside import Dying, Outside
from tests.domain.examples import BLUE, DEADLINES, GREEN, SERVICES

P = Phase
GOOD_PATH = (
    *(P.PREPARING, P.BACKING_UP, P.REHEARSING, P.EXPANDING, P.PROVING, P.STARTING, P.TESTING, P.AWAITING),
    *(P.CANARYING, P.SWITCHING, P.WATCHING, P.STANDING_BY, P.RETIRING, P.CONTRACTING, P.LIVE),
)


@pytest.fixture
def stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every phase lasts a while."""

    def stretch(step: steps.Step) -> steps.Step:
        async def stretched(run: Run) -> Answer:
            await asyncio.sleep(2.0)
            return await step(run)

        return stretched

    for phase in NEXT:
        monkeypatch.setitem(steps.STEPS, phase, stretch(steps.STEPS[phase]))


async def dies_at(outside: Outside, where: str, release: str = "1.1.0") -> None:
    """A daemon begins a deployment and dies at one point of the story."""
    dying = DyingAt(where)
    async with running(outside) as daemon:
        outside.story = dying
        await until(daemon.deploy(release), name="deploy", stop=dying.dead)
        await dying.dead.wait()
    outside.story = lambda what: asyncio.sleep(0)


class DyingAt(Dying):
    """Dies where something is told for the first time."""

    def __init__(self, where: str) -> None:
        super().__init__(point=0)
        self._at = where

    async def __call__(self, what: str) -> None:
        if what == self._at:
            self.point = self.seen + 1
        await super().__call__(what)


async def taken_over(outside: Outside) -> Deployment:
    """The next daemon carries it to its end."""
    async with running(outside) as daemon:
        return await daemon.end()


# --- every phase


@pytest.mark.usefixtures("stretched")
@pytest.mark.parametrize("phase", GOOD_PATH[:-1])
async def test_a_good_release_goes_live_also_where_the_daemon_dies_in_one_phase(phase: Phase, outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
    ended = await taken_over(outside)
    assert (ended.path, ended.attempt, ended.cause) == (GOOD_PATH, 2, None)
    assert outside.balancer.written == [(GREEN, 1)]
    assert outside.database.runs == ["0001_a"]
    assert len(outcomes(outside)) == 1


@pytest.mark.usefixtures("stretched")
@pytest.mark.parametrize(
    ("phase", "end"),
    [(P.ASSESSING, P.ABANDONED), (P.ABANDONING, P.ABANDONED), (P.REVERTING, P.REVERTED)],
)
async def test_a_phase_that_recovers_is_carried_on(phase: Phase, end: Phase, outside: Outside) -> None:
    outside.database.add("0001_a")
    if phase is P.ASSESSING:
        outside.database.failing["0001_a"] = "syntax error"
    if phase is P.ABANDONING:
        outside.smoke.failures[GREEN] = "HTTP 500"
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))
    async with running(outside) as daemon:
        await daemon.deploy()
        reached = await daemon.reach(phase)
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause, ended.reason) == (end, reached.cause, reached.reason)
    assert outside.serving() == {BLUE}
    assert len(outcomes(outside)) == 1


async def test_a_deployment_that_has_ended_is_not_begun_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    told = len(outside.told)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        assert daemon.engine.run is None
    assert outside.told[told:] == ["journal keep daemon"], "that the disk takes writes"
    assert len(outcomes(outside)) == 1


async def test_a_message_that_was_claimed_and_not_delivered_is_delivered_once_by_the_next_daemon(
    outside: Outside,
) -> None:
    """Guards: what was posted before the outbox ran was queued a second time."""
    outside.notifier.hanging = True
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    outside.notifier.hanging = False
    async with running(outside):
        await asyncio.sleep(60)
    assert len(outcomes(outside)) == 1


async def test_an_end_that_was_not_settled_is_settled_and_told_once_by_the_next_daemon(outside: Outside) -> None:
    await dies_at(outside, "before journal keep wanted")  # the switch
    assert (await taken_over(outside)).phase is P.LIVE
    await dies_at(outside, "after journal LIVE", "1.2.0")
    async with running(outside):
        await asyncio.sleep(60)
    assert await outside.journal.fact("wanted", "colour") == "blue"
    assert len(outcomes(outside)) == 2


# --- in the middle of the switch


async def test_a_switch_that_was_intended_and_not_written_is_not_tried_again(outside: Outside) -> None:
    await dies_at(outside, "before balancer green 1")
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause, ended.moved) == (P.REVERTED, Cause.RESTARTED, True)
    assert outside.balancer.written == [(BLUE, 2)], "a fence, should the lost write still arrive"
    assert await outside.journal.fact("quarantine", "1.1.0") is None


@pytest.mark.parametrize("where", ["after balancer green 1", "before journal conclude", "before journal keep wanted"])
async def test_a_switch_that_took_effect_goes_on_to_its_proof(where: str, outside: Outside) -> None:
    outside.with_databases = False
    if where == "before journal conclude":
        outside.at("before balancer green 1", lambda: setattr(outside, "story", DyingAt(where)))
    await dies_at(outside, where if where != "before journal conclude" else "after balancer green 1")
    ended = await taken_over(outside)
    assert (ended.path[-6:], ended.cause) == (GOOD_PATH[-6:], None)
    assert outside.balancer.written == [(GREEN, 1)]


@pytest.mark.parametrize(
    "dials",
    [SERVICES["web"].addresses[BLUE], ("127.0.0.1:9",)],
    ids=["one service is back on the old colour", "one service is somewhere else"],
)
async def test_traffic_that_is_not_where_the_switch_left_it_goes_back(dials: tuple[str, ...], outside: Outside) -> None:
    await dies_at(outside, "after balancer green 1")
    outside.balancer.point("web", *dials, generation=1)
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.RESTARTED)
    assert outside.serving() == {BLUE}


async def test_a_new_colour_without_our_stamp_is_not_taken_for_our_switch(outside: Outside) -> None:
    await dies_at(outside, "before balancer green 1")
    for name, service in SERVICES.items():
        outside.balancer.point(name, *service.addresses[GREEN])
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.RESTARTED)
    assert outside.serving() == {BLUE}


async def test_a_switch_that_was_not_even_intended_is_made(outside: Outside) -> None:
    await dies_at(outside, "after card open")
    ended = await taken_over(outside)
    assert ended.phase is P.LIVE
    assert outside.balancer.written == [(GREEN, 2)]


async def test_before_the_switch_traffic_that_moved_meanwhile_is_left_where_it_is(outside: Outside) -> None:
    await dies_at(outside, "after journal SWITCHING")
    for name, service in SERVICES.items():
        outside.balancer.point(name, *service.addresses[GREEN])
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause, ended.moved) == (P.REVERTED, Cause.MOVED_OUTSIDE, False)
    assert outside.balancer.written == []


async def test_while_caddy_cannot_be_read_nothing_is_assumed_and_people_are_called(outside: Outside) -> None:
    await dies_at(outside, "after balancer green 1")
    outside.balancer.reachable = False
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        assert (await daemon.current()).phase is P.SWITCHING
        unreadable = [event for event in await daemon.events() if event.name == "traffic.unreadable"]
        assert len(unreadable) == 1
        assert pages(outside) == ["unreadable"]
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert ended.phase is P.LIVE


# --- while it is being watched


async def watched(daemon: Daemon, seconds: float) -> None:
    await asyncio.sleep(60)
    await daemon.deploy()
    await daemon.reach(P.WATCHING)
    await asyncio.sleep(seconds)


async def test_the_window_goes_on_where_it_was(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon, 15)
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await daemon.reach(P.STANDING_BY)
        assert 4.8 < outside.clock.monotonic() - began < 8.3  # saved every 3 s
    assert (await outside.journal.deployments(1))[0].phase is P.STANDING_BY


async def test_where_data_of_meanwhile_is_missing_the_window_begins_anew(outside: Outside) -> None:
    outside.users.missing = True
    async with running(outside) as daemon:
        await watched(daemon, 15)
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await daemon.reach(P.STANDING_BY)
        assert outside.clock.monotonic() - began >= 20


async def test_what_users_got_before_and_meanwhile_counts_together(outside: Outside) -> None:
    outside.change(window=300.0, deadlines={**DEADLINES, P.WATCHING: 600.0})
    outside.users.rate = 1.0
    bad = Counted("extra", "5xx", GREEN, 2, 2)
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        await watched(daemon, 10)
        outside.log.emit(bad)
        await asyncio.sleep(4)  # kept
        assert (await daemon.current()).phase is P.WATCHING
    outside.log.emit(bad)
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert "5xx 4 of" in ended.reason


async def test_a_trial_that_another_program_kept_is_begun_anew_and_told(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon, 10)
        deployment = await daemon.current()
    await outside.journal.keep("watch", deployment.id, {"trial": {"account": 1}, "positions": {}})
    async with running(outside) as daemon:
        ended = await daemon.end()
        assert "evidence.unusable" in [event.name for event in await daemon.events()]
    assert ended.phase is P.LIVE


async def test_positions_that_another_program_kept_end_no_daemon(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon, 10)
        deployment = await daemon.current()
    kept = await outside.journal.fact("watch", deployment.id)
    await outside.journal.keep("watch", deployment.id, {**kept, "positions": []})
    async with running(outside) as daemon:
        ended = await daemon.end()
        assert "evidence.unusable" in [event.name for event in await daemon.events()]
    assert ended.phase is P.LIVE


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY])
async def test_users_who_were_moved_back_meanwhile_stay_there(phase: Phase, outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
    for name, service in SERVICES.items():
        outside.balancer.point(name, *service.addresses[BLUE])
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.MOVED_OUTSIDE)
    assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_a_daemon_that_dies_right_after_the_way_back_was_written_finds_users_there(outside: Outside) -> None:
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))
    outside.at("before balancer blue 2", lambda: setattr(outside, "story", DyingAt("after balancer blue 2")))
    async with running(outside) as daemon:
        await daemon.deploy()
        await reached(lambda: isinstance(outside.story, DyingAt) and outside.story.dead.is_set())
    outside.story = lambda what: asyncio.sleep(0)
    ended = await taken_over(outside)
    assert ended.phase is P.REVERTED
    assert [generation for _, generation in outside.balancer.written] == [1, 2, 3]


# --- orders


async def test_a_promotion_that_was_acknowledged_takes_effect_after_the_restart(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.promote(deployed.id, ANN)
    assert outside.balancer.written == []
    assert (await taken_over(outside)).phase is P.LIVE


async def test_an_abort_that_was_acknowledged_takes_effect_after_the_restart(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.abort(deployed.id, ANN, "not today")
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause) == (P.ABANDONED, Cause.OPERATOR)
    assert "not today" in ended.reason


@pytest.mark.parametrize("written", [False, True], ids=["before it was written", "after it was written"])
@pytest.mark.parametrize("by", ["cutback", "alert"])
async def test_a_cutback_that_was_acknowledged_takes_effect_after_the_restart_with_its_cause(
    by: str, written: bool, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        dying = DyingAt("after balancer blue 2" if written else "before balancer blue 2")
        outside.story = dying
        if by == "cutback":
            await daemon.service.cutback(ANN, "we do not like it")
        else:
            await daemon.service.alert(alert(daemon))
        await dying.dead.wait()
    outside.story = lambda what: asyncio.sleep(0)
    assert outside.serving() == ({BLUE} if written else {GREEN})
    ended = await taken_over(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.OPERATOR if by == "cutback" else Cause.ALERT)
    assert outside.serving() == {BLUE}
    assert await outside.journal.fact("quarantine", "1.1.0") is not None


async def test_a_way_back_that_was_settled_by_hand_stays_settled(outside: Outside) -> None:
    """Guards: that it was settled was only known in memory."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.balancer.reachable = False
        await daemon.service.cutback(ANN)
        await daemon.reach(P.REVERTING)
        await asyncio.sleep(31)
        outside.balancer.reachable = True
        outside.balancer.faults.extend([Fault.REFUSED] * 100)
        await daemon.service.resolve("current", ANN, "a hot fix on green")
    ended = await taken_over(outside)
    assert (ended.phase, ended.settled) == (P.STRANDED, True)


# --- being stopped is no outcome


@pytest.mark.parametrize("phase", [P.EXPANDING, P.STARTING, P.WATCHING])
async def test_a_stop_in_the_middle_of_a_step_that_fails_for_it_is_no_outcome(
    phase: Phase, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: an adapter that says "failed" because it was cancelled ended the deployment, and the daemon went on."""
    real = steps.STEPS[phase]

    async def fails_when_stopped(run: Run) -> Answer:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise StepFailed("the command was ended") from None
        return await real(run)

    monkeypatch.setitem(steps.STEPS, phase, fails_when_stopped)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        await asyncio.sleep(1)
    saved = (await outside.journal.deployments(1))[0]
    assert (saved.phase, saved.cause) == (phase, None)
    assert (await taken_over(outside)).phase is P.LIVE
