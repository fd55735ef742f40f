"""A deployment that an earlier daemon left: its trial, its card, its generation, and what becomes of its phase.

What is decided stands in `domain/recovery.py`; here the world is looked at, since nothing may be assumed.
"""

from dataclasses import replace

from bluegreen.app import generations
from bluegreen.app.news import News
from bluegreen.app.run import Run
from bluegreen.app.waiting import delays, woken
from bluegreen.app.watch import Watch
from bluegreen.app.world import World
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import BalancerError, JournalFailed, JournalUnreadable, RouteAmbiguous, RouteNotFound
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Intent
from bluegreen.domain.recovery import END_FALLBACK, READS_TRAFFIC, SPLIT, SWITCH, Decision, Resume, resume, split_of
from bluegreen.domain.traffic import Traffic

PAGE_AFTER = 8
"""Failed looks (about 16 s) after which a human is called, while the looks go on."""

TRIAL_PHASES = frozenset({Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})

WATCHED = frozenset({Phase.WATCHING, Phase.STANDING_BY})

FALLBACK_PHASES = WATCHED | {Phase.SWITCHING, Phase.RETIRING}


async def take_up_trial(world: World, news: News, watch: Watch, deployment: Deployment) -> Deployment:
    """Go on with the trial as it was kept; where data of meanwhile is missing, the window starts anew.

    Before the sources run, since they take up their positions.
    """
    if deployment.phase not in TRIAL_PHASES:
        return deployment
    kept = await world.journal.fact("watch", deployment.id)
    if deployment.phase is Phase.CANARYING and kept is None:
        return deployment  # nobody met the new colour yet
    if deployment.phase in WATCHED:  # before that nobody knows yet where users are
        watch.moved(deployment.new)
    try:
        whole = kept is not None and watch.reopen(deployment.new, kept)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:  # another program kept it
        await news.tell("evidence.unusable", deployment=deployment.id, reason=repr(exc), severity="warning")
        whole = False
    if watch.trial is None:
        watch.open(deployment.new, deployment.plan, **_canary(deployment))
    return deployment if whole else replace(deployment, elapsed=0.0)


def _canary(deployment: Deployment) -> dict[str, bool]:
    return {"side_by_side": True} if deployment.phase is Phase.CANARYING else {}


async def take_up_fallback(run: Run) -> Run:
    """Find out whether the old colour should be the fallback of the new one: from the switch until that was taken away
    again. Before the reconciler looks. What it answers counts on from where it was saved, or from now on."""
    if run.deployment.phase in WATCHED:
        run.watch.fell_back.settle(run.world.clock.now().timestamp())
    if run.deployment.plan.terms.fallback and run.deployment.phase in FALLBACK_PHASES:
        intents = await run.world.journal.intents(run.deployment.id)
        run.fallback = not any(each.action == END_FALLBACK and each.outcome is Outcome.DONE for each in intents)
    return run


async def take_up(run: Run) -> None:
    """Look at the world and decide how the saved phase goes on: `run.resumed` for its first attempt."""
    reads = run.deployment.phase in READS_TRAFFIC
    traffic = await _read_traffic(run) if reads else await _glance(run)
    await _know_generation(run, traffic)
    await take_up_card(run)
    run.count_on()
    if reads and traffic is None:
        run.resumed = Decision(Resume.FAIL, f"it was ordered before {run.world.balancer_name} could be read")
    else:
        moved = await _last_move(run)
        run.resumed = _unless_paused(run, resume(run.deployment, moved, traffic))
        if moved is not None and moved.action == SPLIT and run.resumed.resume is not Resume.FAIL:
            run.split = split_of(moved)
    await _tell(run, run.resumed)


def _unless_paused(run: Run, decision: Decision) -> Decision:
    """What somebody else moved while a release was watched is not answered during a pause: the reconciler tells it, and
    acts after `resume`."""
    watched = run.deployment.phase in WATCHED | {Phase.CANARYING}
    if not watched or decision.cause is not Cause.MOVED_OUTSIDE or not run.pause.active():
        return decision
    return Decision(Resume.RUN_AGAIN, f"{decision.reason}; automation is {run.pause.reason}")


async def take_up_way_back(run: Run) -> None:
    """Find out what the way back of a STRANDED deployment needs, as far as it can be had at once."""
    await _know_generation(run, await _glance(run))
    await take_up_card(run)


async def take_up_card(run: Run) -> None:
    """Give a deployment its card back; the card of an earlier one would lead to the wrong colour."""
    try:
        card = await run.world.cards.read()
    except JournalUnreadable as exc:
        await run.tell("card.unreadable", reason=exc.detail, severity="warning")
        return
    run.card = card if card is not None and card.deployment == run.deployment.id else None


async def _tell(run: Run, decision: Decision) -> None:
    try:
        await run.update()
    except JournalFailed as exc:
        run.news.failed(exc)
    await run.tell(
        "deployment.resumed", attempt=run.deployment.attempt, decision=decision.resume, reason=decision.reason
    )


async def _read_traffic(run: Run) -> Traffic | None:
    """What Caddy serves; asked again until it answers, since nothing may be assumed. Traffic stays meanwhile.

    None where somebody orders to stop before that: then nothing needs to be known, the way back is a write.
    """
    told = ""
    for attempt, delay in enumerate(delays(), start=1):
        try:
            return await run.world.balancer.observe()
        except (RouteNotFound, RouteAmbiguous):
            return Traffic(())  # it answers, and sends users nobody knows where
        except BalancerError as exc:
            reason = exc.detail
        run.note(f"waiting for {run.world.balancer_name}: {reason}")
        if reason != told:
            await run.tell("traffic.unreadable", reason=reason, severity="warning")
            told = reason
        if attempt == PAGE_AFTER:
            name = run.world.balancer_name
            await run.page("unreadable", f"nobody watches {run.deployment.id}: {name} cannot be read: {reason}")
        if await woken(run.orders.stopped, delay):
            return None
    raise AssertionError  # the delays have no end


async def _glance(run: Run) -> Traffic | None:
    """What Caddy serves, where it answers at once: for the generation alone."""
    try:
        return await run.world.balancer.observe()
    except BalancerError:
        return None


async def _know_generation(run: Run, traffic: Traffic | None) -> None:
    known = await generations.last(run.world)
    run.generation = max(known, traffic.highest_generation if traffic else 0)


async def _last_move(run: Run) -> Intent | None:
    """The last intent to move users forward, all of them or a share."""
    intents = await run.world.journal.intents(run.deployment.id)
    return next((intent for intent in reversed(intents) if intent.action in (SWITCH, SPLIT)), None)
