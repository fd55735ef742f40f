"""What was seen while nothing was done (`automation = "observe"`), kept in the journal beside everything else.

People move users by hand meanwhile, and that is then what they want: a daemon that is told to act must not take them
back to where they were before.
"""

from bluegreen.app.news import News
from bluegreen.app.world import World
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour

KIND = "observed"
SERVED, MOVE = "served", "move"
"""The colour that served alone when we looked last; the move by hand that is watched."""


async def served(world: World) -> Colour | None:
    """The colour that served alone at the last look of a daemon that observed; None: there was none. Raises
    JournalFailed."""
    kept = await world.journal.fact(KIND, SERVED)
    return Colour(kept) if kept in tuple(Colour) else None


async def move(world: World) -> dict[str, Json] | None:
    """The move by hand that was watched, as it was kept. Raises JournalFailed."""
    kept = await world.journal.fact(KIND, MOVE)
    return dict(kept) if isinstance(kept, dict) else None


async def accept(world: World, colour: Colour) -> None:
    """Take where people moved users to as what is wanted. Nothing before the first deployment: nobody asked for
    anything then. Raises JournalFailed."""
    if await world.journal.fact("wanted", "colour") not in (None, colour):
        await world.journal.keep("wanted", "colour", colour)


async def leave(world: World, news: News) -> None:
    """From now on it is acted, unless it is observed on: where users were seen last is what people want. Harmless where
    nothing was observed."""
    if world.observes:
        return
    try:
        colour = await served(world)
        if colour is None:
            return
        before = await world.journal.fact("wanted", "colour")
        await accept(world, colour)
        await world.journal.forget(KIND, MOVE)
        await world.journal.forget(KIND, SERVED)
    except JournalFailed as exc:
        news.failed(exc)
        return
    await news.tell("observe.ended", colour=colour, wanted_before=before)
