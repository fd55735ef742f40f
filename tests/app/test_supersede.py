"""`deploy --supersede`: what runs is ended first, where that harms nobody; and nobody waits for it for minutes."""

import asyncio
from typing import Any

import pytest

from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.app.superseding import WAIT
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import DeploymentInProgress, GateRefused, PlanStale
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase


async def superseding(daemon: Daemon, release: str = "1.2.0", key: str = "k") -> Deployment:
    """Ask until it started, as the command line does."""
    wanted = DeployRequest(release=PlanRequest(release, supersede=True), supersede=True)
    while True:
        try:
            return await daemon.service.deploy(wanted, ANN, key)
        except DeploymentInProgress as exc:
            if not exc.facts.get("superseding"):
                raise
            await asyncio.sleep(1)


async def waiting_for(daemon: Daemon, phase: Phase) -> Deployment:
    await daemon.deploy("1.1.0")
    return await daemon.reach(phase)


@pytest.mark.parametrize("phase", [P.STARTING, P.AWAITING])
async def test_before_the_switch_the_running_one_is_given_up_and_the_new_one_starts(
    phase: Phase, outside: Outside
) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        first = await waiting_for(daemon, phase)
        second = await superseding(daemon)
        given_up = await daemon.service.deployment(first.id)
        assert (given_up.phase, given_up.cause) == (P.ABANDONED, "operator")
        assert given_up.reason == f"superseded by {ANN.who}: deploy of 1.2.0"
        assert (second.plan.release.version, second.plan.live) == ("1.2.0", BLUE)
        rows = [(row.verb, row.deployment) for row in await outside.journal.audited(3)]
        assert rows == [("deploy", second.id), ("supersede", first.id), ("deploy", first.id)]
    assert outside.balancer.written == []


async def test_in_standing_by_the_old_colour_is_retired_without_contracting(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.contracts_after_standby = frozenset({"app"})
    outside.change(auto_promote=True, standby=3600.0)
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        first = await waiting_for(daemon, P.STANDING_BY)
        second = await superseding(daemon)
        retired = await daemon.service.deployment(first.id)
        assert (retired.phase, retired.path[-3:]) == (P.LIVE, (P.RETIRING, P.CONTRACTING, P.LIVE))
        assert (second.plan.live, second.plan.live_release) == (GREEN, "1.1.0")
        ends = [e for e in await daemon.events() if e.name == "deployment.ended" and e.deployment == first.id]
        assert [end.facts["answer"] for end in ends] == [
            f"superseded by {ANN.who}: deploy of 1.2.0: contract migrations stay pending"
        ]
        assert (await daemon.end()).phase is P.LIVE


@pytest.mark.parametrize("phase", [P.WATCHING, P.RETIRING])
async def test_elsewhere_it_is_refused_and_nothing_is_ended(phase: Phase, outside: Outside) -> None:
    async with running(outside) as daemon:
        first = await waiting_for(daemon, phase)
        with pytest.raises(DeploymentInProgress, match=f"is in {phase} and cannot be superseded there") as refused:
            await superseding(daemon)
        assert refused.value.next[0] == f"bluegreen watch {first.id}"
        assert (await daemon.end()).phase is P.LIVE


async def test_the_plan_names_what_it_supersedes_and_what_is_lost(outside: Outside) -> None:
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.2.0", supersede=True), ANN)
        assert plan.supersedes == "", "nothing runs"
        first = await waiting_for(daemon, P.STARTING)
        plan = await daemon.service.plan(PlanRequest("1.2.0", supersede=True), ANN)
        assert plan.supersedes == first.id
        assert plan.warnings[0] == f"this supersedes {first.id}: 1.1.0, in STARTING, is given up first"
        await daemon.reach(P.STANDING_BY)
        plan = await daemon.service.plan(PlanRequest("1.2.0", supersede=True), ANN)
        assert "blue is stopped first, the way back from 1.1.0 to 1.0.0 is given up" in plan.warnings[0]


async def test_a_request_does_not_wait_for_minutes_and_asking_again_is_harmless(outside: Outside) -> None:
    outside.runners[GREEN].hanging.add("down")
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        first = await waiting_for(daemon, P.AWAITING)
        for _ in range(2):
            begun = asyncio.get_running_loop().time()
            with pytest.raises(DeploymentInProgress, match=f"superseding {first.id}, it is in ABANDONING") as told:
                await daemon.service.deploy(DeployRequest(release=PlanRequest("1.2.0"), supersede=True), ANN, "k")
            assert told.value.facts["superseding"] is True
            assert asyncio.get_running_loop().time() - begun < WAIT + 1
        verbs = [row.verb for row in await outside.journal.audited(10)]
        assert verbs == ["supersede", "deploy"]


async def test_asking_again_never_ends_the_one_that_started_meanwhile(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await waiting_for(daemon, P.AWAITING)
        started = await superseding(daemon, key="k")
        again = await superseding(daemon, key="k")
        assert again.id == started.id
        await daemon.reach(P.AWAITING)


async def test_of_two_that_supersede_the_same_one_starts_and_one_is_refused(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await waiting_for(daemon, P.AWAITING)
        found: tuple[Any, ...] = await asyncio.gather(
            superseding(daemon, "1.2.0", "ann"), superseding(daemon, "1.3.0", "ben"), return_exceptions=True
        )
        assert sorted(isinstance(one, DeploymentInProgress) for one in found) == [False, True]
        winner = next(one for one in found if isinstance(one, Deployment))
        with pytest.raises(DeploymentInProgress):
            await superseding(daemon, "1.3.0", "ben" if winner.plan.release.version == "1.2.0" else "ann")
        assert (await daemon.reach(P.AWAITING)).id == winner.id


async def test_a_plan_supersedes_what_it_named_and_nothing_else(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        first = await waiting_for(daemon, P.AWAITING)
        plan = await daemon.service.plan(PlanRequest("1.2.0", supersede=True), ANN)
        await daemon.service.abort(first.id, ANN)
        await daemon.end()
        other = await daemon.deploy("1.3.0")
        with pytest.raises(DeploymentInProgress, match=f"{first.id}, has ended; now {other.id} is in"):
            await daemon.service.deploy(DeployRequest(plan=plan.id, supersede=True), ANN)
        await daemon.reach(P.AWAITING)


async def test_a_plan_that_was_made_before_supersedes_where_the_request_says_so(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.2.0"), ANN)
        await waiting_for(daemon, P.AWAITING)
        with pytest.raises(DeploymentInProgress):
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
        started = await daemon.service.deploy(DeployRequest(plan=plan.id, supersede=True), ANN)
        assert started.plan.id == plan.id


async def test_a_plan_that_went_stale_by_what_the_superseded_one_applied_is_refused(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.2.0"), ANN)
        await waiting_for(daemon, P.AWAITING)
        with pytest.raises(PlanStale):
            await daemon.service.deploy(DeployRequest(plan=plan.id, supersede=True), ANN)
        assert (await daemon.current()).phase is P.AWAITING, "nothing is ended for a plan that cannot be used"


async def test_nothing_is_ended_for_a_release_that_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await waiting_for(daemon, P.WATCHING)
        await daemon.cutback()
        await daemon.end()
        outside.journal.full = False
        await daemon.deploy("1.2.0", auto_promote=False)
        await daemon.reach(P.AWAITING)
        with pytest.raises(GateRefused):
            await superseding(daemon, "1.1.0")
        assert (await daemon.current()).phase is P.AWAITING


async def test_the_order_to_make_room_survives_a_restart(outside: Outside) -> None:
    outside.change(standby=3600.0, drain=100.0)
    async with running(outside) as daemon:
        first = await waiting_for(daemon, P.STANDING_BY)
        with pytest.raises(DeploymentInProgress):
            await daemon.service.deploy(DeployRequest(release=PlanRequest("1.2.0"), supersede=True), ANN, "k")
    async with running(outside) as daemon:
        second = await superseding(daemon)
        assert second.id != first.id
        assert (await daemon.service.deployment(first.id)).phase is P.LIVE
