"""Plans, the terms they promise, and what is refused before anything begins."""

import asyncio
from typing import Any

import pytest

from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.domain.errors import (
    BalancerUnreachable,
    GateRefused,
    NotFound,
    PlanStale,
    ReleaseInvalid,
    RequestRefused,
)
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Plan
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase


async def planned(daemon: Daemon, release: str = "1.1.0", **wishes: Any) -> Plan:
    return await daemon.service.plan(PlanRequest(release, **wishes), ANN)


async def taken_back(daemon: Daemon) -> None:
    """1.1.0 was found worse, and is in quarantine."""
    daemon.outside.users.failing[GREEN] = 1.0
    await daemon.deploy()
    assert (await daemon.end()).phase is P.REVERTED
    daemon.outside.users.failing.clear()


async def test_planning_does_nothing_and_says_what_would_be_done(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        plan = await planned(daemon)
        assert (await daemon.service.stored_plan(plan.id)) == plan
        await asyncio.sleep(60)
    assert [step.phase for step in plan.steps if step.does] == [
        *(P.PREPARING, P.BACKING_UP, P.REHEARSING, P.EXPANDING, P.PROVING, P.STARTING, P.TESTING),
        *(P.SWITCHING, P.WATCHING, P.STANDING_BY, P.RETIRING),
    ]
    assert plan.migrations == ("app/0001_a.expand",)
    assert (plan.live, plan.idle, plan.live_release) == (BLUE, GREEN, "1.0.0")
    assert (outside.database.runs, outside.balancer.written, outside.runners[GREEN].calls) == ([], [], [])


async def test_a_plan_is_deployed_exactly(outside: Outside) -> None:
    async with running(outside) as daemon:
        plan = await planned(daemon, contract=True)
        deployed = await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
        ended = await daemon.end()
    assert (deployed.plan, ended.phase) == (plan, P.LIVE)


@pytest.mark.parametrize(
    "change",
    ["a migration", "a migration's text", "the live colour", "the terms", "the checks", "what the live colour runs"],
)
async def test_a_plan_is_stale_when_what_it_depends_on_has_changed(change: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        if change == "a migration's text":
            outside.database.add("0001_a")
        plan = await planned(daemon)
        if change == "a migration":
            outside.database.add("0001_a")
        elif change == "a migration's text":
            outside.database.add("0001_a", checksum="another")
        elif change == "the live colour":
            for name, service in SERVICES.items():
                outside.balancer.point(name, *service.addresses[GREEN])
        elif change == "what the live colour runs":
            await outside.journal.keep("release", BLUE, "1.0.1")
        if change == "the terms":
            outside.change(window=21.0)
        elif change == "the checks":
            outside.with_smoke = False
    async with running(outside) as daemon:
        with pytest.raises(PlanStale, match="the world changed since") as refused:
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
        assert daemon.engine.run is None
    assert refused.value.next == ("bluegreen plan 1.1.0",)


async def test_a_plan_is_stale_after_an_hour(outside: Outside) -> None:
    async with running(outside) as daemon:
        plan = await planned(daemon)
        await asyncio.sleep(3601)
        with pytest.raises(PlanStale, match="older than an hour"):
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)


async def test_a_running_deployment_keeps_the_terms_of_its_plan(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
    outside.change(window=500.0, standby=500.0, deadlines={})
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        assert (await daemon.end()).phase is P.LIVE
        assert outside.clock.monotonic() - began < 60


async def test_a_plan_that_nobody_made_is_not_found(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(NotFound):
            await daemon.service.deploy(DeployRequest(plan="p-none"), ANN)
        with pytest.raises(NotFound):
            await daemon.service.stored_plan("p-none")
        with pytest.raises(RequestRefused):
            await daemon.service.deploy(DeployRequest(), ANN)


async def test_a_release_that_cannot_be_read_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(ReleaseInvalid):
            await daemon.deploy("2.0.0")
        assert await daemon.service.deployments(1) == ()


async def test_nothing_is_planned_where_caddy_serves_neither_colour_alone(outside: Outside) -> None:
    outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match=r"web at memory/web dials 127\.0\.0\.1:2001") as refused:
            await planned(daemon)
    assert refused.value.next[0] == "bluegreen status"  # says what drifted, and what to type
    assert "[[services]]" in refused.value.next[1]


async def test_nothing_is_planned_where_caddy_cannot_be_read(outside: Outside) -> None:
    outside.balancer.reachable = False
    async with running(outside) as daemon:
        with pytest.raises(BalancerUnreachable):
            await daemon.deploy()


async def test_a_database_that_is_away_is_a_warning_of_the_plan(outside: Outside) -> None:
    outside.database.unreachable = True
    async with running(outside) as daemon:
        plan = await planned(daemon)
    assert any("pending migrations cannot be listed" in warning for warning in plan.warnings)


async def test_a_live_release_that_nobody_knows_is_a_warning_and_is_not_expected_of_the_live_colour(
    outside: Outside,
) -> None:
    outside.releases = {}
    async with running(outside) as daemon:
        plan = await planned(daemon)
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE
    assert plan.live_release == "unknown"
    assert any("set [environments.blue] release" in warning for warning in plan.warnings)
    assert {target.release for target in outside.smoke.asked if target.colour is BLUE} == {""}
    assert {target.release for target in outside.smoke.asked if target.colour is GREEN} == {"1.1.0"}


async def test_the_release_that_is_live_already_may_be_deployed_and_the_plan_says_so(outside: Outside) -> None:
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.0.0")
    assert any("blue runs 1.0.0 already" in warning for warning in plan.warnings)


# --- the same request twice


async def test_the_same_key_with_the_same_request_is_the_same_deployment(outside: Outside) -> None:
    request = DeployRequest(release=PlanRequest("1.1.0"))
    async with running(outside) as daemon:
        first = await daemon.service.deploy(request, ANN, "key-1")
        again = await daemon.service.deploy(request, ANN, "key-1")
        await daemon.end()
        later = await daemon.service.deploy(request, ANN, "key-1")
    async with running(outside) as daemon:
        after_a_restart = await daemon.service.deploy(request, ANN, "key-1")
    assert {first.id, again.id, later.id, after_a_restart.id} == {first.id}
    assert later.phase is P.LIVE
    assert [row.verb for row in await outside.journal.audited(9)] == ["deploy"]


async def test_the_same_key_with_another_request_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.deploy(DeployRequest(release=PlanRequest("1.1.0")), ANN, "key-1")
        with pytest.raises(RequestRefused, match="key-1 was used for another request"):
            await daemon.service.deploy(DeployRequest(release=PlanRequest("1.2.0")), ANN, "key-1")


async def test_of_two_deployments_asked_for_at_once_one_runs_and_one_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        results = await asyncio.gather(daemon.deploy("1.1.0"), daemon.deploy("1.2.0"), return_exceptions=True)
    assert [isinstance(result, RequestRefused) for result in results] == [False, True]


# --- quarantine


async def test_what_was_taken_back_is_refused_by_plan_and_deploy_until_somebody_insists_with_a_reason(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        for refused in (planned(daemon), daemon.deploy(), daemon.deploy(force=True)):
            with pytest.raises(GateRefused, match=r"1\.1\.0 was taken back in d-.* and is quarantined") as why:
                await refused
            assert "bluegreen deploy 1.1.0 --force --reason '...'" in why.value.next
        await daemon.deploy(force=True, reason="it was the network")
        assert (await daemon.end()).phase is P.LIVE
        assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_another_release_is_not_in_quarantine(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        await daemon.deploy("1.1.1")
        assert (await daemon.end()).phase is P.LIVE


async def test_a_plan_made_before_the_quarantine_does_not_pass_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        plan = await planned(daemon)
        await taken_back(daemon)
        with pytest.raises(GateRefused):
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)


async def test_what_an_operator_cut_back_is_in_quarantine_and_what_he_gave_up_before_the_switch_is_not(
    outside: Outside,
) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.abort("current", ANN)
        assert (await daemon.end()).phase is P.ABANDONED
        await daemon.deploy(auto_promote=True)
        await daemon.reach(P.WATCHING)
        await daemon.service.cutback(ANN, "users call")
        assert (await daemon.end()).phase is P.REVERTED
        with pytest.raises(GateRefused, match="users call"):
            await daemon.deploy()


# --- rollback and retry


async def test_rollback_goes_to_the_release_before_by_itself_and_to_any_by_name(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
        back = await daemon.service.rollback("", ANN)
        assert (back.plan.release.version, back.plan.terms.auto_promote) == ("1.0.0", True)
        await daemon.end()
        named = await daemon.service.rollback("1.0.9", ANN, "the auditors ask for it")
        assert named.plan.release.version == "1.0.9"
        assert (await daemon.end()).phase is P.LIVE


async def test_rollback_without_any_history_needs_a_name(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(NotFound) as refused:
            await daemon.service.rollback("", ANN)
    assert refused.value.next == ("bluegreen rollback RELEASE",)


async def test_rollback_passes_the_quarantine_where_somebody_says_why(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        with pytest.raises(GateRefused, match="quarantined") as refused:
            await daemon.service.rollback("1.1.0", ANN)
        assert refused.value.next[-1] == "bluegreen rollback 1.1.0 --reason '...'"
        await daemon.service.rollback("1.1.0", ANN, "we know")
        assert (await daemon.end()).phase is P.LIVE


async def test_retry_is_a_new_deployment_of_the_same_release_on_the_same_terms(outside: Outside) -> None:
    outside.smoke.failures[GREEN] = "HTTP 500"
    async with running(outside) as daemon:
        first = await daemon.deploy(auto_promote=True, contract=True, reason="because")
        assert (await daemon.end()).phase is P.ABANDONED
        outside.smoke.failures.clear()
        again = await daemon.service.retry(first.id, ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert again.id != first.id
    assert (again.plan.release, again.plan.terms, again.plan.reason) == (
        first.plan.release,
        first.plan.terms,
        first.plan.reason,
    )
