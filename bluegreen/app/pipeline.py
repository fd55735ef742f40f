"""While not final: attempt the phase, advance by the table, save. And the one exception: going back acts first."""

import asyncio
from dataclasses import asdict, replace

import structlog

from bluegreen.app import switch
from bluegreen.app.boundaries import Boundary
from bluegreen.app.endings import outcome_notice
from bluegreen.app.explanation import last_judgement
from bluegreen.app.orders import Stop
from bluegreen.app.run import Run
from bluegreen.app.steps import STEPS, failure
from bluegreen.app.waiting import Left, until
from bluegreen.domain.deployments import Answer, Cause, Deployment
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.phases import BEFORE_SWITCH, Outcome, Phase
from bluegreen.domain.recovery import Decision, Resume

TIMES_ITSELF = frozenset({Phase.WATCHING, Phase.STANDING_BY, Phase.REVERTING})
"""Phases whose deadline is no failure by itself: their steps know what it means; and so does a canary's."""

FINISHES_FIRST = frozenset({Phase.PROVING})
"""Phases that an abort lets end: red is then worse news than the abort."""

MUST_BE_DURABLE = frozenset(BEFORE_SWITCH) - FINISHES_FIRST
"""Phases that are not begun where the journal refuses. PROVING is: it writes nothing, and to fail it would mean that
users are hurt."""

log = structlog.get_logger("bluegreen")


async def carry(run: Run) -> Deployment:
    """Carry a deployment through its phases to its end, tell it, and return it as it ended."""
    async with asyncio.TaskGroup() as aside:
        run.aside = aside
        while not run.deployment.phase.final:
            await run.reached(Boundary.BEFORE_INTENT)
            answer = await attempt(run)
            await run.reached(Boundary.AFTER_OUTCOME)
            await move_on(run, answer)
        await run.outbox.post(outcome_notice(run.world, run.deployment))  # before what is still done aside
    return run.deployment


async def attempt(run: Run) -> Answer:
    """One attempt at the current phase: its step, cut short by an order to stop or by its deadline."""
    if run.resumed is not None and run.resumed.resume is Resume.FAIL:
        if run.orders.stop is not None and not _seen_by_both(run.orders.stop, run.resumed):
            return _aborted(run)  # what was ordered before the restart explains what was found after it
        return Answer(Outcome.FAILED, run.resumed.reason, run.resumed.cause)
    try:
        return await _step(run)
    except BluegreenError as exc:
        return failure(exc)
    except Exception as exc:  # the supervisor: a bug in a step must still end in a defined place
        log.exception("step.crashed", deployment=run.deployment.id, phase=run.deployment.phase)
        return Answer(Outcome.FAILED, f"internal error in {run.deployment.phase}: {exc!r}", Cause.INTERNAL)


def _seen_by_both(stop: Stop, decision: Decision) -> bool:
    """The reconciler may have found the same before recovery did; that one knows why."""
    return stop.cause is Cause.MOVED_OUTSIDE and decision.cause is not None


async def move_on(run: Run, answer: Answer) -> None:
    """Advance and save. Towards REVERTING the way back is written first, whatever state the journal is in."""
    after = run.deployment.advance(answer, run.world.clock.now())
    if after.phase is Phase.REVERTING and after.moved and not run.way_back_closed:
        run.way_back.decide(run.world.clock, _convicted_in(run, answer))
        await run.world.at_boundary(Phase.REVERTING, Boundary.AFTER_INTENT)
        await _back_at_once(run, answer)
        await run.world.at_boundary(Phase.REVERTING, Boundary.AFTER_ACTION)
    after = replace(after, facts={**after.facts, **last_judgement(run)})
    durable = await run.enter(after, answer=answer.reason, outcome=answer.outcome)
    if not durable and after.phase in MUST_BE_DURABLE:
        failed = Answer(Outcome.FAILED, f"the state directory cannot be written: {run.news.unwritten}")
        await run.enter(after.advance(failed, run.world.clock.now()))


async def _back_at_once(run: Run, answer: Answer) -> None:
    """The write goes out at once. Beside it, and waited for by nobody, the journal is told why: a daemon that dies here
    would else find users on the old colour and take that for somebody else's doing."""
    async with asyncio.TaskGroup() as group:
        told = group.create_task(_remember_why(run, answer), name="remember-why")
        await asyncio.sleep(0)  # it begins now; a commit takes a fraction of what the balancer takes
        await switch.act_first(run)
        told.cancel()


async def _remember_why(run: Run, answer: Answer) -> None:
    if run.orders.stop is not None:
        return  # an order is made durable by whoever gave it
    stop = Stop(answer.cause or Cause.STEP_FAILED, answer.reason, force=run.deployment.phase is Phase.SWITCHING)
    try:
        await run.world.journal.keep("order", run.deployment.id, run.orders.to_json() | {"stop": asdict(stop)})
    except JournalFailed as exc:
        run.news.failed(exc)


async def _step(run: Run) -> Answer:
    phase = run.deployment.phase
    sharing = phase is Phase.CANARYING and bool(run.deployment.plan.terms.canary)
    left = None if phase in TIMES_ITSELF or sharing else run.seconds_left()
    stop = run.never if phase.ignores_abort or phase in FINISHES_FIRST else run.orders.stopped
    if stop.is_set():
        return _aborted(run)  # ordered before anything of this phase had begun
    ended = await until(STEPS[phase](run), name=f"step:{phase}", stop=stop, seconds=_at_least_zero(left))
    if ended.left is Left.LATE:
        return Answer(Outcome.FAILED, f"{phase} passed its deadline: {run.doing or 'it was not done'}", Cause.DEADLINE)
    if ended.result is None or _overruled(run, ended.result):
        return _aborted(run)
    return ended.result


def _overruled(run: Run, answer: Answer) -> bool:
    """A stop that came while the step was finishing still counts, unless the step found something worse."""
    phase = run.deployment.phase
    stopped = run.orders.stopped.is_set() and not phase.ignores_abort
    return stopped and answer.outcome is Outcome.DONE and not run.deployment.stopped


def _convicted_in(run: Run, answer: Answer) -> float | None:
    """Seconds from the first bad answer to now, where the watch decided."""
    return run.watch.seconds_to_convict(run.deployment.plan.terms) if answer.cause is Cause.REGRESSED else None


def _aborted(run: Run) -> Answer:
    stop = run.orders.stop
    if stop is None:
        return Answer(Outcome.ABORTED, "stopped", Cause.OPERATOR)
    return Answer(Outcome.ABORTED, stop.reason, stop.cause)


def _at_least_zero(seconds: float | None) -> float | None:
    return None if seconds is None else max(seconds, 0.0)
