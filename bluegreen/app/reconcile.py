"""Level-triggered: where traffic is, where it should be, and what the difference means. Never repaired forward.

Before the switch, users on anything but the old colour end the deployment; from the switch to the first stop of the
old colour, users on anything but the new one end it by REVERTING; after that stop the new colour is restored, since it
is the only one left. With nothing running, drift.py decides. Right dials without our stamp are stamped again.
"""

import asyncio
from dataclasses import dataclass

from bluegreen.app import generations, marks, observed
from bluegreen.app.drift import AGAIN_AFTER, IdleDrift
from bluegreen.app.engine import Engine
from bluegreen.app.lost_arms import LostArms
from bluegreen.app.orders import Stop
from bluegreen.app.requests import Observation
from bluegreen.app.restoring import put_back
from bluegreen.app.run import Run
from bluegreen.app.stamps import Stamps
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import BalancerError, BluegreenError, JournalFailed, RouteAmbiguous, RouteNotFound
from bluegreen.domain.phases import AFTER_WATCH, BEFORE_SWITCH, Phase
from bluegreen.domain.traffic import Colour, Split, Traffic

INTERVAL = 1.0
"""Seconds between two looks."""

BARE_FOR = 0.8
"""Seconds after which a balancer without any route counts as one: not at the first look, and at the second."""

ON_NEW = frozenset({Phase.WATCHING, Phase.STANDING_BY})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw: the colour that serves (None: neither, both, or a route that is gone), in words, and the highest
    of our stamps. `traffic` None: a route is gone, and `steps` is what to type then."""

    colour: Colour | None
    text: str
    generation: int
    traffic: Traffic | None
    steps: tuple[str, ...] = ()


class Reconciler:
    """Looks once a second. `traffic` and `error` are what the last look saw, `drift` what it means with nothing
    running."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world
        self.drift = IdleDrift(engine)
        self.observed = Observation() if engine.world.observes else None
        """What is seen where nothing is to be done (observing.py); None where it is acted."""
        self.lost_arms = LostArms(engine)
        self._stamps = Stamps(engine)
        self.traffic: Traffic | None = None
        self.error = "not looked yet"
        self.code = "starting"
        self._bare_since: float | None = None
        self._told = ""
        self._again_at = float("-inf")

    async def run(self) -> None:
        """Look and act until cancelled."""
        await observed.leave(self._world, self._engine.news)
        while True:
            await self.step()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> Traffic | None:
        """Read where traffic is; None where it cannot be read, or where a route is gone. Nothing is done about it."""
        await self._read()
        return self.traffic

    async def step(self) -> None:
        """Read where traffic is and act on a difference.

        An endpoint that does not answer says nothing, and nothing is done. A route that is gone says much: users are
        sent where nobody knows.
        """
        before = self._moment()
        seen = await self._read()
        if seen is None or self._moment() != before:
            return
        try:
            await self._compare(seen)
        except JournalFailed as exc:
            self._engine.news.failed(exc)

    async def _read(self) -> Seen | None:
        try:
            look = self._world.glance or self._world.balancer.observe
            self.traffic, self.error = await look(), ""
        except BalancerError as exc:
            self.traffic, self.error, self.code = None, exc.detail, exc.code
            return Seen(None, exc.detail, 0, None, exc.next) if self._gone(exc) else None
        self._bare_since = None
        traffic = self.traffic
        return Seen(traffic.colour, traffic.describe(), traffic.highest_generation, traffic)

    def _gone(self, error: BalancerError) -> bool:
        """Whether a route is gone, and not only late: the endpoint of a balancer that just starts answers before it has
        any route at all."""
        if not isinstance(error, RouteNotFound | RouteAmbiguous):
            self._bare_since = None
            return False
        now = self._world.clock.monotonic()
        self._bare_since = now if self._bare_since is None else self._bare_since
        return not error.facts.get("bare") or now - self._bare_since >= BARE_FOR

    def _moment(self) -> tuple[Run | None, Phase | None, Split | None, bool]:
        """A look that a phase change overtook is compared with nothing: it saw another moment."""
        run = self._engine.run
        return (run, run.deployment.phase, run.split, run.fallback) if run else (None, None, None, False)

    async def _compare(self, seen: Seen) -> None:
        run = self._engine.run
        if run is not None:
            self.drift.forget()
            self.lost_arms.back()
            await self._compare_running(run, seen)
        else:
            if not self._world.observes:  # else observing.py says so, and in the same turn what that begins
                self._engine.watch.moved(seen.colour)
            await self._compare_idle(seen)

    async def _compare_idle(self, seen: Seen) -> None:
        wanted = await self._world.journal.fact("wanted", "colour")
        if wanted is None:
            return
        right = seen.colour == wanted
        if right and seen.traffic is not None and self._stamps.known(seen.traffic):
            await self.drift.over(Colour(wanted))
            await self.lost_arms.look(seen.traffic, Colour(wanted))
        elif await self._is_stranded():  # people are at work
            self.drift.forget()
        elif right:
            await self.drift.over(Colour(wanted))
            if seen.traffic is None or not await self.lost_arms.look(seen.traffic, Colour(wanted)):
                await self._stamp(seen, None)
        else:
            await self.drift.compare(Colour(wanted), seen.text, seen.traffic, seen.steps)

    async def _is_stranded(self) -> bool:
        latest = await self._world.journal.deployments(1)
        return bool(latest) and latest[0].blocks_others

    async def _compare_running(self, run: Run, seen: Seen) -> None:
        phase = run.deployment.phase
        if phase in BEFORE_SWITCH:
            self._engine.watch.moved(seen.colour)
            await self._expect(run, seen, run.deployment.old)
        elif phase is Phase.CANARYING and run.split is not None and not run.splitting:
            await self._expect(run, seen, run.split)
        elif phase in ON_NEW or (phase in AFTER_WATCH and not run.deployment.stopped):
            await self._expect(run, seen, run.deployment.new)
        elif phase in AFTER_WATCH and seen.colour is not run.deployment.new:
            await self._restore(run, seen)

    async def _expect(self, run: Run, seen: Seen, where: Colour | Split) -> None:
        if run.attempts.begun:
            return  # on the way back: what is seen is our own
        if seen.traffic is not None and seen.traffic.split == where:
            return
        if seen.colour is where:
            await self._stamp(seen, run)
            return
        reason = f"traffic was moved outside bluegreen, it should be on {where}: {seen.text}"
        marked = await marks.order_for(self._world, run.deployment)
        if run.deployment.stopped or run.attempts.begun:
            return  # meanwhile it went past its way back, or onto it: the next look sees that
        if marked is not None:
            run.orders.halt(marked)
        elif self._engine.pause.active():
            await run.page("moved-held", f"{reason}; nothing is done: {self._engine.pause.reason}")
        else:
            run.orders.halt(Stop(Cause.MOVED_OUTSIDE, reason))

    async def _stamp(self, seen: Seen, run: Run | None) -> None:
        if seen.traffic is not None and seen.colour is not None:
            await self._stamps.ensure(seen.traffic, seen.colour, run)

    async def _restore(self, run: Run, seen: Seen) -> None:
        """The old colour is stopped: only the new one can serve."""
        new, clock = run.deployment.new, self._world.clock
        text = f"traffic left {new} while {run.deployment.old} is stopped: {seen.text}"
        if self._engine.pause.active():
            await run.page("moved-held", f"{text}; nothing is done: {self._engine.pause.reason}")
            return
        await run.page("restored", text)
        if clock.monotonic() < self._again_at:
            return
        self._again_at = clock.monotonic() + AGAIN_AFTER
        try:
            generation = await generations.claim_anyway(run, seen.generation)
            await put_back(self._world, new, generation)
        except BluegreenError as exc:
            if exc.detail != self._told:
                self._told = exc.detail
                await run.tell("traffic.not_restored", to=new, reason=exc.detail, severity="critical")
                await run.page(
                    "not-restored", f"traffic cannot be put back on {new}: {exc.detail}", next="bluegreen status"
                )
            return
        self._told, self._again_at = "", float("-inf")
        await run.tell("traffic.restored", to=new, generation=generation, severity="warning")
        await generations.proved(self._world, generation)
