"""What a colour was started with: whether its variables are others by now.

A process has its variables from its start. An idle colour that runs the release already (for inspection after a
cutback, or started by hand) must be stopped before it gets others; and where the files of the live colour were edited,
what is compared is not what runs.
"""

from bluegreen.app import environments
from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.plans import Release
from bluegreen.domain.prints import digest_of
from bluegreen.domain.traffic import Colour

FACT = "variables"


async def now(world: World, colour: Colour, release: Release) -> str:
    """A digest that stands for what a colour would be given; "" where that is not known."""
    if world.variables is None:
        return ""
    try:
        prints = await world.variables.of(colour, release)
    except BluegreenError:
        return ""  # PREPARING refused it; should it have gone since, whoever starts the colour will say so
    return digest_of(prints) if prints is not None else ""


async def stop_if_others(run: Run, given: str) -> None:
    """Ensure that the idle colour does not go on with another release, or with other variables, than it is to be given:
    it may have been left running for inspection, and not every `up` replaces what runs."""
    world, colour = run.world, run.deployment.new
    runs = await environments.running(world, colour)
    if not runs:
        return
    if runs != run.deployment.plan.release.version:
        run.note(f"stopping {colour}: it still runs {runs}")
    elif given and await world.journal.fact(FACT, colour) != given:
        run.note(f"stopping {colour}: its variables are others now")
    else:
        return
    async with run.action("stop", colour=colour):
        await run.keep_output(f"down {colour}", await environments.stop(world, colour))


async def remember(world: World, colour: Colour, given: str) -> None:
    """Keep what a colour was started with."""
    if given:
        await world.journal.keep(FACT, colour, given)
    else:
        await world.journal.forget(FACT, colour)


async def edited(world: World, colour: Colour, release: Release | None) -> bool:
    """Whether the files of a colour were changed since it was started with them."""
    kept = await world.journal.fact(FACT, colour)
    if kept is None or release is None:
        return False
    given = await now(world, colour, release)
    return given not in ("", kept)
