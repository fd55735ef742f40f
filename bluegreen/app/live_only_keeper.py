"""Has the live-only parts follow users while no deployment runs: after a restart that a cutback without the daemon, a
killed way back, a restoration or a settled drift left behind.

Nothing is done while traffic is not where it is wanted, nobody settled a STRANDED deployment, or people paused it. What
fails is tried again, ever more seldom; people are called once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from bluegreen.app import environments, live_only
from bluegreen.app.engine import Engine
from bluegreen.app.keeping import RESTORATION
from bluegreen.app.live_only import Missed, Where
from bluegreen.app.reconcile import Reconciler
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Colour

TURN = 1.0
"""Seconds between two looks."""

FIRST, LONGEST = 5.0, 300.0
"""Seconds after which what failed is tried again: doubled each time."""

TWINS_EVERY, TO_LOOK = 60.0, 10.0
"""Seconds between two looks at whether some run beside the live colour, and for one look."""

log = structlog.get_logger("bluegreen")


class LiveOnlyKeeper:
    """Looks once a second, and moves them where that is due."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        self._engine, self._world, self._reconciler = engine, engine.world, reconciler
        self._delay, self._again_at = FIRST, float("-inf")
        self._told = ""
        self._look_at = float("-inf")

    async def run(self) -> None:
        """Until cancelled; ends at once where there are none."""
        while live_only.names(self._world):
            await asyncio.sleep(TURN)
            try:
                await self._turn()
            except JournalFailed as exc:
                self._engine.news.failed(exc)
            except Exception:  # the supervisor: the daemon does not end for it
                log.exception("live_only.crashed")

    async def _turn(self) -> None:
        if self._engine.pause.active() or self._world.observes:
            return
        if self._world.clock.monotonic() < self._again_at:
            return
        async with self._engine.lock:
            due = await self._due()
            if due is not None:
                self._engine.by_hand = f"{live_only.in_words(self._world)} are being brought to {due.colour}"
        if due is None:
            await self._look_for_twins()
            return
        try:
            await self._bring(due)
        finally:
            self._engine.by_hand = ""

    async def _due(self) -> Where | None:
        """Where they should be and are not; None where nothing is due, or may be done now."""
        engine, world = self._engine, self._world
        if engine.run is not None or engine.by_hand:
            return None
        kept, serving = await live_only.where(world), await wanted_and_served(self._reconciler, engine)
        if kept is None or serving is None or (kept.sure and kept.colour is serving):
            return None
        latest = await world.journal.deployments(1)
        if (latest and latest[0].blocks_others) or await world.journal.facts(RESTORATION):
            return None
        return replace(kept, colour=serving, sure=False)

    async def _look_for_twins(self) -> None:
        """A unit that is enabled starts at boot, whoever is live: what runs beside the live colour is to be stopped."""
        now = self._world.clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + TWINS_EVERY
        kept = await self._settled()
        twins = await self._running_beside(kept.colour.other) if kept is not None else ()
        if kept is None or not twins or await self._settled() != kept:
            return
        await live_only.keep(self._world, replace(kept, sure=False))
        names, other = ", ".join(twins), kept.colour.other
        await self._engine.news.tell("live_only.twins", parts=list(twins), colour=other, severity="critical")
        text = f"{names} run on {other} beside {kept.colour}, and are stopped: look what was done twice, and why"
        await self._post("critical", text, f"bluegreen env logs {other}")

    async def _settled(self) -> Where | None:
        """Where they are for certain, while nothing moves; None in any other case."""
        kept = await live_only.where(self._world)
        if kept is None or not kept.sure or self._engine.run is not None or self._engine.by_hand:
            return None
        return kept if await wanted_and_served(self._reconciler, self._engine) is kept.colour else None

    async def _running_beside(self, colour: Colour) -> tuple[str, ...]:
        """The live-only parts that run in a colour, as far as its runner can tell."""
        known = self._world.runners[colour].live_only
        try:
            async with asyncio.timeout(TO_LOOK):
                parts = await self._world.runners[colour].parts()
        except (TimeoutError, BluegreenError):
            return ()  # a host that is away is others' news
        up = [part.name for part in parts if part.state in (PartState.RUNNING, PartState.STARTING)]
        return tuple(name for name in up if any(_is(name, one) for one in known))

    async def _bring(self, due: Where) -> None:
        to, world = due.colour, self._world

        async def release() -> Release:
            return await environments.release_of(world, to)

        missed = await live_only.move(world, to, release, NewsHand(self._engine))
        if missed is not None:
            await self._missed(due, missed)
            return
        self._delay, self._again_at, self._told = FIRST, float("-inf"), ""
        names = list(live_only.names(world))
        await self._engine.news.tell("live_only.moved", to=to, parts=names, severity="warning")
        if due.told:
            await self._post("info", f"{live_only.in_words(world)} run on {to} now, where users are")

    async def _missed(self, due: Where, missed: Missed) -> None:
        to, world = due.colour, self._world
        self._again_at = world.clock.monotonic() + self._delay
        if missed.over_it:
            return
        self._delay = min(self._delay * 2, LONGEST)
        problem = world.redact(live_only.why(world, to, missed))
        if problem != self._told:
            self._told = problem
            await self._engine.news.tell("live_only.not_moved", to=to, reason=problem, severity="warning")
        if not due.told:
            await self._post("critical", problem, f"bluegreen env takeover {to} --reason '...'")
        await live_only.keep(world, replace(due, problem=problem, told=True))

    async def _post(self, severity: str, text: str, *commands: str) -> None:
        now = self._world.clock.now()
        event = "live-only"
        said = f"{self._world.project}: {text}"
        notice = Notice(f"{event}:{now.isoformat()}", event, severity, said, now, facts={"next": list(commands)})
        await self._engine.outbox.post(notice)
        if severity == "critical":
            await self._engine.news.tell("human.paged", text=said, severity="critical")


def _is(part: str, name: str) -> bool:
    """Whether a part is the one of this name, or a further replica of it (worker-2)."""
    return part == name or (part.startswith(f"{name}-") and part.removeprefix(f"{name}-").isdigit())


async def wanted_and_served(reconciler: Reconciler, engine: Engine) -> Colour | None:
    """The colour that all users are on, and that is wanted, as far as anybody said; None where that is not one."""
    served = reconciler.traffic.colour if reconciler.traffic is not None else None
    wanted = await engine.world.journal.fact("wanted", "colour")
    return served if wanted in (None, served) else None


class NewsHand:
    """Hand of who moves them outside of any deployment: the kept fact is the intent, and events tell the rest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.printed: list[str] = []

    def say(self, text: str) -> None:
        """Shown in the status."""
        self._engine.by_hand = text

    @asynccontextmanager
    async def action(self, name: str, colour: Colour) -> AsyncIterator[None]:
        """The kept fact announced it already."""
        yield

    async def keep(self, where: Where) -> None:
        """Raises JournalUnwritable. What people were told stays known until it is done."""
        kept = await live_only.where(self._engine.world)
        told = kept.told and not where.sure if kept is not None else False
        await live_only.keep(self._engine.world, replace(where, told=told))

    async def keep_output(self, name: str, output: str) -> None:
        """As an event."""
        if output.strip():
            self.printed.append(output)
            await self._engine.news.tell("command.finished", command=name, output=output)
