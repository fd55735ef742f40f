"""Our stamp on what Caddy serves. A Caddy that was restarted, or reloaded from its Caddyfile, has lost it.

Then the same content may stand there twice, and a write of ours that never got its answer may still land
(docs/caddy.md). So right dials under a missing or foreign stamp are written once more, under a new one; users stay. So
are those of which the other colour should be the fallback and is not, or is and should not be.
"""

from bluegreen.app import after_switch, generations, live_only
from bluegreen.app.engine import Engine
from bluegreen.app.planning import release_on
from bluegreen.app.restoring import write
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_ready
from bluegreen.app.switch import refresh_card
from bluegreen.domain.errors import BalancerError, BluegreenError
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Traffic

AGAIN_AFTER = 5.0
"""Seconds after which a stamp that failed is tried again."""

BESIDE = frozenset({after_switch.ACTION, live_only.START, live_only.STOP})
"""Actions beside the watch, which move no user: one that takes long, or was cut off by a crash, holds no stamp up."""


class Stamps:
    """Puts stamps on. Each write closes idle connections of users, so none is made that is not needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world
        self._right: tuple[int, bool] | None = None
        self._again_at = float("-inf")
        self._told = ""

    def known(self, traffic: Traffic, *, fallback: bool = False) -> bool:
        """Whether this very stamp was found right before: the usual case, which needs no journal."""
        right = traffic.generation is not None and self._right == (traffic.generation, traffic.fallback)
        return right and traffic.fallback is fallback

    async def ensure(self, traffic: Traffic, colour: Colour, run: Run | None) -> None:
        """Stamp what serves `colour`, as it should, where the stamp is not ours, or where the other colour is its
        fallback and should not be, or should and is not. Raises JournalFailed.

        Nothing while people paused it, while the outcome of an action is open, before our first write ever.
        """
        fallback = run is not None and run.fallback
        if run is None and self._world.observes:
            return
        if self.known(traffic, fallback=fallback):
            return
        if self._engine.pause.active() or self._world.clock.monotonic() < self._again_at:
            return
        if await self._is_ours(traffic, fallback):
            self._right = None if traffic.generation is None else (traffic.generation, fallback)
        elif run is not None:
            await self._stamp_running(traffic, colour, run)
        elif not self._engine.lock.locked():
            await self._stamp_idle(traffic, colour)

    async def _is_ours(self, traffic: Traffic, fallback: bool) -> bool:
        """Whether this is the stamp of our last write; also where none was ever proved, so that none is missing."""
        served = await generations.served(self._world)
        return served is None or (traffic.generation == served and traffic.fallback is fallback)

    async def _stamp_idle(self, traffic: Traffic, colour: Colour) -> None:
        async with self._engine.lock:
            if self._engine.run is not None or (traffic.fallback and not await self._stands_alone(colour)):
                return
            generation = await generations.take(self._world, traffic.highest_generation)
            await self._write(traffic, colour, generation)

    async def _stands_alone(self, colour: Colour) -> bool:
        """Whether a colour may lose its fallback: not where that is what answers users now."""
        try:
            await require_ready(self._world, self._world.target(colour, await release_on(self._world, colour)))
        except BluegreenError as exc:
            await self._failed(colour, exc)
            return False
        return True

    async def _stamp_running(self, traffic: Traffic, colour: Colour, run: Run) -> None:
        phase = run.deployment.phase
        intents = await self._world.journal.intents(run.deployment.id)
        if any(intent.outcome is None and intent.action not in BESIDE for intent in intents):
            return
        generation = await generations.claim(run, traffic.highest_generation)
        await refresh_card(run)  # who goes back by the card alone must be above this one, too
        if run.deployment.phase is phase and run.orders.stop is None and not run.attempts.begun:
            await self._write(traffic, colour, generation, fallback=run.fallback)

    async def _write(self, traffic: Traffic, colour: Colour, generation: int, *, fallback: bool = False) -> None:
        news, was = self._engine.news, traffic.generation
        try:
            await write(self._world, colour, generation, expected=colour, fallback=fallback)
        except BalancerError as exc:
            await self._failed(colour, exc)
            return
        self._right, self._told = (generation, fallback), ""
        await generations.proved(self._world, generation)
        facts: dict[str, Json] = {} if traffic.fallback is fallback else {"fallback": fallback}
        severity = "warning" if facts else "info"
        await news.tell("traffic.stamped", severity=severity, colour=colour, generation=generation, was=was, **facts)

    async def _failed(self, colour: Colour, exc: BluegreenError) -> None:
        self._again_at = self._world.clock.monotonic() + AGAIN_AFTER
        if exc.detail != self._told:
            self._told = exc.detail
            await self._engine.news.tell("traffic.not_stamped", colour=colour, reason=exc.detail, severity="warning")
