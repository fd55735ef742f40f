"""Level-triggered: where traffic is, where it should be, and what the difference means. Never repaired forward.

Before the switch, users on anything but the old colour end the deployment; from the switch to the first stop of the
old colour, users on anything but the new one end it by REVERTING; after that stop the new colour is restored, since it
is the only one left. With nothing running, drift is told and left to people.
"""

import asyncio
from dataclasses import dataclass

from bluegreen.app.engine import Engine
from bluegreen.app.orders import Stop
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import BalancerError, JournalFailed, RouteAmbiguous, RouteNotFound
from bluegreen.domain.phases import AFTER_WATCH, BEFORE_SWITCH, Phase
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Colour, Traffic

INTERVAL = 1.0
"""Seconds between two looks."""

ON_NEW = frozenset({Phase.WATCHING, Phase.STANDING_BY})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw: the colour that serves (None: neither, both, or a route that is gone), in words, and the highest
    of our stamps."""

    colour: Colour | None
    text: str
    generation: int


class Reconciler:
    """Looks once a second. `traffic` and `error` are what the last look saw."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world
        self.traffic: Traffic | None = None
        self.error = "not looked yet"
        self.code = "starting"
        self._told = ""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> Traffic | None:
        """Read where traffic is and act on a difference; None where it cannot be read.

        An endpoint that does not answer says nothing, and nothing is done. A route that is gone says much: users are
        sent where nobody knows.
        """
        before = self._moment()
        try:
            self.traffic, self.error = await self._world.balancer.observe(), ""
            seen = Seen(self.traffic.colour, self.traffic.describe(), self.traffic.highest_generation)
        except (RouteNotFound, RouteAmbiguous) as exc:
            self.traffic, self.error, self.code = None, exc.detail, exc.code
            seen = Seen(None, exc.detail, 0)
        except BalancerError as exc:
            self.traffic, self.error, self.code = None, exc.detail, exc.code
            return None
        if self._moment() == before:
            await self._compare(seen)
        return self.traffic

    def _moment(self) -> tuple[Run | None, Phase | None]:
        """A look that a phase change overtook is compared with nothing: it saw another moment."""
        run = self._engine.run
        return run, run.deployment.phase if run else None

    async def _compare(self, seen: Seen) -> None:
        run = self._engine.run
        if run is None:
            self._engine.watch.moved(seen.colour)
            try:
                await self._compare_idle(seen)
            except JournalFailed as exc:
                self._engine.news.failed(exc)
        else:
            await self._compare_running(run, seen)

    async def _compare_running(self, run: Run, seen: Seen) -> None:
        phase = run.deployment.phase
        if phase in BEFORE_SWITCH:
            self._engine.watch.moved(seen.colour)
            self._expect(run, seen, run.deployment.old)
        elif phase in ON_NEW or (phase in AFTER_WATCH and not run.deployment.stopped):
            self._expect(run, seen, run.deployment.new)
        elif phase in AFTER_WATCH and seen.colour is not run.deployment.new:
            await self._restore(run, seen)

    def _expect(self, run: Run, seen: Seen, colour: Colour) -> None:
        if seen.colour is not colour:
            reason = f"traffic was moved outside bluegreen, it should be on {colour}: {seen.text}"
            run.orders.halt(Stop(Cause.MOVED_OUTSIDE, reason))

    async def _restore(self, run: Run, seen: Seen) -> None:
        """The old colour is stopped: only the new one can serve."""
        await run.page("restored", f"traffic left {run.deployment.new} while the old colour is stopped: {seen.text}")
        run.generation = max(run.generation, seen.generation) + 1
        try:
            await self._world.balancer.switch(run.deployment.new, run.generation)
        except BalancerError as exc:
            await run.tell("traffic.not_restored", reason=exc.detail, severity="critical")

    async def _compare_idle(self, found: Seen) -> None:
        wanted = await self._world.journal.fact("wanted", "colour")
        seen = "" if wanted is None or found.colour == wanted else found.text
        if seen == self._told:
            return
        self._told = seen
        if not seen:
            await self._engine.news.tell("traffic.as_wanted", wanted=wanted)
            return
        await self._engine.news.tell("traffic.drifted", wanted=wanted, seen=seen, severity="warning")
        now = self._world.clock.now()
        text = f"{self._world.project}: traffic was moved outside bluegreen: wanted {wanted}, Caddy says {seen}"
        await self._engine.outbox.post(Notice(f"drift:{now.isoformat()}", "traffic.drifted", "warning", text, now))
