"""A journal that was damaged and begun anew: people are told what is missing, and nothing begins before one said so.

What was quarantined, wanted and live is not known then; where users are is read from the balancer, and the way back
of a release that was being watched is on its card.
"""

from bluegreen.app import generations
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.requests import PlanRequest
from bluegreen.app.world import World
from bluegreen.domain.errors import GateRefused, JournalFailed, JournalUnreadable, NotFound, WrongPhase
from bluegreen.domain.plans import Kind
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Card

KIND, KEY = "journal", "damaged"


async def look(world: World, outbox: Outbox) -> str:
    """What is wrong, in words, told to people once; "" where nothing is. Generations go on above the card's."""
    kept = await world.journal.fact(KIND, KEY)
    if kept is None:
        return ""
    text = f"the journal was damaged and begun anew, the old one is {kept['copy']}; what was quarantined is not known"
    card = await open_card(world)
    todo = "bluegreen deploy RELEASE --force --reason '...' begins again"
    if card is not None:
        todo = f"{card.deployment} was being watched and is not any more: bluegreen cutback --offline"
        await generations.remember(world, max(await generations.last(world), card.generation))
    told = f"{world.project}: {text}. Next: {todo}"
    await outbox.post(Notice(f"damaged:{kept['copy']}", "state.damaged", "critical", told, world.clock.now()))
    return text


async def refuse(world: World, request: PlanRequest, kind: Kind) -> None:
    """Raise GateRefused while nobody has said that it is well to go on; a rollback is a way to the safe side."""
    if kind is Kind.ROLLBACK or (request.force and request.reason):
        return
    kept = await world.journal.fact(KIND, KEY)
    if kept is not None:
        raise GateRefused(
            f"the journal was damaged and begun anew, the old one is {kept['copy']}: what was quarantined is not known",
            next=("bluegreen status", f"bluegreen deploy {request.release} --force --reason '...'"),
        )


async def lift(world: World, news: News) -> str:
    """A person said that it is well to go on: nothing is wrong any more. Should that not be durable, it is told again
    after the next start."""
    try:
        await world.journal.forget(KIND, KEY)
    except JournalFailed as exc:
        news.failed(exc)
    return ""


async def instead_of(world: World, missing: NotFound) -> NotFound | WrongPhase:
    """What to tell somebody who wants back where the journal knows no deployment: the card may know one."""
    card = await open_card(world)
    if card is None:
        return missing
    return WrongPhase(
        f"the journal knows no deployment, but by its card {card.deployment} has a way back to {card.colour}",
        next=("bluegreen cutback --offline",),
    )


async def open_card(world: World) -> Card | None:
    """A card by which users could still go back; None without one, or where it cannot be read."""
    try:
        card = await world.cards.read()
    except JournalUnreadable:
        return None
    return card if card is not None and card.open else None
