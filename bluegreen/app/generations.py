"""The number that grows with each of our writes to the balancer, and shuts out every write that was made before it.

It is remembered in the journal before it is used: a daemon that dies between the two skips one, and uses none twice.
Where users are away from a colour that can serve them, a journal that takes no writes does not keep them there: the
number then grows in memory alone, above everything that the balancer itself shows.
"""

from bluegreen.app.news import News
from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.errors import JournalFailed

LAST, SERVED = "last", "served"
"""The highest that was ever taken; the one under which users were last proved to be where they should be."""


async def last(world: World) -> int:
    """The highest that the journal knows; 0 before the first. Raises JournalFailed."""
    return int(await world.journal.fact("generation", LAST) or 0)


async def served(world: World) -> int | None:
    """That of the last write that was proved; None before the first. Raises JournalFailed."""
    known = await world.journal.fact("generation", SERVED)
    return None if known is None else int(known)


async def proved(world: World, generation: int | None) -> None:
    """Remember under which one users are where they should be. Raises JournalUnwritable."""
    await world.journal.keep("generation", SERVED, generation)


async def take(world: World, seen: int) -> int:
    """Take the next one, above `seen`, while nothing is deployed. Raises JournalFailed, and then none was taken.

    The caller holds the engine's lock.
    """
    generation = max(await last(world), seen) + 1
    await remember(world, generation)
    return generation


async def remember(world: World, generation: int) -> None:
    """Remember that one was taken. Raises JournalUnwritable."""
    await world.journal.keep("generation", LAST, generation)


async def take_anyway(world: World, news: News, seen: int) -> int:
    """The same, also where the journal cannot write it. Raises JournalFailed where it cannot even be read."""
    try:
        return await take(world, seen)
    except JournalFailed as exc:
        news.failed(exc)
        return max(await last(world), seen) + 1


async def claim(run: Run, seen: int) -> int:
    """Take the next one for a deployment, above `seen` and all of its own. Raises JournalFailed."""
    run.generation = generation = max(await last(run.world), seen, run.generation) + 1
    await remember(run.world, generation)
    return generation


async def claim_anyway(run: Run, seen: int) -> int:
    """The same, also where the journal does not take it."""
    try:
        return await claim(run, seen)
    except JournalFailed as exc:
        run.news.failed(exc)
        run.generation = max(run.generation, seen) + 1
        return run.generation
