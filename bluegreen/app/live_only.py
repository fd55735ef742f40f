"""Parts that must never run twice (workers, schedulers): they run in the colour that serves users, and nowhere else.

Moved are they by two steps, each "ensure": stopped where users are not, then started where they are. What could not be
stopped for certain counts as running, and then nothing is started. Who moves them: handover.py in a deployment,
live_only_keeper.py while none runs. The fact that is kept here is the intent: written before the first step, settled
after the last one.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol

from bluegreen.app import environments
from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, JournalFailed, LiveColourProtected, ReleaseInvalid, StepFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour

FACT, KEY = "live-only", "where"

STOP, START = "stop_live_only", "start_live_only"
"""The two actions, as their intents are called."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which colour should run them. `sure`: it does, by all that was done; else they are on their way, and `problem`
    says why they did not arrive. `told`: people were called about that."""

    colour: Colour
    sure: bool
    problem: str = ""
    told: bool = False


class Stage(StrEnum):
    """Which of the two steps failed."""

    STOP = "stop"
    START = "start"


@dataclass(frozen=True, slots=True)
class Missed:
    """A move that did not succeed, at which step and why. `over_it`: it says nothing of the parts, but that the way to
    them was not free (the journal, the balancer): it is tried again, and counts against nobody."""

    stage: Stage
    error: BluegreenError

    @property
    def over_it(self) -> bool:
        """Whether the parts themselves were not even tried."""
        return isinstance(self.error, JournalFailed | LiveColourProtected)


class Hand(Protocol):
    """Who moves them: what is announced, kept and said on the way."""

    def say(self, text: str) -> None:
        """Say what is done now."""

    def action(self, name: str, colour: Colour) -> AbstractAsyncContextManager[None]:
        """Announce a step before it is tried, and note its outcome after."""

    async def keep(self, where: Where) -> None:
        """Write down where they should be. May raise JournalUnwritable: then nothing is done."""

    async def keep_output(self, name: str, output: str) -> None:
        """Keep what the runner printed."""


def names(world: World) -> tuple[str, ...]:
    """What they are called, whatever the colour (a unit's name holds it); empty where there are none."""
    found = (re.sub(rf"\b{colour}\b", "COLOUR", name) for colour in Colour for name in world.runners[colour].live_only)
    return tuple(dict.fromkeys(found))


def in_words(world: World) -> str:
    """Their names, for people."""
    return ", ".join(names(world))


def planned(world: World, old: Colour) -> str:
    """What a deployment will do with them, as a part of its plan; empty where there are none."""
    if not names(world):
        return ""
    return f"; {in_words(world)}: stop on {old}, then start on {old.other}, once users are there"


async def home_unknown(world: World, old: Colour) -> BluegreenError | None:
    """Why they could not be started again on `old` after a cutback, because nobody knows with what; None where it is
    known, or where there are none."""
    if not names(world):
        return None
    try:
        await environments.release_of(world, old)
    except ReleaseInvalid as exc:
        return StepFailed(
            f"with what {in_words(world)} would be started again on {old} after a cutback is not known: {exc.detail}",
            next=(f"write the release file of what {old} runs now",),
        )
    except BluegreenError as exc:
        return exc
    return None


async def where(world: World) -> Where | None:
    """Where they should be; None where nobody ever moved them: then they run where users are, as they were set up."""
    kept: Json = await world.journal.fact(FACT, KEY)
    return Where(**{**kept, "colour": Colour(kept["colour"])}) if kept else None


async def keep(world: World, now: Where) -> None:
    """Write down where they should be. Raises JournalUnwritable."""
    await world.journal.keep(FACT, KEY, asdict(now))


async def unsettle(world: World, colour: Colour) -> None:
    """They were stopped with the colour that should run them, as in a restoration: whoever looks next starts them
    again. Raises JournalFailed."""
    if names(world):
        await keep(world, Where(colour, sure=False))


async def move(
    world: World, to: Colour, release: Callable[[], Awaitable[Release]], hand: Hand, *, stop: bool = True
) -> Missed | None:
    """Try once to have them run on `to` and nowhere else; None where that is so. `release`: what they are started
    with. Without `stop` it is taken on somebody's word that those of the other colour do not run."""
    stage = Stage.STOP
    try:
        await hand.keep(Where(to, sure=False))
        if stop:
            await _stop(world, to.other, hand)
        stage = Stage.START
        await _start(world, to, await release(), hand)
        await hand.keep(Where(to, sure=True))
    except BluegreenError as exc:
        return Missed(stage, exc)
    return None


def why(world: World, to: Colour, missed: Missed) -> str:
    """What a missed move means, for people."""
    if missed.stage is Stage.STOP:
        return (
            f"{in_words(world)} cannot be stopped on {to.other}: {missed.error.detail}; nothing was started on {to}, "
            "since they must never run twice"
        )
    return f"{in_words(world)} do not start on {to}: {missed.error.detail}"


async def _stop(world: World, colour: Colour, hand: Hand) -> None:
    hand.say(f"stopping {in_words(world)} on {colour}")
    async with hand.action(STOP, colour):
        output = await environments.stop_live_only(world, colour)
    await hand.keep_output(f"down live-only {colour}", output)


async def _start(world: World, colour: Colour, release: Release, hand: Hand) -> None:
    hand.say(f"starting {in_words(world)} of {release.version} on {colour}")
    async with hand.action(START, colour):
        output = await environments.start_live_only(world, colour, release)
    await hand.keep_output(f"up live-only {colour}", output)
