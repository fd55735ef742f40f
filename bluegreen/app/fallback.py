"""The old colour as the fallback inside the balancer: noticed when it answers, and taken away when it is to be stopped.

While a release is watched, the balancer itself may let the old colour answer what the new one does not, also while we
are dead. That hides from users what must be decided all the same: a colour that comes and goes would take its users
back each time (docs/caddy.md). What counts stands in domain/fallback.py.
"""

import asyncio

from bluegreen.app import generations, restoring
from bluegreen.app.arrival import PROOF_SECONDS, look_through_front_door
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_ready
from bluegreen.app.waiting import delays
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import BalancerError, BluegreenError, StepFailed
from bluegreen.domain.fallback import FellBack
from bluegreen.domain.phases import Outcome
from bluegreen.domain.recovery import END_FALLBACK
from bluegreen.domain.traffic import Traffic

LOOK = 2.0
"""Seconds for reading where users are sent, before they are sent back for what was seen."""

AGAIN = 0.5
"""Seconds after which that is read again, where it could not be."""

TRIES = 15.0
"""Seconds for which taking the fallback away is tried; the old colour is not stopped before."""

PAUSED = 5.0
"""Seconds between two looks at whether a pause is over."""


def found(run: Run) -> str:
    """That the balancer itself fell back, in words; empty where it did not, or there is no fallback."""
    seen, deployment = run.watch.fell_back, run.deployment
    if not (seen.sure and run.fallback):
        return ""
    return seen.describe(deployment.old, deployment.new, run.world.balancer_name)


async def sent_to_new(run: Run) -> bool:
    """Whether the balancer was really told to send users to the new colour, with the old one as its fallback, when the
    old one answered: where somebody else moved them, that is the reconciler's, and counted anew. Also False while that
    cannot be read."""
    traffic = await _traffic(run)
    if traffic is None:
        return False
    if traffic.colour is run.deployment.new and traffic.fallback:
        return True
    _count_anew(run)
    return False


async def look_for_another(run: Run) -> None:
    """The old colour answers, and nobody told the balancer to ask it: a person is called, once. To send users back
    would help nobody, since it is not our balancer that sends them there."""
    traffic = await _traffic(run)
    if traffic is None:
        return
    seen = run.watch.fell_back
    _count_anew(run)
    if traffic.colour is run.deployment.new:
        old, name = run.deployment.old, run.world.balancer_name
        text = f"{name} sends users to {run.deployment.new}, and {seen.owed()} came from {old}"
        await run.page("both-colours", f"{text}: does a second {name} listen on the same port?", next="ss -ltnp")


async def _traffic(run: Run) -> Traffic | None:
    """Where users are sent; None where that cannot be read, after a moment."""
    try:
        async with asyncio.timeout(LOOK):
            traffic = await run.world.balancer.observe()
    except (BalancerError, TimeoutError):
        run.held = f"{run.deployment.old} answers users, and where they are sent cannot be read"
        await asyncio.sleep(AGAIN)
        return None
    run.held = ""
    return traffic


def _count_anew(run: Run) -> None:
    run.watch.fell_back = FellBack()
    run.watch.fell_back.settle(run.world.clock.now().timestamp())


async def end(run: Run) -> Answer | None:
    """Take the fallback away, proved before and after: the new colour must answer by itself. An answer where users have
    to go back, None when it is away. Raises StepFailed: the old colour has to stay up."""
    if not run.fallback:
        return None
    run.note(f"making sure that {run.deployment.new} answers without {run.deployment.old} as its fallback")
    fallen = await _not_alone(run, "still answers for it")
    if fallen is None:
        moved = await _take_away(run)
        fallen = moved or await _not_alone(run, "was its fallback until now")
    return fallen


async def _not_alone(run: Run, role: str) -> Answer | None:
    """Users go back where the new colour does not answer them; not in a pause, which is waited for."""
    old, new = run.deployment.old, run.deployment.new
    while True:
        landing = await look_through_front_door(run.world, new, PROOF_SECONDS)
        if landing.answered:
            return None
        try:
            await require_ready(run.world, run.old_target)
        except BluegreenError as exc:
            raise StepFailed(f"{old} stays up: {landing.detail}, and {exc.detail}") from exc
        reason = f"{new} does not answer its users, and {old} {role}: {landing.detail}"
        if not run.pause.active():
            return Answer(Outcome.ABORTED, reason, Cause.REGRESSED)
        run.note(f"{run.pause.reason}; would have cut back: {reason}")
        text = f"{reason}; nothing is done: automation is {run.pause.reason}"
        await run.page("cutback-withheld", text, next="bluegreen cutback")
        await asyncio.sleep(PAUSED)


async def _take_away(run: Run) -> Answer | None:
    """Write the new colour alone, until that is read back."""
    clock, old, new = run.world.clock, run.deployment.old, run.deployment.new
    until = clock.monotonic() + TRIES
    for delay in delays():
        try:
            traffic = await run.world.balancer.observe()
            if traffic.colour is not new:
                reason = f"traffic was moved outside bluegreen, it should be on {new}: {traffic.describe()}"
                return Answer(Outcome.ABORTED, reason, Cause.MOVED_OUTSIDE)
            await _write(run, traffic.highest_generation)
        except BalancerError as exc:
            if clock.monotonic() >= until:
                raise StepFailed(f"{old} stays up: it is still the fallback of {new}: {exc.detail}") from exc
            await asyncio.sleep(delay)
        else:
            return None
    raise AssertionError  # the delays have no end


async def _write(run: Run, seen: int) -> None:
    """One attempt, between its intent and its outcome. Raises a BalancerError where it is not so."""
    new = run.deployment.new
    generation = await generations.claim(run, seen)
    async with run.action(END_FALLBACK, to=new, generation=generation):
        run.fallback = False  # nobody stamps it on again: while the intent is open, nothing is stamped at all
        await restoring.write(run.world, new, generation, expected=new)
    await generations.proved(run.world, generation)
    await run.tell("fallback.ended", to=new, generation=generation)
