"""Our stamp on what Caddy serves. A Caddy that was restarted, or reloaded from its Caddyfile, has lost it.

Then the same content may stand there twice, and a write of ours that never got its answer may still land
(docs/caddy.md). So right dials under a missing or foreign stamp are written once more, under a new one; users stay.
"""

from bluegreen.app.engine import Engine
from bluegreen.app.restoring import next_generation, write
from bluegreen.app.run import Run
from bluegreen.app.switch import claim_generation, refresh_card
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Colour, Traffic

AGAIN_AFTER = 5.0
"""Seconds after which a stamp that failed is tried again."""


class Stamps:
    """Puts stamps on. Each write closes idle connections of users, so none is made that is not needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world
        self._right: int | None = None
        self._again_at = float("-inf")
        self._told = ""

    def known(self, traffic: Traffic) -> bool:
        """Whether this very stamp was found right before: the usual case, which needs no journal."""
        return traffic.generation is not None and traffic.generation == self._right

    async def ensure(self, traffic: Traffic, colour: Colour, run: Run | None) -> None:
        """Stamp what serves `colour`, as it should, where the stamp is not ours. Raises JournalFailed.

        Nothing while people paused it, while the outcome of an action is open, before our first write ever.
        """
        found = traffic.generation
        if self.known(traffic):
            return
        if self._engine.pause.active() or self._world.clock.monotonic() < self._again_at:
            return
        if await self._is_ours(found):
            self._right = found
        elif run is not None:
            await self._stamp_running(traffic, colour, run)
        elif not self._engine.lock.locked():
            await self._stamp_idle(traffic, colour)

    async def _is_ours(self, found: int | None) -> bool:
        """Whether this is the stamp of our last write; also where none was ever proved, so that none is missing."""
        served = await self._world.journal.fact("generation", "served")
        return served is None or bool(found == served)

    async def _stamp_idle(self, traffic: Traffic, colour: Colour) -> None:
        async with self._engine.lock:
            if self._engine.run is None:
                generation = await next_generation(self._world, traffic.highest_generation)
                await self._write(traffic, colour, generation)

    async def _stamp_running(self, traffic: Traffic, colour: Colour, run: Run) -> None:
        phase = run.deployment.phase
        if any(intent.outcome is None for intent in await self._world.journal.intents(run.deployment.id)):
            return
        generation = await claim_generation(run, traffic.highest_generation)
        await refresh_card(run)  # who goes back by the card alone must be above this one, too
        if run.deployment.phase is phase and run.orders.stop is None and not run.attempts.begun:
            await self._write(traffic, colour, generation)

    async def _write(self, traffic: Traffic, colour: Colour, generation: int) -> None:
        news, was = self._engine.news, traffic.generation
        try:
            await write(self._world, colour, generation, expected=colour)
        except BalancerError as exc:
            self._again_at = self._world.clock.monotonic() + AGAIN_AFTER
            if exc.detail != self._told:
                self._told = exc.detail
                await news.tell("traffic.not_stamped", colour=colour, reason=exc.detail, severity="warning")
            return
        self._right, self._told = generation, ""
        await self._world.journal.keep("generation", "served", generation)
        await news.tell("traffic.stamped", colour=colour, generation=generation, was=was)
