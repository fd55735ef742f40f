"""Backfills in deployments and by hand: where they run, and what people can do with one that runs."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.app.backfilling import users
from bluegreen.app.errand import Errand
from bluegreen.app.requests import PlanRequest
from bluegreen.app.watch import Watch
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import DeploymentInProgress, MigrationFailed, NotFound, WrongPhase
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Plan
from bluegreen.domain.signals import Measured
from tests.app.daemons import ANN, Daemon, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN
from tests.virtual_time import VirtualClock

P = Phase
BACKFILL, CONTRACT = MigrationPhase.BACKFILL, MigrationPhase.CONTRACT
LABEL = "app/0007_x.backfill"
ROWS = 60_000
"""A minute's worth in memory."""


def due(outside: Outside, version: str = "0007_x", rows: int = ROWS, **changes: Any) -> Migration:
    """One more backfill."""
    migration = outside.database.add(version, BACKFILL)
    outside.database.rows[version] = rows
    if changes:
        outside.database.migrations[-1] = replace(migration, **changes)
    return outside.database.migrations[-1]


async def fills(daemon: Daemon, rows: int = 1) -> Progress:
    """Return when a backfill runs and has done so many rows."""
    filling = daemon.engine.world.filling
    await until(lambda: filling.runs and filling.now is not None and filling.now.rows_done >= rows)
    assert filling.now is not None
    return filling.now


async def told(daemon: Daemon, name: str) -> list[Any]:
    return [event.facts for event in await daemon.events() if event.name == name]


async def ended(daemon: Daemon, phase: Phase) -> Deployment:
    deployment = await daemon.end()
    assert deployment.phase is phase, deployment.reason
    return deployment


def stands(outside: Outside) -> list[tuple[BackfillState, int]]:
    return [(progress.state, progress.rows_done) for progress in outside.database.filled.values()]


async def test_a_deployment_fills_rows_when_the_old_colour_is_gone_and_before_its_contracts(outside: Outside) -> None:
    due(outside)
    outside.database.add("0007_x", CONTRACT)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy(contract=True)
        now = await fills(daemon, 10_000)
        assert (await daemon.current()).phase is P.CONTRACTING
        assert outside.runners[BLUE].running == ""
        status = await daemon.service.status()
        assert status.backfill == now
        assert now.describe() == f"{now.rows_done:,} of 60,000 rows, 1,000/s, {60 - now.rows_done // 1000} s left"
        assert LABEL in status.doing
        live = await ended(daemon, P.LIVE)
        assert (await daemon.service.status()).backfill is None
        assert await told(daemon, "backfill.begun") == [{"migration": LABEL, "database": "main"}]
        assert [facts["rows_done"] for facts in await told(daemon, "backfill.finished")] == [ROWS]
        progressed = await told(daemon, "backfill.progressed")
        assert 4 <= len(progressed) <= 6, "every ten seconds of the minute"
        assert progressed[0]["rate"] == 1000
    assert stands(outside) == [(BackfillState.DONE, ROWS)]
    assert outside.database.runs == ["0007_x", "0007_x"], "first the backfill, then its contract"
    assert outside.database.filled["app", "0007_x"].deployment == live.id


async def test_paused_in_a_deployment_nothing_is_held_and_resume_goes_on(outside: Outside) -> None:
    due(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await fills(daemon, 5_000)
        (paused,) = await daemon.service.pause_backfill(ANN, "the shop is full")
        assert paused.state is BackfillState.PAUSED
        assert outside.database.holder == ""
        await asyncio.sleep(100)
        assert stands(outside) == [(BackfillState.PAUSED, paused.rows_done)]
        status = await daemon.service.status()
        assert "is paused by uid 1000 (ann): bluegreen migrate backfill resume" in status.doing
        assert status.backfill is not None
        assert status.backfill.state is BackfillState.PAUSED
        assert (await daemon.service.pause_backfill(ANN))[0].state is BackfillState.PAUSED, "twice is harmless"
        assert [each.state for each in await daemon.service.resume_backfill(ANN)] == [BackfillState.RUNNING]
        await ended(daemon, P.LIVE)
        rows = [row for row in await daemon.service.audit(20) if row.verb.startswith("migrate backfill")]
        assert [(row.verb, row.reason) for row in reversed(rows)] == [
            ("migrate backfill pause", "the shop is full"),
            ("migrate backfill resume", ""),
        ]
    assert stands(outside) == [(BackfillState.DONE, ROWS)]


@pytest.mark.parametrize("paused_first", [False, True])
async def test_cancelled_in_a_deployment_it_ends_live_with_the_reason_and_the_contract_waits(
    outside: Outside, *, paused_first: bool
) -> None:
    due(outside)
    outside.database.add("0007_x", CONTRACT)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy(contract=True)
        await fills(daemon, 5_000)
        if paused_first:
            await daemon.service.pause_backfill(ANN)
            await until(lambda: daemon.engine.world.filling.waits)
        assert [each.state for each in await daemon.service.cancel_backfill(ANN, "not today")] == [
            BackfillState.CANCELLED
        ]
        live = await ended(daemon, P.LIVE)
    assert f"{LABEL} was cancelled by uid 1000 (ann)" in live.reason
    assert live.next == (f"bluegreen migrate backfill {LABEL}",)
    assert [state for state, _ in stands(outside)] == [BackfillState.CANCELLED]
    assert outside.database.runs == []
    async with running(outside) as daemon:
        (done,) = await daemon.service.backfill(ANN, LABEL)
        assert (done.state, done.rows_done) == (BackfillState.DONE, ROWS)


async def test_after_a_restart_a_paused_one_is_still_paused_and_one_that_ran_goes_on(outside: Outside) -> None:
    due(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await fills(daemon, 5_000)
    assert [state for state, _ in stands(outside)] == [BackfillState.INTERRUPTED]
    async with running(outside) as daemon:
        await fills(daemon, 10_000)
        await daemon.service.pause_backfill(ANN)
        await until(lambda: daemon.engine.world.filling.waits)
    async with running(outside) as daemon:
        await until(lambda: daemon.engine.world.filling.waits)
        await asyncio.sleep(300)
        assert [state for state, _ in stands(outside)] == [BackfillState.PAUSED]
        await daemon.service.resume_backfill(ANN)
        await ended(daemon, P.LIVE)
    assert stands(outside) == [(BackfillState.DONE, ROWS)]


async def test_a_failure_ends_live_with_its_reason(outside: Outside) -> None:
    due(outside)
    outside.database.failing["0007_x"] = "column display does not exist"
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        live = await ended(daemon, P.LIVE)
        assert [facts["migration"] for facts in await told(daemon, "backfill.failed")] == [LABEL]
    assert "column display does not exist" in live.reason


async def test_one_that_says_so_runs_before_the_switch_with_a_warning(outside: Outside) -> None:
    due(outside, before_switch=True)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await fills(daemon)
        deployment = await daemon.current()
        assert deployment.phase is P.EXPANDING
        assert any("runs before the switch, as its file says" in warning for warning in deployment.warnings)
        await ended(daemon, P.LIVE)
    assert stands(outside) == [(BackfillState.DONE, ROWS)]


async def test_aborted_before_the_switch_what_it_did_is_named_and_the_live_colour_proved_on_it(
    outside: Outside,
) -> None:
    due(outside, before_switch=True)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        started = await daemon.deploy()
        await fills(daemon)
        await daemon.service.abort(started.id, ANN)
        given_up = await ended(daemon, P.ABANDONED)
    assert given_up.path[-2] is P.ASSESSING
    assert f"{LABEL} (interrupted)" in given_up.facts["applied"]
    assert "blue passes its checks" in given_up.facts["applied"]
    assert outside.runners[GREEN].calls == []


async def test_by_hand_it_is_the_only_thing_that_is_done_and_the_refusal_names_the_way_out(outside: Outside) -> None:
    due(outside)
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        await asyncio.sleep(60)
        order = group.create_task(daemon.service.backfill(ANN, reason="ahead of time"), name="order")
        await fills(daemon, 5_000)
        status = await daemon.service.status()
        assert status.doing.startswith("backfill by hand (uid 1000 (ann))")
        assert status.backfill is not None
        with pytest.raises(DeploymentInProgress) as refused:
            await daemon.deploy()
        assert refused.value.next[0] == "bluegreen migrate backfill pause"
        with pytest.raises(DeploymentInProgress):
            await daemon.service.backfill(ANN)
        (paused,) = await daemon.service.pause_backfill(ANN)
        assert [progress.state for progress in await order] == [BackfillState.PAUSED]
        assert outside.database.holder == ""
        await daemon.deploy()
        live = await ended(daemon, P.LIVE)
        assert any("was paused by hand and stays so" in warning for warning in live.warnings)
        assert stands(outside) == [(BackfillState.PAUSED, paused.rows_done)]
        (done,) = await daemon.service.resume_backfill(ANN)
        assert (done.state, done.rows_done) == (BackfillState.DONE, ROWS)
        rows = [(row.verb, row.reason) for row in await daemon.service.audit(20) if row.verb == "migrate backfill"]
        assert rows == [("migrate backfill", ""), ("migrate backfill", "ahead of time")]


async def test_by_hand_all_are_run_in_order_up_to_the_one_that_is_stopped(outside: Outside) -> None:
    due(outside, "0007_x", 3_000)
    due(outside, "0008_y", 60_000)
    due(outside, "0009_z", 1_000)
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        order = group.create_task(daemon.service.backfill(ANN), name="order")
        await until(lambda: "0007_x" in outside.database.runs)
        filling = daemon.engine.world.filling
        await until(lambda: filling.now is not None and filling.now.version == "0008_y")
        (cancelled,) = await daemon.service.cancel_backfill(ANN)
        states = [(progress.version, progress.state) for progress in await order]
        assert states == [("0007_x", BackfillState.DONE), ("0008_y", BackfillState.CANCELLED)]
        assert cancelled.state is BackfillState.CANCELLED
        assert [p.version for p in await daemon.service.backfill(ANN, "0009_z")] == ["0009_z"]
        assert [p.state for p in await daemon.service.backfill(ANN, "app/0009_z")] == [BackfillState.DONE]


async def test_by_hand_one_whose_expand_is_pending_is_not_begun(outside: Outside) -> None:
    outside.database.add("0007_x", MigrationPhase.EXPAND)
    due(outside, "0007_x", 3_000)
    async with running(outside) as daemon:
        with pytest.raises(WrongPhase, match="the expand of the same name must be done first") as refused:
            await daemon.service.backfill(ANN)
        assert refused.value.next == ("bluegreen migrate up",)
        due(outside, "0008_y", 1_000)
        assert [p.version for p in await daemon.service.backfill(ANN)] == ["0008_y"]


async def test_beside_a_deployment_none_is_run_by_hand(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        due(outside)
        with pytest.raises(DeploymentInProgress) as refused:
            await daemon.service.backfill(ANN)
        assert refused.value.facts["deployment"] == (await daemon.current()).id
    assert stands(outside) == []


async def test_killed_by_hand_it_is_shown_as_interrupted_and_the_same_order_goes_on(outside: Outside) -> None:
    due(outside)
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        order = group.create_task(daemon.service.backfill(ANN), name="order")
        now = await fills(daemon, 5_000)
        outside.database.holder = ""
        order.cancel()
        await asyncio.wait([order])
    async with running(outside) as daemon:
        assert [p.state for p in await daemon.service.backfills()] == [BackfillState.INTERRUPTED]
        (stopped,) = await daemon.service.cancel_backfill(ANN)
        assert stopped.state is BackfillState.CANCELLED
        (done,) = await daemon.service.backfill(ANN)
        assert (done.rows_done, now.rows_done > 0) == (ROWS, True)


async def test_a_failure_by_hand_is_raised_and_everything_is_free_again(outside: Outside) -> None:
    due(outside, rows=1000)
    outside.database.failing["0007_x"] = "a trigger keeps them"
    async with running(outside) as daemon:
        with pytest.raises(MigrationFailed, match="a trigger keeps them"):
            await daemon.service.backfill(ANN)
        status = await daemon.service.status()
        assert (status.doing, status.backfill) == ("", None)
        assert [p.state for p in await daemon.service.backfills()] == [BackfillState.FAILED]


async def test_cut_off_as_it_begins_it_does_not_seem_to_run_for_ever(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(outside)

    async def cut_off(errand: Errand, name: str, **facts: object) -> bool:
        if name == "backfill.begun":
            raise asyncio.CancelledError
        return True

    monkeypatch.setattr(Errand, "tell", cut_off)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        with pytest.raises(asyncio.CancelledError):
            await daemon.service.backfill(ANN)
        assert not daemon.engine.world.filling.runs


async def test_where_nothing_runs_there_is_nothing_to_pause_resume_or_cancel(outside: Outside) -> None:
    async with running(outside) as daemon:
        assert await daemon.service.backfills() == ()
        assert await daemon.service.backfill(ANN) == ()
        for refused in (
            daemon.service.pause_backfill(ANN),
            daemon.service.resume_backfill(ANN),
            daemon.service.cancel_backfill(ANN),
        ):
            with pytest.raises(WrongPhase):
                await refused
        with pytest.raises(NotFound, match="there is no backfill app/9999"):
            await daemon.service.backfill(ANN, "app/9999")
        assert await daemon.service.audit(10) == (), "what is refused stands in no audit"


def _seen(watch: Watch, seconds: float, requests: int = 200) -> None:
    watch.report(Measured("access_log", "slow", BLUE, "web", (seconds,) * requests))


async def test_users_of_the_access_log_brake_it_where_they_wait_longer_than_before() -> None:
    clock = VirtualClock()
    watch = Watch(clock, ())
    watch.moved(BLUE)
    assert users(watch)() == "", "nobody came yet"
    _seen(watch, 0.010, 2_000)
    await asyncio.sleep(60)
    brake = users(watch)
    assert brake() == "", "nobody came lately"
    _seen(watch, 0.080, 99)
    assert brake() == "", "too few to say anything"
    _seen(watch, 0.080)
    assert brake().startswith("web (99 % of requests) takes 8")
    watch.report(Measured("access_log", "slow", GREEN, "web", (9.0,) * 500))
    assert "takes 8" in brake(), "the other colour's are not users'"
    await asyncio.sleep(11)
    _seen(watch, 0.011)
    assert brake() == ""


async def test_one_that_was_paused_by_hand_is_not_forgotten(outside: Outside) -> None:
    due(outside)
    outside.database.add("0007_x", CONTRACT)
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        await asyncio.sleep(60)
        order = group.create_task(daemon.service.backfill(ANN), name="order")
        await fills(daemon, 5_000)
        (paused,) = await daemon.service.pause_backfill(ANN)
        assert (await order)[0].state is BackfillState.PAUSED
        assert await daemon.service.pause_backfill(ANN) == (paused,)
        await asyncio.sleep(2)
        assert (await daemon.service.status()).backfill == paused
        (contracting,) = [step for step in (await plan(daemon)).steps if step.phase is P.CONTRACTING]
        assert not contracting.does
        assert "app/0007_x.backfill stays pending: it is paused (bluegreen migrate backfill resume)" in contracting.text
        assert "app/0007_x.contract stays pending: its backfill must be done first" in contracting.text
        await daemon.service.cancel_backfill(ANN)
        await asyncio.sleep(2)
        assert (await daemon.service.status()).backfill is None


async def plan(daemon: Daemon) -> Plan:
    return await daemon.service.plan(PlanRequest("1.1.0", contract=True), ANN)
