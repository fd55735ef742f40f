"""CONTRACTING, and what closes a way back: in a deployment, by hand, in `plan`, `rollback` and `status`."""

import asyncio
from dataclasses import replace

import pytest

from bluegreen.app.requests import PlanRequest
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import GateRefused, MigrationFailed, PlanStale, RequestRefused, StepFailed
from bluegreen.domain.findings import Finding, Gate
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
EXPAND, BACKFILL, CONTRACT = MigrationPhase
BROKEN = Finding("query-breaks", Gate.REFUSE, "a query that runs now fails", "leave the column", 1)


async def went_live(daemon: Daemon, release: str, *, contract: bool = False) -> Deployment:
    await daemon.deploy(release, contract=contract)
    ended = await daemon.end()
    assert ended.phase is P.LIVE, ended.reason
    return ended


async def contracted(daemon: Daemon, outside: Outside) -> Deployment:
    """1.1.0 expands, 1.2.0 contracts: 1.0.0 and 1.1.0 cannot serve again."""
    outside.database.add("0001_a")
    await went_live(daemon, "1.1.0")
    outside.database.add("0001_a", CONTRACT)
    return await went_live(daemon, "1.2.0", contract=True)


async def held_back(daemon: Daemon) -> dict[str, str]:
    """What was held back, and why."""
    told = [event.facts for event in await daemon.events() if event.name == "migration.held_back"]
    return {str(facts["migration"]): str(facts["reason"]) for facts in told}


# --- in a deployment


async def test_a_contract_is_backed_up_and_rehearsed_before_it_runs(outside: Outside) -> None:
    async with running(outside) as daemon:
        ended = await contracted(daemon, outside)
        names = [e.name for e in await daemon.events() if e.phase == P.CONTRACTING and e.deployment == ended.id]
    assert names[1:] == ["sessions.checked", "backup.verified", "migration.rehearsed", "migration.applied"]
    assert outside.database.runs == ["0001_a", "0001_a"]


async def test_a_contract_that_its_rehearsal_refuses_stays_and_the_release_is_live_all_the_same(
    outside: Outside,
) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.add("0002_b", CONTRACT)
    outside.database.add("0003_c", CONTRACT)
    outside.database.found["0002_b"] = (BROKEN,)
    async with running(outside) as daemon:
        ended = await went_live(daemon, "1.1.0", contract=True)
        held = await held_back(daemon)
    assert outside.database.runs == ["0001_a"], "what comes after a refused one may stand on it"
    assert set(held) == {"app/0002_b.contract", "app/0003_c.contract"}
    assert ended.cause is Cause.GATE
    assert "0002_b.contract.sql:1: a query that runs now fails" in ended.reason


async def test_a_contract_waits_for_its_expand_and_its_backfill(outside: Outside) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.add("0001_a", BACKFILL)
    outside.database.failing["0001_a"] = "deadlock"
    async with running(outside) as daemon:
        await daemon.deploy(contract=True)
        ended = await daemon.end()
    assert (ended.phase, "deadlock" in ended.reason) == (P.LIVE, True)
    assert CONTRACT not in {row.phase for row in outside.database.ledger.values()}


async def test_backfills_run_before_the_contract_whether_or_not_it_was_asked_for(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0001_a", BACKFILL)
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
    assert [row.phase for row in outside.database.ledger.values()] == [EXPAND, BACKFILL]


async def test_a_refused_backfill_that_came_late_is_not_run_and_its_contract_is_held(outside: Outside) -> None:
    def later() -> None:
        outside.database.add("0001_a", BACKFILL)
        outside.database.add("0001_a", CONTRACT)
        outside.database.found["0001_a"] = (BROKEN,)

    outside.at("after journal RETIRING", later)
    async with running(outside) as daemon:
        ended = await went_live(daemon, "1.1.0", contract=True)
        held = await held_back(daemon)
    assert outside.database.runs == []
    assert held == {"app/0001_a.contract": "its backfill was never applied"}
    assert ended.cause is Cause.GATE


async def test_while_the_old_colour_has_sessions_no_contract_runs(outside: Outside) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.sessions[BLUE] = ("pid 42 (app-blue)",)
    async with running(outside) as daemon:
        ended = await went_live(daemon, "1.1.0", contract=True)
    assert outside.database.runs == []
    assert "blue still has sessions in main: pid 42 (app-blue)" in ended.reason
    assert "bluegreen migrate contract" in ended.next


async def test_where_a_later_contract_fails_the_release_is_asked_its_checks_on_the_earlier_ones(
    outside: Outside,
) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.add("0002_b", CONTRACT)
    outside.database.failing["0002_b"] = "column is missing"
    outside.at("after journal CONTRACTING", lambda: outside.smoke.failures.update({GREEN: "HTTP 500"}))
    async with running(outside) as daemon:
        ended = await went_live(daemon, "1.1.0", contract=True)
        await asyncio.sleep(1)
    assert "green fails its checks since app/0001_a.contract: " in ended.reason
    assert "HTTP 500; and not all was applied: app/0002_b.contract: column is missing" in ended.reason
    assert "contract-hurts" in pages(outside)


async def test_by_hand_too_what_was_applied_before_a_contract_failed_is_named_and_proved(outside: Outside) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.add("0002_b", CONTRACT)
    outside.database.failing["0002_b"] = "column is missing"
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        with pytest.raises(MigrationFailed, match=r"column is missing; applied and kept: app/0001_a\.contract"):
            await daemon.service.migrate_contract(ANN)
        outside.database.add("0003_c", CONTRACT)
        outside.database.failing = {"0003_c": "column is missing"}
        outside.smoke.failures[GREEN] = "HTTP 500"
        with pytest.raises(StepFailed, match=r"HTTP 500; and not all was applied: .*column is missing"):
            await daemon.service.migrate_contract(ANN)


async def test_a_release_that_fails_its_checks_on_the_contracted_schema_calls_a_human(outside: Outside) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.at("after journal CONTRACTING", lambda: outside.smoke.failures.update({GREEN: "HTTP 500"}))
    async with running(outside) as daemon:
        ended = await went_live(daemon, "1.1.0", contract=True)
        await asyncio.sleep(1)
    assert "green fails its checks since app/0001_a.contract" in ended.reason
    assert "contract-hurts" in pages(outside)


@pytest.mark.parametrize("stop_in", [P.WATCHING, P.STANDING_BY])
async def test_whoever_is_sent_back_finds_no_contract_done(stop_in: Phase, outside: Outside) -> None:
    outside.contracts_after_standby = frozenset({"app"})
    outside.database.add("0001_a", CONTRACT)
    async with running(outside) as daemon:
        await daemon.deploy(contract=True)
        await daemon.reach(stop_in)
        await daemon.cutback()
        ended = await daemon.end()
        assert ended.phase is P.REVERTED
        with pytest.raises(RequestRefused, match="green still runs"):
            await daemon.service.migrate_contract(ANN)
    assert outside.database.ledger == {}


# --- the way back


async def test_a_rollback_past_a_contract_is_refused_with_the_backup_to_restore(outside: Outside) -> None:
    async with running(outside) as daemon:
        ended = await contracted(daemon, outside)
        for release in ("", "1.1.0", "1.0.0"):
            with pytest.raises(GateRefused) as refused:
                await daemon.service.rollback(release, ANN, "insisting")
            backup = f"main-20260101T000002Z-{ended.id}"
            assert "app/0001_a.contract, applied for 1.2.0" in refused.value.detail
            assert refused.value.next[0] == f"bluegreen backup restore-command {backup}"
        with pytest.raises(GateRefused):
            await daemon.service.plan(PlanRequest("1.1.0", force=True, reason="insisting"), ANN)
        assert (await daemon.current()).id == ended.id
        await went_live(daemon, "1.3.0")
        await daemon.service.rollback("1.2.0", ANN)
        assert (await daemon.end()).phase is P.LIVE


async def test_the_status_says_whether_the_release_before_may_serve_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        assert (await daemon.service.status()).schema_fit is None
        await went_live(daemon, "1.1.0")
        await asyncio.sleep(5)
        fit = (await daemon.service.status()).schema_fit
        assert fit is not None
        assert (fit.release, fit.may_serve) == ("1.0.0", True)
        outside.database.add("0001_a", CONTRACT)
        await went_live(daemon, "1.2.0", contract=True)
        await asyncio.sleep(5)
        fit = (await daemon.service.status()).schema_fit
        assert fit is not None
        assert (fit.release, fit.may_serve, fit.migration) == ("1.1.0", False, "app/0001_a.contract")
        assert fit.backup.startswith("main-")
        outside.database.unreachable = True
        await asyncio.sleep(120)
        assert (await daemon.service.status()).schema_fit is None


async def test_of_a_tool_that_nobody_rehearsed_a_rollback_only_warns(outside: Outside) -> None:
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        row = (await applied_by_a_tool(outside, daemon)).label
        plan = (await daemon.service.rollback("", ANN)).plan
        assert (await daemon.end()).phase is P.LIVE
    assert plan.warnings == (f"nobody can tell whether 1.0.0 works on what was applied after it: {row}",)


async def applied_by_a_tool(outside: Outside, daemon: Daemon):  # type: ignore[no-untyped-def]
    """A row of the ledger that a tool left, for the release that serves now."""
    migration = outside.database.add("1.1.0")
    async with outside.database.locked():
        release = (await daemon.current()).plan.release
        await outside.database.apply(replace(migration, kind=MigrationKind.COMMAND), "d-x", release)
    return migration


async def test_where_the_ledger_cannot_be_read_a_rollback_is_warned_of_and_not_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        outside.database.unreachable = True
        plan = (await daemon.service.rollback("", ANN)).plan
    assert any("whether 1.0.0 may serve on this schema cannot be told" in warning for warning in plan.warnings)


async def test_a_plan_shows_the_point_of_no_return_and_what_is_held_back(outside: Outside) -> None:
    outside.database.add("0001_a", CONTRACT)
    outside.database.add("0002_b")
    outside.database.add("0002_b", BACKFILL)
    outside.database.add("0002_b", CONTRACT)
    async with running(outside) as daemon:
        asked = await daemon.service.plan(PlanRequest("1.1.0", contract=True), ANN)
        not_asked = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
    steps = {step.phase: step.text for step in asked.steps}
    assert steps[P.REHEARSING].startswith("run app/0002_b.expand, app/0002_b.backfill on a copy")
    assert steps[P.CONTRACTING] == (
        "fill app/0002_b.backfill; back up, and apply app/0001_a.contract: from then on 1.0.0 cannot serve again;"
        " app/0002_b.contract stays pending: its expand runs in this deployment"
    )
    said = {step.phase: step.text for step in not_asked.steps}[P.CONTRACTING]
    assert "app/0001_a.contract stays pending: not asked for (--contract)" in said
    assert asked.digest != not_asked.digest


# --- by hand


async def test_a_contract_by_hand_says_what_it_closes_and_closes_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.database.add("0001_a")
        await went_live(daemon, "1.1.0")
        outside.database.add("0001_a", CONTRACT)
        outside.database.add("0002_b", BACKFILL)
        outside.database.add("0002_b", CONTRACT)
        plan = await daemon.service.contract_plan()
        assert (plan.serving, plan.idle, plan.due, plan.closes) == ("1.1.0", BLUE, ("app/0001_a.contract",), ("1.0.0",))
        assert [(held.migration, held.reason) for held in plan.held] == [
            ("app/0002_b.contract", "its backfill was never applied")
        ]
        with pytest.raises(PlanStale, match=r"app/0001_a\.contract"):
            await daemon.service.migrate_contract(ANN, expected=("app/0009_z.contract",))
        done = await daemon.service.migrate_contract(ANN, "tidy", plan.due)
        assert done.applied == plan.due
        with pytest.raises(GateRefused):
            await daemon.service.rollback("", ANN)
        again = await daemon.service.migrate_contract(ANN)
        assert (again.applied, [held.migration for held in again.held]) == ((), ["app/0002_b.contract"])
    assert len(outside.database.shelf) == 2
    (row,) = [row for row in outside.database.ledger.values() if row.phase is CONTRACT]
    assert (row.release, row.deployment.startswith("by-hand-")) == ("1.1.0", True)


async def test_what_serves_and_came_before_the_expand_holds_its_contract_back(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.database.add("0001_a")
        ended = await went_live(daemon, "1.1.0")
        await daemon.service.rollback("", ANN)
        assert (await daemon.end()).phase is P.LIVE
        outside.database.add("0001_a", CONTRACT)
        plan = await daemon.service.contract_plan()
    assert plan.due == ()
    assert plan.held[0].reason.startswith(f"1.0.0 serves and knows nothing of its expand ({ended.id})")


async def test_what_was_expanded_by_hand_is_contracted_only_when_another_release_serves(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0001_a", CONTRACT)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        await daemon.service.migrate_up(ANN)
        assert (await daemon.service.contract_plan()).due == ()
        assert (await daemon.service.migrate_contract(ANN)).applied == ()
        await went_live(daemon, "1.1.0")
        plan = await daemon.service.contract_plan()
    assert (plan.due, plan.alone) == (("app/0001_a.contract",), ())


@pytest.mark.parametrize(
    ("sessions", "answers", "said"),
    [
        (("pid 42 (app-blue)",), False, "blue still has sessions"),
        (None, True, "blue still answers"),
    ],
)
async def test_by_hand_too_the_other_colour_must_be_gone(
    sessions: tuple[str, ...] | None, answers: bool, said: str, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        outside.database.add("0001_a", CONTRACT)
        if sessions is not None:
            outside.database.sessions[BLUE] = sessions
        if answers:
            outside.runners[BLUE].running = "1.0.0"  # somebody started it past the daemon
        with pytest.raises(RequestRefused, match=said) as refused:
            await daemon.service.migrate_contract(ANN)
        assert "bluegreen env down blue" in refused.value.next
    assert outside.database.runs == []


async def test_a_contract_by_hand_that_is_refused_by_its_rehearsal_is_not_applied(outside: Outside) -> None:
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        outside.database.add("0001_a", CONTRACT)
        outside.database.found["0001_a"] = (BROKEN,)
        with pytest.raises(GateRefused, match="a query that runs now fails"):
            await daemon.service.migrate_contract(ANN)
    assert outside.database.runs == []


async def test_a_contract_by_hand_that_hurts_users_calls_a_human(outside: Outside) -> None:
    async with running(outside) as daemon:
        await went_live(daemon, "1.1.0")
        outside.database.add("0001_a", CONTRACT)
        outside.smoke.failures[GREEN] = "HTTP 500"
        with pytest.raises(StepFailed, match="users on green are hurt"):
            await daemon.service.migrate_contract(ANN)
        await asyncio.sleep(1)
    assert "schema-hurts" in pages(outside)
