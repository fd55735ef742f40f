"""The watch loop: WATCHING and STANDING_BY, from the switch until the release may stay or has to go.

The trial runs on through both phases. What a verdict leads to stands here; how it is reached, in the domain.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bluegreen.app import after_switch, fallback, handover, streams
from bluegreen.app.attention import Interruption
from bluegreen.app.recording import keep_evidence
from bluegreen.app.run import Run
from bluegreen.app.standby import way_back_watched
from bluegreen.app.waiting import woken
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Kind

TICK = 0.1
"""Seconds between two looks at the clock; a bad line is judged at once and waits for none."""

KEEP = 3.0
"""Seconds between two saves of the evidence and of the sources' positions."""

log = structlog.get_logger("bluegreen")


async def watch(run: Run, seconds: float) -> Answer:
    """Watch the new colour until this phase has lasted `seconds` without a regression, or one is found."""
    after_switch.begin(run, run.new_target)
    async with attended(run), handover.beside(run):
        return await _decide(run, seconds)


@asynccontextmanager
async def attended(run: Run) -> AsyncIterator[None]:
    """While this lasts the trial's time passes, the evidence is kept, the way back is watched, and it is noticed when
    nobody watched."""
    run.watch.tick()
    run.watch.attention.begin()
    interruptions: asyncio.Queue[Interruption] = asyncio.Queue()
    async with way_back_watched(run), asyncio.TaskGroup() as group:
        aside = [
            group.create_task(_keep_evidence(run), name="watch:evidence"),
            group.create_task(_tick(run, interruptions), name="watch:clock"),
            group.create_task(_tell_interruptions(run, interruptions), name="watch:interruptions"),
            group.create_task(streams.keep_counting(run), name="watch:streams"),
        ]
        try:
            yield
        finally:
            run.watch.looked_at = None
            run.watch.attention.end()
            for task in aside:
                task.cancel()


@asynccontextmanager
async def regression_that_counts(run: Run) -> AsyncIterator[asyncio.Event]:
    """Is set once a regression is found that users may be sent back for: not while the way back is lost."""
    counts = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_wait_for_regression(run, counts), name="switch:regression")
        try:
            yield counts
        finally:
            task.cancel()


async def _wait_for_regression(run: Run, counts: asyncio.Event) -> None:
    while True:
        if not await woken(run.watch.regressed, TICK):
            run.watch.tick()  # users meet the new colour already: what they get has a moment, and fresh bets
            continue
        if not why_not_back(run):
            counts.set()
            return
        await asyncio.sleep(TICK)


async def _decide(run: Run, seconds: float) -> Answer:
    """Wait for whatever comes first: a regression, or the end of the window with a verdict that lets it end."""
    while True:
        run.watch.looked_at = run.world.clock.monotonic()
        judgement = run.watch.judge(run.deployment.plan.terms)
        if judgement is None:
            return Answer(Outcome.FAILED, "nothing is on trial: the evidence was lost", Cause.INTERNAL)
        answer = await _consider(run, judgement, seconds)
        if answer is None or answer.outcome is Outcome.DONE:
            answer = await _not_handed_over(run) or answer
        if answer is not None and not _waits_for_parts(run, answer):
            return answer
        await woken(run.watch.regressed, TICK)


async def _consider(run: Run, judgement: Judgement, seconds: float) -> Answer | None:
    fell_back = fallback.found(run)
    worse = judgement.verdict is Verdict.REGRESSED
    if fell_back:
        answer = await _fell_back(run, fell_back)
        if answer is not None or not worse:
            return answer or _ordered_on(run, judgement)
    elif run.watch.fell_back.sure and not worse:
        await fallback.look_for_another(run)
    if worse:  # whatever else is seen, and cannot be made sure of: these users were answered by the new colour
        return await regressed(run, judgement) or _ordered_on(run, judgement)
    run.held = ""
    run.watch.regressed.clear()
    if run.elapsed < seconds or not run.watch.caught_up():
        return _ordered_on(run, judgement)
    return _ordered_on(run, judgement) or await _window_passed(run, judgement)


async def _not_handed_over(run: Run) -> Answer | None:
    """The live-only parts do not come along: the release does not work, whatever its users got until now."""
    reason = run.handover.failed
    if not reason:
        return None
    held = why_not_back(run)
    if not held and not run.pause.active():
        return Answer(Outcome.FAILED, reason, Cause.STEP_FAILED)
    if held:
        run.held = f"{held}: {reason}"
        await run.page("live-only-held", f"{reason}; and {held}", next="bluegreen status")
    else:
        await _withhold(run, reason)
    return None


def _waits_for_parts(run: Run, answer: Answer) -> bool:
    """Whether a phase that is over is kept up until the live-only parts have arrived; a person who says that it is over
    ends it all the same, where they failed to."""
    parts = run.handover
    if answer.outcome is not Outcome.DONE or parts.settled:
        return False
    if parts.failed and run.orders.why_over(run.deployment.phase):
        return False
    run.held = f"the live-only parts have not arrived: {parts.failed or parts.doing}"
    return True


async def _fell_back(run: Run, reason: str) -> Answer | None:
    """The balancer itself sent users to the old colour: decided once, so that a colour that comes and goes does not
    take them back and forth."""
    run.watch.regressed.clear()
    held = why_not_back(run)
    waits = bool(held) or run.pause.active()
    if not (waits and run.held) and not await fallback.sent_to_new(run):
        return None
    if not held and not run.pause.active():
        return Answer(Outcome.FAILED, reason, Cause.REGRESSED, facts={"verdict": reason})
    await _leave_to_people(run, held, reason, reason)
    return None


def _ordered_on(run: Run, judgement: Judgement) -> Answer | None:
    """A person decided that the phase is over; the verdict of that moment is kept with it."""
    why = run.orders.why_over(run.deployment.phase)
    if not why:
        return None
    return Answer(Outcome.DONE, f"{why} ({judgement.describe()})", facts={"verdict": judgement.describe()})


async def regressed(run: Run, judgement: Judgement) -> Answer | None:
    """Go back, unless only a person may decide that: then the phase is held and a person is called."""
    reason = "; ".join(judgement.reasons)
    held = why_not_back(run)
    if not held and not run.pause.active():
        run.convicted = judgement
        return Answer(Outcome.FAILED, reason, Cause.REGRESSED, facts={"verdict": judgement.describe()})
    run.watch.regressed.clear()
    await _leave_to_people(run, held, reason, f"{run.deployment.new} is worse ({reason})")
    return None


async def _leave_to_people(run: Run, held: str, reason: str, told: str) -> None:
    """Hold the phase, and call a person: users are not sent back by themselves (`held` says why), or it is paused."""
    if not held:
        await _withhold(run, told)
        return
    run.held = f"{held}: {reason}"
    await run.page("regressed-held", f"{told}, and {held}", next="bluegreen cutback")


async def _withhold(run: Run, reason: str) -> None:
    """Say what would be done now, were it not paused; once is enough, the status says it all the while."""
    run.held = f"{run.pause.reason}; would have cut back: {reason}"
    text = f"{reason}, which would have been cut back, but automation is {run.pause.reason}"
    if await run.page("cutback-withheld", text, next="bluegreen cutback"):
        await run.tell("cutback.withheld", reason=reason, paused=run.pause.reason, severity="warning")


def why_not_back(run: Run) -> str:
    """Why users are not sent back by themselves, whatever is found; empty where they may be."""
    if run.deployment.plan.kind is Kind.ROLLBACK:
        return "a rollback is only taken back by an operator"
    if run.deployment.plan.live_is_down:
        return f"{run.deployment.old} was down when this began: there is no way back"
    if run.watch.standby.lost:
        return f"there is no way back, {run.deployment.old} does not answer ({run.watch.standby.detail})"
    return ""


async def _window_passed(run: Run, judgement: Judgement) -> Answer | None:
    terms = run.deployment.plan.terms
    if judgement.verdict is Verdict.BLIND or judgement.unseen:
        reason = "; ".join(judgement.reasons) if judgement.silent else "no sample came at all"
        return await blind(run, reason, run.seconds_left())
    if judgement.no_traffic and terms.on_no_traffic == "hold":
        await hold(run, "no-traffic", "no user came to the new colour, only our own probes")
        return None
    if run.pause.active():
        await _wait_for_resume(run)
        return None
    if judgement.verdict is Verdict.UNDECIDED and run.deployment.phase is Phase.WATCHING:
        await run.warn(f"the window passed undecided: {'; '.join(judgement.reasons)}")
    for words in judgement.warnings:
        await run.warn(f"a signal was not judged: {words}")
    return Answer(Outcome.DONE, judgement.describe(), facts={"verdict": judgement.describe()})


async def _wait_for_resume(run: Run) -> None:
    """The window is over, and a person said that nothing goes on by itself; the deadline only pages."""
    run.held = f"{run.pause.reason}; the time of {run.deployment.phase} is over"
    left = run.seconds_left()
    if left is not None and left <= 0:
        text = f"{run.deployment.phase} waits past its deadline: automation is {run.pause.reason}"
        await run.page("paused", text, next="bluegreen resume --reason '...'")


async def blind(run: Run, reason: str, left: float | None) -> Answer | None:
    """Nobody knows how users fare: wait for data for `left` seconds, then hold or go back, as configured."""
    if left is not None and left > 0:
        run.held = f"blind ({reason}), waiting for data"
        return None
    if run.deployment.plan.terms.on_blind == "cutback" and not why_not_back(run):
        if not run.pause.active():
            return Answer(Outcome.FAILED, f"blind: {reason}", Cause.BLIND)
        await _withhold(run, f"nobody can tell how users of {run.deployment.new} fare ({reason})")
        return None
    await hold(run, "blind", f"nobody can tell how users fare: {reason}")
    return None


async def hold(run: Run, key: str, text: str) -> None:
    """The watch does not end for this reason; a person is called once."""
    run.held = text
    await run.page(key, f"{run.deployment.new} is live but the watch does not end: {text}", next="bluegreen cutback")


async def _tick(run: Run, interruptions: asyncio.Queue[Interruption]) -> None:
    while True:
        await asyncio.sleep(TICK)
        interruption = run.watch.tick()
        if interruption is None:
            continue
        if interruption.slept:
            run.begin_anew()  # more than our own process stood still
        interruptions.put_nowait(interruption)


async def _tell_interruptions(run: Run, interruptions: asyncio.Queue[Interruption]) -> None:
    """Beside the clock: a journal that hangs must not look like another interruption."""
    while True:
        interruption = await interruptions.get()
        seconds = round(interruption.seconds, 1)
        if interruption.slept:
            await run.tell("watch.restarted", seconds=seconds, reason="the machine was suspended", severity="warning")
        else:
            await run.tell("watch.interrupted", seconds=seconds, reason="the daemon did not run", severity="warning")


async def _keep_evidence(run: Run) -> None:
    """Save trial, positions and elapsed time together, so that a restart judges what came meanwhile."""
    while True:
        await asyncio.sleep(KEEP)
        if run.watch.trial is None:
            continue
        try:
            await keep_evidence(run)
        except JournalFailed as exc:
            run.news.failed(exc)
        except Exception:  # the supervisor: users are not sent back for a flaw in what only a restart would need
            log.exception("evidence.crashed", deployment=run.deployment.id)
