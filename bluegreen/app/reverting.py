"""REVERTING: keep on until the old colour serves again, proved. The first write was made before this phase began.

Nothing here needs Postgres, a state disk or a receiver of notices. Its deadline only pages: a way back that is
given up helps nobody. It fails only where the old colour cannot serve, or somebody else keeps writing.
"""

from bluegreen.app import after_switch, arrival, generations, handover, stuck, switch
from bluegreen.app.recording import keep_last
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_smoke
from bluegreen.app.waiting import delays
from bluegreen.domain.deployments import Answer
from bluegreen.domain.errors import BalancerError, BluegreenError, JournalFailed
from bluegreen.domain.phases import Outcome, Phase

LANDING_SECONDS = 5.0
"""Seconds within which the front door should show the old colour again."""


async def reverting(run: Run) -> Answer:
    """Ensure that the old colour serves every service."""
    if not run.deployment.moved:
        return await _prove_untouched(run)
    if run.way_back_closed:
        return _stranded(run, f"{run.deployment.old} does not answer, so nothing was written")
    given_up = await _go_back(run)
    if given_up:
        return given_up
    run.watch.close()
    await switch.persist(run, run.deployment.old)
    landing = await arrival.look_through_front_door(run.world, run.deployment.old, LANDING_SECONDS)
    if not landing.answered:
        points = f"{run.world.balancer_name} points at {run.deployment.old}"
        return _stranded(run, f"{points}, but it does not answer users: {landing.detail}")
    if not landing.proved:
        await run.warn(f"users are sent to {run.deployment.old} again, but not all is well there: {landing.detail}")
        await run.page("both-bad", f"users are back on {run.deployment.old}, and not all is well: {landing.detail}")
    await _settle(run)
    await switch.close_card(run)
    await keep_last(run)
    facts = {**run.way_back.facts(), **run.watch.users()}
    await run.tell("traffic.returned", to=run.deployment.old, generation=run.generation, **facts)
    after_switch.begin(run, run.old_target)
    await handover.bring_home(run)
    return Answer(Outcome.DONE, f"{run.deployment.old} serves every service again")


async def _go_back(run: Run) -> Answer | None:
    """Write the way back until it is read back; None when it is so, an answer where it is given up.

    What the front door shows does not end it: a write that got no answer may still land, and only a write of ours
    that is read back shuts it out.
    """
    for delay in delays():
        if run.returned:
            return None
        if run.orders.resolved:
            return _stranded(run, run.orders.resolved)
        if run.attempts.beaten:
            changed = f"{run.world.balancer_name}'s configuration"
            return _stranded(run, f"somebody else keeps changing {changed}: the way back lost three times")
        try:
            await switch.back(run)
        except BalancerError as exc:
            run.attempts.missed(exc)
            await switch.tell_missed(run, exc)
            if not run.attempts.beaten:
                await stuck.wait(run, exc, delay)
    raise AssertionError  # the delays have no end


async def _prove_untouched(run: Run) -> Answer:
    """Nothing was written. After a STRANDED the live colour must pass its checks; else a look is enough."""
    if Phase.STRANDED in run.deployment.path:
        try:
            await require_smoke(run.world, run.old_target)
        except BluegreenError as exc:
            return Answer(Outcome.FAILED, exc.detail, next=_commands(run))
    try:
        traffic = await run.world.balancer.observe()
    except BalancerError as exc:
        await run.warn(f"where the traffic is could not be read back: {exc.detail}")
        return Answer(Outcome.DONE, "nothing was written")
    if traffic.colour is not run.deployment.old:
        await run.warn(f"bluegreen wrote nothing, but traffic is not on {run.deployment.old}: {traffic.describe()}")
    return Answer(Outcome.DONE, "nothing was written, traffic never moved")


async def _settle(run: Run) -> None:
    """Note what is so now; a journal that refuses is told, and what it misses is found again by looking."""
    try:
        await run.conclude_open(Outcome.FAILED, "taken back")
        await generations.remember(run.world, run.generation)
        await generations.proved(run.world, run.generation)
        await run.world.journal.keep("wanted", "colour", run.deployment.old)
    except JournalFailed as exc:
        run.news.failed(exc)


def _stranded(run: Run, reason: str) -> Answer:
    return Answer(Outcome.FAILED, reason, next=_commands(run))


def _commands(run: Run) -> tuple[str, ...]:
    return (
        "bluegreen status",
        "bluegreen cutback --force",
        f"bluegreen resolve {run.deployment.id} --reason '...'",
    )
