"""`env takeover`: an operator's word that the live-only parts of the other colour do not run, so that those of the one
that serves may start. For a host that is dead, and will not say that it stopped.
"""

import asyncio

from bluegreen.app import environments, live_only
from bluegreen.app.live_only_keeper import NewsHand
from bluegreen.app.requests import Caller
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import ByHand
from bluegreen.domain.errors import BluegreenError, LiveColourProtected, NotFound
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour

TO_STOP = 20.0
"""Seconds for which it is tried to stop those of the other colour all the same."""


class TakingOver(Upkeep):
    """One use case of upkeep."""

    async def take_over(self, colour: Colour, caller: Caller, reason: str) -> ByHand:
        """Start the live-only parts of the colour that serves, although those of the other one may not be known to be
        stopped. Raises LiveColourProtected where users are not on it, RunnerFailed, DeploymentInProgress; NotFound
        where no part is live-only."""
        world = self._world
        names = live_only.in_words(world)
        if not names:
            raise NotFound(
                "no service is live-only: there is nothing to take over",
                next=("bluegreen config docs services.role",),
            )
        row = self._hand_row(caller, "env takeover", reason, after=f"{names} to run on {colour}")
        hand = NewsHand(self._engine)
        async with self._alone(row, f"{names} are being taken over by {colour} ({caller.who})"):
            release = await environments.release_of(world, colour)
            said = await self._stop_elsewhere(colour, hand)
            await self._start_here(colour, release, hand)
        output = "\n".join((*hand.printed, said)) if said else "\n".join(hand.printed)
        return ByHand(colour, release.version, self._shown(output))

    async def _stop_elsewhere(self, colour: Colour, hand: NewsHand) -> str:
        """What is to be known about the other ones; "" where they are stopped."""
        hand.say(f"stopping {live_only.in_words(self._world)} on {colour.other}")
        try:
            async with asyncio.timeout(TO_STOP):
                await hand.keep_output(
                    f"down live-only {colour.other}", await environments.stop_live_only(self._world, colour.other)
                )
        except LiveColourProtected:
            raise
        except TimeoutError:
            why = f"it takes longer than {TO_STOP:g} s"
        except BluegreenError as exc:
            why = exc.detail
        else:
            return ""
        names = live_only.in_words(self._world)
        text = f"{names} could not be stopped on {colour.other} ({why}): see that they do not run twice when it is back"
        await self._engine.news.tell("live_only.not_stopped", colour=colour.other, reason=why, severity="warning")
        return text

    async def _start_here(self, colour: Colour, release: Release, hand: NewsHand) -> None:
        async def known() -> Release:
            return release

        missed = await live_only.move(self._world, colour, known, hand, stop=False)
        if missed is not None:
            raise missed.error
        await self._engine.news.tell(
            "live_only.moved", to=colour, parts=list(live_only.names(self._world)), severity="warning"
        )
