"""Which verb does what in which phase: one test per cell of the table in RESILIENCE.md."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from bluegreen.app import steps
from bluegreen.app.requests import AlertEffect
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Answer, Deployment
from bluegreen.domain.errors import RequestRefused
from bluegreen.domain.phases import NEXT, Phase
from tests.app.daemons import ANN, Daemon, alert, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
STRETCH = 2.0
"""Virtual seconds that every phase lasts here at least, so that each can be met."""

Reach = Callable[[Daemon], Awaitable[object]]


@dataclass(frozen=True)
class Refused:
    """The verb is refused; one of the commands that are offered instead contains `instead`."""

    instead: str = ""


@dataclass(frozen=True)
class Ends:
    """The verb is taken, and the deployment ends so."""

    phase: Phase
    moved: bool = False


TAKES_EFFECT, RECORDED = AlertEffect.CUTBACK, AlertEffect.RECORDED
Cell = Refused | Ends | AlertEffect
GIVES_UP, NOT_MOVED, GOES_BACK = Ends(P.ABANDONED), Ends(P.REVERTED), Ends(P.REVERTED, moved=True)
GOES_LIVE, NO = Ends(P.LIVE, moved=True), Refused()


@dataclass(frozen=True)
class State:
    """How a daemon is brought into a state, and what each verb does there."""

    id: str
    prepare: Callable[[Outside], object]
    reach: Reach
    promote: Cell
    abort: Cell
    cutback: Cell
    alert: Cell
    deploy: Cell = NO
    rollback: Cell = NO
    retry: Cell = NO
    resolve: Cell = NO


def as_it_is(outside: Outside) -> None:
    """All is well."""


def manual(outside: Outside) -> None:
    outside.change(auto_promote=False)


def smoke_fails(outside: Outside) -> None:
    outside.smoke.failures[GREEN] = "login: HTTP 500"


def expand_fails(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.failing["0001_a"] = "syntax error"


def gets_worse(outside: Outside) -> None:
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))


def strands(outside: Outside) -> None:
    gets_worse(outside)
    outside.at("after journal REVERTING", lambda: outside.front_door.statuses.update({BLUE: None}))


def proof_takes_long(outside: Outside) -> None:
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))


def stop_hangs(outside: Outside) -> None:
    outside.runners[BLUE].hanging.add("down")


def deployed(*phases: Phase) -> Reach:
    async def reach(daemon: Daemon) -> None:
        await daemon.deploy()
        await daemon.reach(*phases)

    return reach


async def written(daemon: Daemon) -> None:
    await daemon.deploy()
    await until(lambda: daemon.outside.balancer.written)
    assert (await daemon.current()).phase is P.SWITCHING


async def stopping(daemon: Daemon) -> None:
    await daemon.deploy()
    await until(lambda: daemon.outside.runners[BLUE].calls)


async def over(daemon: Daemon) -> None:
    await daemon.deploy()
    await daemon.end()
    daemon.outside.users.failing.clear()
    daemon.outside.front_door.statuses = dict.fromkeys(daemon.outside.front_door.statuses, 200)
    daemon.outside.smoke.failures.clear()


async def settled(daemon: Daemon) -> None:
    await over(daemon)
    await daemon.service.resolve("current", ANN, "seen to")


async def never(daemon: Daemon) -> None:
    """Nothing was ever deployed."""


EARLY = (P.PREPARING, P.BACKING_UP, P.REHEARSING, P.EXPANDING, P.PROVING, P.STARTING, P.TESTING)
STATES = [
    *(State(str(phase), as_it_is, deployed(phase), NO, GIVES_UP, GIVES_UP, RECORDED) for phase in EARLY),
    State("AWAITING", manual, deployed(P.AWAITING), GOES_LIVE, GIVES_UP, GIVES_UP, RECORDED),
    State("CANARYING", as_it_is, deployed(P.CANARYING), GOES_LIVE, NOT_MOVED, NOT_MOVED, RECORDED),
    State("SWITCHING, not written", as_it_is, deployed(P.SWITCHING), GOES_LIVE, NOT_MOVED, NOT_MOVED, RECORDED),
    State("SWITCHING, written", proof_takes_long, written, GOES_BACK, GOES_BACK, GOES_BACK, TAKES_EFFECT),
    State("WATCHING", as_it_is, deployed(P.WATCHING), GOES_LIVE, GOES_BACK, GOES_BACK, TAKES_EFFECT,
          rollback=Refused("cutback")),
    State("STANDING_BY", as_it_is, deployed(P.STANDING_BY), GOES_LIVE, GOES_BACK, GOES_BACK, TAKES_EFFECT,
          rollback=Refused("cutback")),
    State("RETIRING, nothing stopped", as_it_is, deployed(P.RETIRING), GOES_LIVE, GOES_BACK, GOES_BACK, RECORDED),
    State("RETIRING, being stopped", stop_hangs, stopping, GOES_LIVE, Refused("rollback"), Refused("rollback"),
          RECORDED),
    State("CONTRACTING", as_it_is, deployed(P.CONTRACTING), GOES_LIVE, GOES_LIVE, Refused("rollback"), RECORDED),
    State("ASSESSING", expand_fails, deployed(P.ASSESSING), NO, GIVES_UP, GIVES_UP, RECORDED),
    State("ABANDONING", smoke_fails, deployed(P.ABANDONING), NO, GIVES_UP, GIVES_UP, RECORDED),
    State("REVERTING", gets_worse, deployed(P.REVERTING), NO, GOES_BACK, GOES_BACK, RECORDED),
    State("idle, nothing ever deployed", as_it_is, never, NO, NO, NO, RECORDED, deploy=GOES_LIVE),
    State("idle, LIVE", as_it_is, over, NO, Refused("rollback"), Refused("rollback"), RECORDED, deploy=GOES_LIVE,
          rollback=GOES_LIVE, retry=Refused("rollback")),
    State("idle, ABANDONED", smoke_fails, over, NO, Refused("retry"), Refused("status"), RECORDED, deploy=GOES_LIVE,
          retry=GOES_LIVE),
    State("idle, REVERTED", gets_worse, over, NO, NO, Refused("status"), RECORDED, deploy=Refused("--force"),
          retry=Refused("deploy 1.1.0 --force --reason")),
    State("STRANDED", strands, over, NO, Refused("retry"), GOES_BACK, RECORDED, deploy=Refused("resolve"),
          rollback=Refused("retry"), retry=GOES_BACK, resolve=Ends(P.STRANDED, moved=True)),
    State("STRANDED and settled", strands, settled, NO, NO, NO, RECORDED, deploy=GOES_LIVE),
]  # fmt: skip
VERBS: dict[str, Callable[[Daemon], Awaitable[Deployment]]] = {
    "promote": lambda daemon: daemon.service.promote("current", ANN),
    "abort": lambda daemon: daemon.service.abort("current", ANN, "a reason"),
    "cutback": lambda daemon: daemon.service.cutback(ANN, "a reason"),
    "deploy": lambda daemon: daemon.deploy("1.1.0"),
    "rollback": lambda daemon: daemon.service.rollback("", ANN),
    "retry": lambda daemon: daemon.service.retry("current", ANN),
    "resolve": lambda daemon: daemon.service.resolve("current", ANN, "a reason"),
}
CELLS = [pytest.param(state, verb, id=f"{verb}-{state.id}") for state in STATES for verb in (*VERBS, "alert")]


@pytest.fixture(autouse=True)
def stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every phase lasts a while."""

    def stretch(step: steps.Step) -> steps.Step:
        async def stretched(run: Run) -> Answer:
            await asyncio.sleep(STRETCH)
            return await step(run)

        return stretched

    for phase in NEXT:
        monkeypatch.setitem(steps.STEPS, phase, stretch(steps.STEPS[phase]))


@pytest.mark.parametrize(("state", "verb"), CELLS)
async def test_each_verb_does_in_each_state_what_the_table_says(state: State, verb: str, outside: Outside) -> None:
    expected: Cell = getattr(state, verb)
    state.prepare(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        await state.reach(daemon)
        rows = len(await outside.journal.audited(100))
        if isinstance(expected, AlertEffect):
            await _alerts(daemon, expected)
        elif isinstance(expected, Refused):
            await _is_refused(daemon, verb, expected, rows)
        else:
            await _is_taken(daemon, verb, expected, rows)


async def _is_refused(daemon: Daemon, verb: str, expected: Refused, rows: int) -> None:
    before = daemon.engine.run.deployment if daemon.engine.run else None
    with pytest.raises(RequestRefused) as refused:
        await VERBS[verb](daemon)
    assert refused.value.next
    assert any(expected.instead in command for command in refused.value.next)
    assert len(await daemon.outside.journal.audited(100)) == rows
    assert (daemon.engine.run.deployment if daemon.engine.run else None) == before


async def _is_taken(daemon: Daemon, verb: str, expected: Ends, rows: int) -> None:
    goes_on_already = verb == "promote" and (await daemon.current()).phase is not P.AWAITING
    await VERBS[verb](daemon)
    ended = await daemon.end()
    assert (ended.phase, ended.moved) == (expected.phase, expected.moved)
    audited = await daemon.outside.journal.audited(100)
    if not goes_on_already:
        assert [row.verb for row in audited[: len(audited) - rows]] == [verb]
    if verb in ("abort", "cutback") and ended.phase in (P.ABANDONED, P.REVERTED) and "a reason" in ended.reason:
        assert ended.reason.startswith(f"{verb} by uid 1000 (ann): a reason")


async def _alerts(daemon: Daemon, expected: AlertEffect) -> None:
    before = await daemon.service.deployments(1)
    answer = await daemon.service.alert(alert(daemon))
    assert answer.effect is expected
    assert answer.durable
    assert bool(answer.reason) == (expected is RECORDED)
    if before and daemon.engine.run is not None:
        ended = await daemon.end()
        assert (ended.cause == "alert") == (expected is TAKES_EFFECT)
        assert ended.phase is P.REVERTED or expected is RECORDED


# --- what the table says beside its cells


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


async def test_an_abort_lets_the_proof_of_the_live_colour_finish_and_then_gives_up(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.PROVING)
        await VERBS["abort"](daemon)
        ended = await daemon.end()
    assert ended.path[-2:] == (P.PROVING, P.ABANDONED)
    assert len(outside.smoke.asked) == 2, "before the backup, and on the changed schema"


async def test_an_abort_lets_the_proof_of_the_live_colour_finish_and_red_counts_as_failed(outside: Outside) -> None:
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
