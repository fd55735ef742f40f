"""What follows from a deployment's end: what is wanted now, what is quarantined, what is told. Harmless twice."""

from dataclasses import replace
from datetime import datetime, timedelta

from bluegreen.app import environments, marks
from bluegreen.app.explanation import FACT
from bluegreen.app.news import News
from bluegreen.app.overhearing import in_words
from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Colour

INSPECT_AGAIN = timedelta(minutes=5)
"""After this time a colour that could not be stopped is stopped again."""

SEVERITIES = {Phase.LIVE: "info", Phase.ABANDONED: "warning", Phase.REVERTED: "warning", Phase.STRANDED: "critical"}


async def settle(world: World, deployment: Deployment) -> None:
    """Write down what follows from the end. Raises JournalUnwritable."""
    if deployment.phase is Phase.LIVE:
        await _settle_live(world, deployment)
    elif deployment.phase is Phase.REVERTED:
        await _settle_reverted(world, deployment)
    await world.journal.forget("order", deployment.id)
    await world.journal.forget("watch", deployment.id)
    await world.journal.forget("canary", deployment.id)
    await world.journal.keep("ended", deployment.id, deployment.phase)
    await marks.settle(world, deployment)
    await _conclude_open(world, deployment)
    await world.journal.prune(world.keep_deployments)


async def _conclude_open(world: World, deployment: Deployment) -> None:
    """An effect that nobody knew was looked at on the way to the end: nothing is left open, but where the end itself
    says that nobody knows."""
    if deployment.phase is Phase.STRANDED and not deployment.settled:
        return
    for intent in await world.journal.intents(deployment.id):
        if intent.outcome is None:
            note = f"the deployment ended {deployment.phase} before this was answered"
            await world.journal.conclude(intent.id, Outcome.ABORTED, note)


async def close_card(world: World, deployment: Deployment) -> None:
    """The way back by the card alone is over: a person settled the deployment. Raises JournalFailed."""
    card = await world.cards.read()
    if card is not None and card.deployment == deployment.id and card.open:
        await world.cards.write(replace(card, open=False, failsafe=False, written_at=world.clock.now()))


async def _settle_live(world: World, deployment: Deployment) -> None:
    await world.journal.keep("wanted", "colour", deployment.new)
    await world.journal.keep("release", deployment.new, deployment.plan.release.version)
    await world.journal.forget("quarantine", deployment.plan.release.version)


async def _settle_reverted(world: World, deployment: Deployment) -> None:
    """The new colour is left running for inspection; a release that was found worse is not tried again by itself. One
    that serves on the old colour too was not: its configuration was."""
    if deployment.moved:
        await world.journal.keep("wanted", "colour", deployment.old)
    if deployment.found_worse and deployment.plan.release.version != deployment.plan.live_release:
        kept = {"deployment": deployment.id, "reason": deployment.reason}
        await world.journal.keep("quarantine", deployment.plan.release.version, kept)
    until = world.clock.now() + timedelta(seconds=deployment.plan.terms.inspect)
    await world.journal.keep("inspect", deployment.new, {"until": until.isoformat(), "deployment": deployment.id})


async def inspected_long_enough(world: World) -> Colour | None:
    """A colour whose time for inspection is over; None where there is none."""
    for key, kept in (await world.journal.facts("inspect")).items():
        if datetime.fromisoformat(kept["until"]) <= world.clock.now():
            return Colour(key)
    return None


async def stop_inspected(world: World, news: News, colour: Colour) -> None:
    """Stop a colour whose time for inspection is over; one that cannot be stopped now is tried again later."""
    kept = await world.journal.fact("inspect", colour)
    try:
        await environments.stop(world, colour)
    except BluegreenError as exc:
        await news.tell("inspection.not_ended", colour=colour, reason=exc.detail, severity="warning")
        again = world.clock.now() + INSPECT_AGAIN
        await world.journal.keep("inspect", colour, {**kept, "until": again.isoformat()})
    else:
        await world.journal.forget("inspect", colour)
        await world.journal.forget("release", colour)
        await news.tell("inspection.ended", colour=colour, deployment=kept["deployment"])


def outcome_notice(world: World, deployment: Deployment) -> Notice:
    """The one message about a deployment's outcome."""
    plan, phase = deployment.plan, deployment.phase
    where = {
        Phase.LIVE: f"is live on {deployment.new}",
        Phase.ABANDONED: f"was given up; users never left {deployment.old}",
        Phase.REVERTED: f"was taken back; users are on {deployment.old}"
        if deployment.moved
        else f"was not switched; users never left {deployment.old}",
        Phase.STRANDED: "needs you: where users are, or how they fare, is not certain",
    }[phase]
    why = f" ({deployment.reason})" if deployment.reason else ""
    noted = f" It gave {words}." if (words := in_words(deployment)) else ""
    todo = f" Next: {deployment.next[0]}" if deployment.next and phase is not Phase.LIVE else ""
    seconds = (world.clock.now() - deployment.created_at).total_seconds()
    severity = "warning" if phase is Phase.LIVE and deployment.reason else SEVERITIES[phase]
    return Notice(
        key=f"{deployment.id}:{len(deployment.path)}:{phase}",
        event=f"deployment.{phase.lower()}",
        severity=severity,
        text=f"{world.project}: {plan.release.version} {where}{why}.{noted}{todo}",
        at=world.clock.now(),
        deployment=deployment.id,
        facts={
            "release": plan.release.version,
            "outcome": phase,
            "cause": deployment.cause,
            "seconds": round(seconds, 1),
            "next": list(deployment.next),
            **{key: value for key, value in deployment.facts.items() if key != FACT},
        },
    )
