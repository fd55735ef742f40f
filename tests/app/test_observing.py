"""`automation = "observe"`: everything is watched and said, and nothing outside is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.app.requests import AlertEffect, DeployRequest, PlanRequest
from bluegreen.app.world import World
from bluegreen.domain.arming import Armed
from bluegreen.domain.backfills import BackfillState
from bluegreen.domain.errors import ObserveOnly
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.render import status_lines
from bluegreen.interfaces.standing import standing
from tests.app.daemons import ANN, Daemon, alert, pages, running, until
from tests.app.outside import Outside
from tests.app.test_backfilling import due
from tests.app.test_drift import live_on_green, move, named
from tests.domain.examples import BLUE, GREEN


class Observed(Outside):
    """Everything outside a daemon that only looks; `observes` may be changed between two of its lives."""

    observes = True

    def world(self) -> World:
        return replace(super().world(), observes=self.observes)


@pytest.fixture
def outside() -> Observed:
    return Observed()


def changes(outside: Outside) -> list[str]:
    """What was changed outside: all that is told but the journal's own lines."""
    return [what for what in outside.told if not what.startswith("journal")]


async def said(daemon: Daemon) -> str:
    await until(lambda: daemon.reconciler.observed and daemon.reconciler.observed.said)
    await asyncio.sleep(0.5)
    assert daemon.reconciler.observed is not None
    return daemon.reconciler.observed.said


def watched(daemon: Daemon) -> bool:
    """Whether a move by hand is on trial."""
    return daemon.watch.trial is not None


async def history(outside: Outside) -> None:
    """Let the daemon learn what is usual."""
    await asyncio.sleep(120)


# --- nothing is done


ASKED: dict[str, Callable[[Daemon], Awaitable[Any]]] = {
    "deploy": lambda daemon: daemon.deploy(),
    "rollback": lambda daemon: daemon.service.rollback("1.0.0", ANN, "try"),
    "backup": lambda daemon: daemon.service.back_up(ANN),
    "env up": lambda daemon: daemon.service.start_colour(GREEN, "1.1.0", ANN),
    "env down": lambda daemon: daemon.service.stop_colour(GREEN, ANN),
    "migrate plan": lambda daemon: daemon.service.rehearse({}, "", ANN),
    "migrate up": lambda daemon: daemon.service.migrate_up(ANN),
    "migrate contract": lambda daemon: daemon.service.migrate_contract(ANN),
    "migrate repair": lambda daemon: daemon.service.repair(ANN),
    "caddy arm": lambda daemon: daemon.service.arm(ANN),
    "caddy disarm": lambda daemon: daemon.service.disarm(ANN),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
async def test_what_would_change_anything_is_refused_with_what_to_type(
    outside: Observed, ask: Callable[[Daemon], Awaitable[Any]]
) -> None:
    outside.arm(Armed.OURS)
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        with pytest.raises(ObserveOnly) as refused:
            await ask(daemon)
        await asyncio.sleep(5)
        assert await daemon.service.deployments(10) == ()
    assert refused.value.next == ('set automation = "act", then: bluegreen reload',)
    assert changes(outside) == []


async def test_a_refused_deployment_says_what_it_would_have_done(outside: Observed) -> None:
    async with running(outside) as daemon:
        with pytest.raises(ObserveOnly) as refused:
            await daemon.deploy()
    assert "make 1.1.0 live on green" in refused.value.detail
    steps = refused.value.facts["steps"]
    assert isinstance(steps, list)
    assert {"SWITCHING", "WATCHING"} <= {step["phase"] for step in steps}


async def test_a_plan_is_made_and_says_that_nothing_follows(outside: Observed) -> None:
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
        with pytest.raises(ObserveOnly):
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
    assert plan.warnings[-1] == 'automation is "observe": this is what would be done, and nothing is done'
    assert changes(outside) == []


async def test_the_status_says_it_first(outside: Observed) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        lines = status_lines(await daemon.service.status())
        line = standing(daemon.engine, daemon.reconciler)
    assert "OBSERVING" in lines[0]
    assert "nothing is done" in lines[1]
    assert line.startswith("OBSERVING")


async def test_what_a_killed_rehearsal_left_stays(outside: Observed) -> None:
    outside.database.swept = ("olympus_rehearsal_1",)
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        assert "rehearsal.swept" not in await named(daemon)
    outside.observes = False
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        assert "rehearsal.swept" in await named(daemon)


async def test_a_backfill_that_was_left_paused_is_not_cancelled(outside: Observed) -> None:
    outside.observes = False
    due(outside)
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        group.create_task(daemon.service.backfill(ANN), name="backfill")
        await until(lambda: daemon.engine.world.filling.runs)
        await daemon.service.pause_backfill(ANN)
    outside.observes = True
    async with running(outside) as daemon:
        for ask in (daemon.service.cancel_backfill, daemon.service.resume_backfill):
            with pytest.raises(ObserveOnly):
                await ask(ANN)
        (left,) = await daemon.service.backfills()
    assert left.state is BackfillState.PAUSED


# --- people move users by hand


async def test_a_good_release_moved_by_hand_would_have_been_called_healthy(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        move(outside, GREEN)
        await until(lambda: daemon.reconciler.observed and daemon.reconciler.observed.since)
        assert watched(daemon)
        assert (await said(daemon)).startswith("would have called it healthy")
        assert "observe.passed" in await named(daemon)
        assert not watched(daemon)
    assert changes(outside) == []
    assert pages(outside) == []


async def test_what_a_good_colour_showed_is_usual_and_where_it_serves_is_wanted(outside: Observed) -> None:
    await deployed(outside)
    async with running(outside) as daemon:
        await history(outside)
        seen = daemon.watch.baseline.seen("5xx")[0]
        move(outside, BLUE)
        await until(lambda: daemon.reconciler.drift.now)
        await said(daemon)
        await asyncio.sleep(2)
        assert daemon.reconciler.drift.now is None
        assert daemon.watch.baseline.seen("5xx")[0] > seen + 15 * 100  # the window has 20 s, and 100 users a second
    assert changes(outside) == []


async def test_a_bad_release_moved_by_hand_would_have_been_cut_back_and_nothing_is_done(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        outside.users.failing[GREEN] = 0.3
        move(outside, GREEN)
        words = await said(daemon)
        await asyncio.sleep(60)
        status = await daemon.service.status()
        assert (await named(daemon)).count("observe.regressed") == 1
    assert words.startswith("would have cut back to blue: 5xx")
    assert status.observing is not None
    assert status.observing.next[0].startswith("systemctl reload caddy")
    assert status.watch is not None
    assert status.watch.verdict == "regressed"
    assert "would have cut back to blue" in "\n".join(status_lines(status))
    assert pages(outside) == ["observe.regressed"]
    assert outside.serving() == {GREEN}
    assert changes(outside) == []


async def test_where_there_is_no_way_back_it_would_have_called_a_person(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        outside.users.failing[GREEN] = 0.3
        move(outside, GREEN)
        outside.kill(BLUE)
        words = await said(daemon)
    assert words.startswith("would have called you: 5xx")
    assert "there is no way back" in words


async def test_what_a_bad_colour_showed_does_not_become_usual(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        outside.users.failing[GREEN] = 0.3
        move(outside, GREEN)
        await said(daemon)
        bad = daemon.watch.baseline.seen("5xx")[1]
        await asyncio.sleep(120)
        assert daemon.watch.baseline.seen("5xx")[1] == bad
        move(outside, BLUE)
        await until(lambda: daemon.watch.trial is None)
        await asyncio.sleep(1)
        names = await named(daemon)
    assert names[-1] == "observe.taken_back"


async def test_a_cutback_asked_for_is_refused_with_what_moves_users(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        move(outside, GREEN)
        await until(lambda: daemon.watch.trial)
        with pytest.raises(ObserveOnly, match="take users back to blue yourself") as refused:
            await daemon.cutback()
    assert refused.value.next[0].startswith("systemctl reload caddy")
    assert changes(outside) == []


async def test_without_users_and_probes_it_would_have_been_held(outside: Observed) -> None:
    outside.change(on_no_traffic="hold", window=20.0)
    async with running(outside) as daemon:
        await history(outside)
        outside.users.rate = 0.0
        move(outside, GREEN)
        await asyncio.sleep(60)
        names = await named(daemon)
        assert daemon.reconciler.observed is not None
        assert daemon.reconciler.observed.said == ""
    assert names.count("observe.held") == 1


async def test_a_move_while_no_daemon_ran_is_watched_by_the_next_one(outside: Observed) -> None:
    async with running(outside):
        await history(outside)
    move(outside, GREEN)
    async with running(outside) as daemon:
        await until(lambda: daemon.watch.trial)
        (opened,) = [event for event in await daemon.events() if event.name == "observe.opened"]
    assert opened.facts["note"] == "users were moved while nobody looked"


async def test_a_restart_in_the_middle_begins_the_window_anew_and_a_word_said_stays_said(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        move(outside, GREEN)
        await until(lambda: daemon.watch.trial)
        await asyncio.sleep(3)
    outside.users.failing[GREEN] = 0.3
    async with running(outside) as daemon:
        assert (await said(daemon)).startswith("would have cut back")
    async with running(outside) as daemon:
        assert (await said(daemon)).startswith("would have cut back")
        await asyncio.sleep(30)
    assert pages(outside) == ["observe.regressed"]


# --- alerts, drift, stamps


async def test_an_alert_after_a_move_by_hand_says_what_it_would_have_done(outside: Observed) -> None:
    async with running(outside) as daemon:
        await history(outside)
        before = await daemon.service.alert(alert(daemon, fingerprint="before"))
        move(outside, GREEN)
        await until(lambda: daemon.watch.trial)
        await asyncio.sleep(1)
        answer = await daemon.service.alert(alert(daemon))
        await asyncio.sleep(1)
    assert (before.effect, before.reason) == (AlertEffect.RECORDED, "no deployment is running")
    assert answer.effect is AlertEffect.RECORDED
    assert answer.reason == 'would have cut back to blue: automation is "observe"'
    assert pages(outside) == ["observe.alerted"]


async def deployed(outside: Observed) -> None:
    """Act first: a deployment made green live, with stamps and a wanted colour; then observe."""
    outside.observes = False
    async with running(outside) as daemon:
        await live_on_green(daemon)
    outside.observes = True
    outside.told.clear()


@pytest.mark.parametrize("restores", [False, True])
async def test_drift_would_have_been_put_back_and_is_not(outside: Observed, restores: bool) -> None:
    outside.restores_drift = restores
    await deployed(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        move(outside, BLUE)
        await asyncio.sleep(10)
        drift = daemon.reconciler.drift.now
        names = await named(daemon)
    assert drift is not None
    assert ("would have put users back on green" in drift.doing) is restores
    assert names.count("observe.drifted") == restores
    assert outside.serving() == {BLUE}
    assert changes(outside) == []


async def test_a_lost_stamp_is_not_put_on_again(outside: Observed) -> None:
    await deployed(outside)
    async with running(outside):
        await asyncio.sleep(5)
        move(outside, GREEN)  # as a reload leaves it: the dials without our stamp
        await asyncio.sleep(30)
    assert changes(outside) == []


async def test_a_colour_left_for_inspection_is_not_stopped(outside: Observed) -> None:
    outside.observes = False
    outside.users.failing[GREEN] = 0.5
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.REVERTED
    outside.observes = True
    outside.told.clear()
    async with running(outside):
        await asyncio.sleep(900)
    assert changes(outside) == []


# --- from one to the other


@pytest.mark.parametrize("until_healthy", [False, True])
async def test_told_to_act_it_leaves_users_where_people_moved_them(outside: Observed, until_healthy: bool) -> None:
    outside.restores_drift = True
    await deployed(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        move(outside, BLUE)
        await until(lambda: daemon.watch.trial)
        if until_healthy:
            await said(daemon)
        await asyncio.sleep(1)
    outside.observes = False
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        assert daemon.reconciler.drift.now is None
        assert daemon.reconciler.observed is None
        assert (await named(daemon)).count("observe.ended") == 1
        assert outside.serving() == {BLUE}
        outside.users.failing.clear()
        await daemon.deploy("1.1.0")
        assert (await daemon.end()).phase is Phase.LIVE
    assert outside.serving() == {GREEN}


async def test_what_was_begun_before_goes_to_its_end_and_users_it_moved_were_not_moved_by_hand(
    outside: Observed,
) -> None:
    outside.observes = False
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    outside.observes = True
    async with running(outside) as daemon:
        assert (await daemon.end()).phase is Phase.LIVE
        await asyncio.sleep(30)
        assert not watched(daemon)
        assert "observe.opened" not in await named(daemon)
    assert outside.serving() == {GREEN}


async def test_what_was_begun_before_is_taken_back_where_it_is_bad(outside: Observed) -> None:
    outside.observes = False
    outside.change(window=300.0)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    outside.observes = True
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        outside.users.failing[GREEN] = 0.3
        assert (await daemon.end()).phase is Phase.REVERTED
    assert outside.serving() == {BLUE}


async def test_a_daemon_that_always_acted_says_nothing_of_it(outside: Observed) -> None:
    outside.observes = False
    async with running(outside) as daemon:
        await live_on_green(daemon)
        status = await daemon.service.status()
        assert not [name for name in await named(daemon) if name.startswith("observe.")]
    assert status.observing is None
    assert Colour.GREEN in outside.serving()
