"""Which verb does what in which phase: one test per cell of the table (tests/verb_table.py), in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bluegreen.app.boundaries import Boundary
from bluegreen.app.requests import AlertEffect, DeployRequest, PlanRequest
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import DeploymentInProgress, RequestRefused
from bluegreen.domain.phases import Phase
from tests import verb_table as table
from tests.app.daemons import ANN, Daemon, alert, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN
from tests.verb_table import Ends, Holds, Keeper, Refused, State, Supersedes, manual

P = Phase
STRETCH = 2.0
"""Virtual seconds that every phase lasts here at least, so that each can be met."""

Verb = Callable[[Daemon], Awaitable[Any]]


async def superseding(daemon: Daemon) -> Deployment:
    """Ask until it started, as the command line does."""
    wanted = DeployRequest(release=PlanRequest("1.1.0", supersede=True), supersede=True)
    while True:
        try:
            return await daemon.service.deploy(wanted, ANN, "a key")
        except DeploymentInProgress as exc:
            if not exc.facts.get("superseding"):
                raise
            await asyncio.sleep(1)


VERBS: dict[str, Verb] = {
    "promote": lambda daemon: daemon.service.promote("current", ANN),
    "promote_full": lambda daemon: daemon.service.promote("current", ANN, "a reason", full=True),
    "abort": lambda daemon: daemon.service.abort("current", ANN, "a reason"),
    "cutback": lambda daemon: daemon.service.cutback(ANN, "a reason"),
    "deploy": lambda daemon: daemon.deploy("1.1.0"),
    "supersede": superseding,
    "rollback": lambda daemon: daemon.service.rollback("", ANN),
    "retry": lambda daemon: daemon.service.retry("current", ANN),
    "resolve": lambda daemon: daemon.service.resolve("current", ANN, "a reason"),
    "pause": lambda daemon: daemon.service.pause(ANN, "a reason", 1.0),
    "resume": lambda daemon: daemon.service.resume(ANN, "a reason"),
    "migrate_up": lambda daemon: daemon.service.migrate_up(ANN, "a reason"),
    "migrate_contract": lambda daemon: daemon.service.migrate_contract(ANN, "a reason"),
}
CELLS = [
    pytest.param(state, verb, id=f"{verb}-{state.id}")
    for state in table.STATES
    for verb in (*table.VERBS, *table.BY_HAND)
]


@asynccontextmanager
async def brought_into(state: State, outside: Outside) -> AsyncIterator[tuple[Daemon, Keeper]]:
    """A daemon in that state."""
    keeper = Keeper(state.hold)
    outside.at_boundary = keeper
    state.prepare(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        if state.deployed:
            await daemon.deploy()
        if state.hold is not None:
            await keeper.there.wait()
        elif state.deployed:
            await daemon.end()
            table.heal(outside)
        if state.settled:
            await daemon.service.resolve("current", ANN, "seen to")
        yield daemon, keeper


@pytest.mark.parametrize(("state", "verb"), CELLS)
async def test_each_verb_does_in_each_state_what_the_table_says(state: State, verb: str, outside: Outside) -> None:
    async with brought_into(state, outside) as (daemon, keeper):
        rows = len(await outside.journal.audited(100))
        match state.cell(verb):
            case AlertEffect() as effect:
                await _alerts(daemon, keeper, effect)
            case Refused(instead):
                await _is_refused(daemon, verb, instead, rows)
            case Holds():
                await _holds(daemon, verb)
            case Supersedes(phase):
                await _supersedes(daemon, keeper, phase)
            case Ends() as end:
                await _is_taken(daemon, keeper, verb, end, rows, nothing_to_do=table.held(state, verb))


async def _is_refused(daemon: Daemon, verb: str, instead: str, rows: int) -> None:
    before = daemon.engine.run.deployment if daemon.engine.run else None
    with pytest.raises(RequestRefused) as refused:
        await VERBS[verb](daemon)
    assert refused.value.next
    assert any(instead in command for command in refused.value.next)
    assert len(await daemon.outside.journal.audited(100)) == rows
    assert (daemon.engine.run.deployment if daemon.engine.run else None) == before


async def _is_taken(
    daemon: Daemon, keeper: Keeper, verb: str, expected: Ends, rows: int, *, nothing_to_do: bool
) -> None:
    await VERBS[verb](daemon)
    keeper.free.set()
    ended = await daemon.end()
    assert (ended.phase, ended.moved) == (expected.phase, expected.moved)
    audited = await daemon.outside.journal.audited(100)
    written = [] if nothing_to_do else [verb.removesuffix("_full").replace("supersede", "deploy")]
    assert [row.verb for row in audited[: len(audited) - rows]] == written
    if verb in ("abort", "cutback") and ended.phase in (P.ABANDONED, P.REVERTED) and "a reason" in ended.reason:
        assert ended.reason.startswith(f"{verb} by uid 1000 (ann): a reason")


async def _holds(daemon: Daemon, verb: str) -> None:
    before = await daemon.service.deployments(1)
    await VERBS[verb](daemon)
    assert daemon.engine.pause.active() == (verb == "pause")
    assert await daemon.service.deployments(1) == before


async def _supersedes(daemon: Daemon, keeper: Keeper, phase: Phase) -> None:
    first = await daemon.current()
    keeper.free.set()
    second = await VERBS["supersede"](daemon)
    assert second.id != first.id
    assert (await daemon.service.deployment(first.id)).phase is phase
    assert (await daemon.current()).id == second.id


async def _alerts(daemon: Daemon, keeper: Keeper, expected: AlertEffect) -> None:
    before = await daemon.service.deployments(1)
    answer = await daemon.service.alert(alert(daemon))
    assert answer.effect is expected
    assert answer.durable
    assert bool(answer.reason) == (expected is AlertEffect.RECORDED)
    if before and daemon.engine.run is not None:
        keeper.free.set()
        if before[0].phase is P.AWAITING and not before[0].plan.terms.auto_promote:
            return
        ended = await daemon.end()
        assert (ended.cause == "alert") == (expected is AlertEffect.CUTBACK)
        assert ended.phase is P.REVERTED or expected is AlertEffect.RECORDED


# --- what the table says beside its cells


@pytest.fixture
def stretched(outside: Outside) -> Outside:
    """Every phase lasts a while."""

    async def stretch(phase: Phase, boundary: Boundary) -> None:
        if boundary is Boundary.BEFORE_INTENT:
            await asyncio.sleep(STRETCH)

    outside.at_boundary = stretch
    return outside


@pytest.mark.parametrize("verb", ["abort", "cutback"])
async def test_going_back_beats_promoting_when_both_are_ordered_at_once(verb: str, outside: Outside) -> None:
    manual(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await asyncio.gather(VERBS["promote"](daemon), VERBS[verb](daemon))
        ended = await daemon.end()
    assert ended.phase is P.ABANDONED
    assert outside.balancer.written == []


@pytest.mark.parametrize("verb", ["promote", "abort", "cutback"])
async def test_a_verb_may_be_asked_twice(verb: str, outside: Outside) -> None:
    manual(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        first = await VERBS[verb](daemon)
        again = await VERBS[verb](daemon)
        await daemon.end()
    assert first.id == again.id


async def test_of_two_reasons_to_stop_the_first_stands(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.service.alert(alert(daemon, summary="5xx are up"))
        await daemon.service.cutback(ANN, "me too")
        ended = await daemon.end()
    assert (ended.cause, ended.reason) == ("alert", "alert from prom: 5xx are up")


async def test_an_abort_lets_the_proof_of_the_live_colour_finish_and_then_gives_up(stretched: Outside) -> None:
    outside = stretched
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.PROVING)
        await VERBS["abort"](daemon)
        ended = await daemon.end()
    assert ended.path[-2:] == (P.PROVING, P.ABANDONED)
    assert len(outside.smoke.asked) == 2, "before the backup, and on the changed schema"


async def test_an_abort_lets_the_proof_of_the_live_colour_finish_and_red_counts_as_failed(stretched: Outside) -> None:
    outside = stretched
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.PROVING)
        outside.smoke.failures[BLUE] = "login: HTTP 500"
        await VERBS["abort"](daemon)
        ended = await daemon.end()
    assert ended.phase is P.STRANDED
    assert "hurt by the changed schema" in ended.reason


async def test_an_abort_while_the_schema_is_expanded_names_what_stays(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0002_b")
    outside.database.hanging.add("0002_b")
    async with running(outside) as daemon:
        await daemon.deploy()
        await until(lambda: "0002_b" in outside.database.runs)
        await VERBS["abort"](daemon)
        ended = await daemon.end()
    assert ended.path[-3:] == (P.EXPANDING, P.ASSESSING, P.ABANDONED)
    assert ended.cause == "operator"
    assert "app/0001_a.expand" in ended.facts["applied"]
    assert not outside.database.holder, "the migration lock is free again"


# --- two at once


async def test_of_two_promotions_at_once_each_is_answered_and_one_switch_follows(outside: Outside) -> None:
    manual(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await asyncio.gather(VERBS["promote"](daemon), VERBS["promote_full"](daemon))
        assert (await daemon.end()).phase is P.LIVE
    assert [colour for colour, _ in outside.balancer.written] == [GREEN]


@pytest.mark.parametrize("first", ["promote_full", "cutback"])
async def test_a_cutback_beats_a_full_promotion_in_the_watch(first: str, outside: Outside) -> None:
    second = {"promote_full": "cutback", "cutback": "promote_full"}[first]
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.gather(VERBS[first](daemon), VERBS[second](daemon))
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, "operator")
    assert outside.serving() == {BLUE}


async def test_a_cutback_in_the_moment_in_which_the_window_ends_wins(outside: Outside) -> None:
    keeper = Keeper((P.WATCHING, Boundary.AFTER_OUTCOME))
    outside.at_boundary = keeper
    async with running(outside) as daemon:
        await daemon.deploy()
        await keeper.there.wait()
        await VERBS["cutback"](daemon)
        keeper.free.set()
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, "operator")


async def test_a_cutback_in_the_moment_of_a_deadline_is_one_way_back(outside: Outside) -> None:
    keeper = Keeper((P.SWITCHING, Boundary.AFTER_OUTCOME))
    outside.at_boundary = keeper
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        await keeper.there.wait()
        outside.front_door.logged = True
        await VERBS["cutback"](daemon)
        keeper.free.set()
        ended = await daemon.end()
    assert ended.phase is P.REVERTED
    assert [colour for colour, _ in outside.balancer.written] == [GREEN, BLUE]


async def test_an_abort_and_an_alert_at_once_are_one_way_back_and_the_first_says_why(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        _, answer = await asyncio.gather(VERBS["abort"](daemon), daemon.service.alert(alert(daemon)))
        ended = await daemon.end()
    assert answer.effect is AlertEffect.CUTBACK
    assert (ended.phase, ended.cause) == (P.REVERTED, "operator")
    assert [colour for colour, _ in outside.balancer.written] == [GREEN, BLUE]


# --- what a full promotion ends


async def test_a_full_promotion_ends_the_phase_that_it_was_ordered_in_and_that_one_alone(outside: Outside) -> None:
    outside.change(window=600.0, standby=600.0)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        began = outside.clock.monotonic()
        await VERBS["promote_full"](daemon)
        await daemon.reach(P.STANDING_BY)
        assert outside.clock.monotonic() - began < 1
        await asyncio.sleep(500)
        assert (await daemon.current()).phase is P.STANDING_BY
        await VERBS["promote_full"](daemon)
        assert (await daemon.end()).phase is P.LIVE
        assert outside.clock.monotonic() - began < 550


async def test_at_the_gate_it_never_skips_the_watch(outside: Outside) -> None:
    manual(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await VERBS["promote_full"](daemon)
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(10)
        assert (await daemon.current()).phase is P.WATCHING


async def test_it_needs_a_reason_and_survives_a_restart(outside: Outside) -> None:
    outside.change(window=600.0)
    keeper = Keeper((P.WATCHING, Boundary.BEFORE_INTENT))
    outside.at_boundary = keeper
    async with running(outside) as daemon:
        await daemon.deploy()
        await keeper.there.wait()
        with pytest.raises(RequestRefused, match="needs a reason"):
            await daemon.service.promote("current", ANN, full=True)
        await VERBS["promote_full"](daemon)
    keeper.free.set()
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await daemon.reach(P.STANDING_BY)
        assert outside.clock.monotonic() - began < 5
        ended = [event for event in await daemon.events() if event.facts.get("previous") == P.WATCHING]
    assert str(ended[0].facts["answer"]).startswith(f"promoted by {ANN.who}: a reason (")


async def test_it_ends_a_watch_that_is_held(outside: Outside) -> None:
    """A rollback that is worse is for a person to judge: here one does."""
    async with running(outside) as daemon:
        await daemon.service.rollback("1.0.0", ANN)
        await daemon.reach(P.WATCHING)
        outside.users.failing[GREEN] = 0.5
        await asyncio.sleep(300)
        assert (await daemon.current()).phase is P.WATCHING
        await VERBS["promote_full"](daemon)
        await daemon.reach(P.STANDING_BY)
        await asyncio.sleep(300)
        assert (await daemon.current()).phase is P.STANDING_BY, "held again: each phase is ended by its own order"
