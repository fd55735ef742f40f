"""What really runs of a colour, written down when it was started: which images, by digest, and since when."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, RunnerFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Json
from bluegreen.domain.running import Running, Started, brief, differences, moved_tags
from bluegreen.domain.traffic import Colour

KEPT = "runs"
"""The fact that keeps what a colour was started with, by colour."""

DIGEST = "image"
"""The fact that keeps which image a reference named last, by reference."""

BUDGET = 15.0
"""Seconds that one look may take: ssh with its own time limits, then the engine."""

Warn = Callable[[str], Awaitable[None]]


async def parts_of(world: World, colour: Colour) -> tuple[Part, ...]:
    """What runs of a colour now. Raises RunnerFailed, TimeoutError."""
    try:
        async with asyncio.timeout(BUDGET):
            found = await world.runners[colour].parts()
    except (BluegreenError, TimeoutError):
        raise
    except Exception as exc:  # whatever an engine prints: a look ends no deployment, and no daemon that watches users
        raise RunnerFailed(f"what runs of {colour} was not understood: {type(exc).__name__}: {exc}") from exc
    return tuple(replace(part, detail=world.redact(part.detail)) for part in found)


async def write_down(world: World, colour: Colour, release: Release, deployment: str, warn: Warn) -> tuple[Part, ...]:
    """Remember what a colour runs that was just started, and by which image. What cannot be told is a warning; nothing
    is held up by it. Raises JournalUnwritable."""
    try:
        parts = await parts_of(world, colour)
    except (BluegreenError, TimeoutError) as exc:
        await warn(f"what really runs of {colour} cannot be told: {words(exc)}")
        await world.journal.forget(KEPT, colour)
        world.what_runs.pop(colour, None)
        return ()
    if not parts:  # nobody can ever tell: a runner of plain commands
        if await world.journal.fact(KEPT, colour) is not None:
            await world.journal.forget(KEPT, colour)
        return ()
    now = world.clock.now()
    started = Started(release.version, now, parts, release.images, deployment)
    await _warn_of_moved_tags(world, parts, warn)
    found = differences(started, parts, world.runners[colour].live_only)
    for difference in found:
        await warn(f"{colour}: {difference.text}")
    await keep(world, colour, started)
    world.what_runs[colour] = Running(release.version, parts, now, now, found)
    return parts


def as_fact(parts: tuple[Part, ...]) -> Json:
    """Parts as they are kept with a deployment."""
    made: Json = msgspec.to_builtins(parts)
    return made


async def keep(world: World, colour: Colour, started: Started) -> None:
    """Remember what a colour was started with, and which image each reference named. Raises JournalUnwritable."""
    await world.journal.keep(KEPT, colour, msgspec.to_builtins(started))
    for part in started.parts:
        if part.image and part.digest:
            await world.journal.keep(DIGEST, part.image, part.digest)


async def _warn_of_moved_tags(world: World, parts: tuple[Part, ...], warn: Warn) -> None:
    known: dict[str, str] = {}
    for part in parts:
        if part.image:
            known[part.image] = str(await world.journal.fact(DIGEST, part.image) or "")
    for image, was, now in moved_tags(parts, known):
        await warn(
            f"{image} is another image than the last time it ran here ({brief(now)}, before {brief(was)}): the tag"
            " was pushed over, or built anew"
        )


def words(exc: BaseException) -> str:
    """Why nobody can tell."""
    return exc.detail if isinstance(exc, BluegreenError) else f"no answer within {BUDGET:g} s"
