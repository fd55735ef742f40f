"""RETIRING: the old colour is no fallback any more, is drained and stopped; from then on the way back is a rollback.

It is stopped once nothing is under way there, slice by slice where the colour has slices: the clients of each connect
anew, to the new colour, before those of the next do.
"""

import asyncio

from bluegreen.app import environments, fallback, streams, switch
from bluegreen.app.recording import keep_last
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import BalancerError, LiveColourProtected, RunnerFailed, StepFailed
from bluegreen.domain.phases import Outcome, Phase

LOOK = 1.0
"""Seconds between two looks at what is still under way."""

SHORTEST = 0.01
"""Seconds of the last wait: what is left may be less than the clock can tell apart."""

QUIET_LOOKS = 2
"""Looks in a row without anything under way, after which the old colour is quiet: one may fall between two requests."""

REMEMBER = 5.0
"""Seconds between two saves of how long it has lasted."""

PUT_BACK = 30.0
"""Seconds for which a colour of which parts are stopped already is not touched because users were moved there: the
reconciler puts them back."""


async def retiring(run: Run) -> Answer:
    """Drain and stop the old colour; not while a restarted Caddy would still come up on it."""
    old = run.deployment.old
    run.watch.adopt()
    run.watch.close()
    await keep_last(run)
    await switch.close_card(run)
    if not run.deployment.stopped:
        answer = await _let_go(run)
        if answer is not None:
            return answer
        await run.update(stopped=True)
    await _stop_slices(run)
    await _until_left(run)
    run.note(f"stopping {old}")
    async with run.action("stop", colour=old):
        await run.keep_output(f"down {old}", await environments.stop(run.world, old))
    await environments.keep_stopped(run.world, old)
    run.still_open = None
    return Answer(Outcome.DONE, f"{old} is stopped")


async def _let_go(run: Run) -> Answer | None:
    """Everything before the first stop: until then there is a way back, and an answer is that way. Raises StepFailed:
    the old colour stays up."""
    old = run.deployment.old
    await switch.persist(run, run.deployment.new)
    if run.world.balancer.persisted() not in (None, run.deployment.new):
        raise StepFailed(f"{old} stays up: the snippet files still name it")
    answer = await fallback.end(run)
    if answer is not None:
        return answer
    await _drain(run)
    try:
        await environments.refuse_live(run.world, old, "stopped")
    except LiveColourProtected as exc:
        if isinstance(exc.__cause__, BalancerError):
            raise  # nobody knows where users are: nothing is stopped, and nothing is moved
        return Answer(Outcome.ABORTED, exc.detail, Cause.MOVED_OUTSIDE)
    return None


async def _drain(run: Run) -> None:
    """Wait until nothing is under way on the old colour, at most for the time of the plan; for all of it where nobody
    can tell."""
    old, quiet, saved = run.deployment.old, 0, run.elapsed
    while (left := run.deployment.plan.terms.drain - run.elapsed) > 0:
        run.still_open = await streams.still_open(run.world, old)
        quiet = quiet + 1 if run.still_open == 0 else 0
        if quiet == QUIET_LOOKS or run.orders.why_over(Phase.RETIRING):
            break
        run.note(_draining(run, left))
        await asyncio.sleep(max(SHORTEST, min(LOOK, left)))
        if run.elapsed - saved >= REMEMBER:
            saved = run.elapsed
            await run.tick()
    if run.still_open:
        await run.warn(f"{streams.in_words(run.still_open, old)} when it was stopped")


def _draining(run: Run, left: float) -> str:
    old, n = run.deployment.old, run.still_open
    if n is None:
        return f"draining {old}"
    return f"draining {old}: {streams.in_words(n, old)}, at most {left:.0f} s more"


async def _stop_slices(run: Run) -> None:
    """One slice after the other, again from the first after a restart. One that fails is told, and all is stopped."""
    old = run.deployment.old
    slices = run.world.runners[old].slices
    for number in range(slices):
        await _until_left(run)
        name = f"slice {number + 1} of {slices} of {old}"
        run.note(f"stopping {name}")
        try:
            async with run.action("stop_slice", colour=old, slice=number):
                await run.keep_output(name, await environments.stop_slice(run.world, old, number))
        except RunnerFailed as exc:
            await run.warn(f"{name} was not stopped by itself, all of {old} is stopped at once: {exc.detail}")
            return
        run.still_open = await streams.still_open(run.world, old)
        await asyncio.sleep(run.deployment.plan.terms.slice_pause)


async def _until_left(run: Run) -> None:
    """Return when users are not on the old colour: others may have moved them since parts of it were stopped. Raises
    LiveColourProtected where they stay there."""
    until = run.world.clock.monotonic() + PUT_BACK
    while True:
        try:
            await environments.refuse_live(run.world, run.deployment.old, "stopped")
        except LiveColourProtected:
            if run.world.clock.monotonic() >= until:
                raise
            await asyncio.sleep(LOOK)
        else:
            return
