"""Looks at what really runs of each colour, and tells what is not as it was started.

A look asks the colour's own supervisor, in a task of its own and within its own time: nothing waits for it. One that
does not answer is "unknown since". What differs is only told: what users get decides where they are sent.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import msgspec
import structlog

from bluegreen.app import environments, live_only
from bluegreen.app.engine import Engine
from bluegreen.app.what_runs import KEPT, keep, parts_of, words
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json, Notice
from bluegreen.domain.running import Difference, Running, Started, differences
from bluegreen.domain.traffic import Colour

log = structlog.get_logger("bluegreen")

EVERY = 30.0
"""Seconds between two looks."""

SURE = 3.0
"""Seconds after which what differs is looked at once more before it is told: it may be ours, not written down yet."""

MOVING = {
    Phase.STARTING: (True, False),
    Phase.ABANDONING: (True, False),
    Phase.SWITCHING: (True, True),
    Phase.RETIRING: (False, True),
    Phase.REVERTING: (True, True),
}
"""Phases in which we ourselves start or stop parts of the new colour, and of the old one."""


class RunningWatch:
    """Looks at both colours every so often, also while nothing is deployed."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._world = engine, engine.world

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for colour in Colour:
                try:
                    await self.look(colour)
                except Exception:  # the supervisor: no look ends a daemon that watches users
                    log.exception("runs.crashed", colour=colour)
            await asyncio.sleep(EVERY)

    async def look(self, colour: Colour) -> None:
        """Look once, and tell what is new. Never raises for what the outside answers."""
        if self._is_moving(colour):
            return
        try:
            found = await self._found(colour)
            if found is not None and self._is_news(colour, found):
                await asyncio.sleep(SURE)
                found = None if self._is_moving(colour) else await self._found(colour)
            if found is not None:
                await self._take(colour, found)
        except JournalFailed as exc:
            self._engine.news.failed(exc)

    async def _found(self, colour: Colour) -> Running | None:
        """What is there; None where nobody expects anything to be told of this colour, or we are at it ourselves."""
        world = self._world
        release = await environments.running(world, colour)
        if not release:
            world.what_runs.pop(colour, None)  # it is stopped
            return None
        try:
            parts = await parts_of(world, colour)
        except (BluegreenError, TimeoutError) as exc:
            return self._unknown(colour, release, words(exc))
        if self._is_moving(colour) or await environments.running(world, colour) != release:
            return None
        started = await self._started(colour, release, parts)
        if started is None:
            return None
        at = await live_only.where(world)
        at_home = at is not None and at.sure and at.colour is colour
        found = differences(started, parts, world.runners[colour].live_only, at_home=at_home)
        return Running(release, parts, world.clock.now(), started.at, found)

    async def _started(self, colour: Colour, release: str, parts: tuple[Part, ...]) -> Started | None:
        """What it was started with; where that was before our time, what is there now. None: nobody can ever tell."""
        kept = await self._world.journal.fact(KEPT, colour)
        with suppress(msgspec.ValidationError):  # another program kept it
            if kept is not None and (before := msgspec.convert(kept, Started)).release == release:
                return before
        if not parts:
            return None
        started = Started(release, self._world.clock.now(), parts)
        await keep(self._world, colour, started)
        return started

    def _unknown(self, colour: Colour, release: str, why: str) -> Running:
        last = self._world.what_runs.get(colour) or Running(release)
        since = last.since if last.unknown else self._world.clock.now()
        return replace(last, release=release, unknown=self._world.redact(why), since=since)

    def _is_moving(self, colour: Colour) -> bool:
        """Whether we ourselves start or stop something of this colour."""
        run = self._engine.run
        if run is None:
            return str(colour) in self._engine.by_hand
        new, old = MOVING.get(run.deployment.phase, (False, False))
        return new if colour is run.deployment.new else old

    def _is_news(self, colour: Colour, found: Running) -> bool:
        last = self._world.what_runs.get(colour)
        known = {difference.key for difference in last.differences} if last else set()
        return any(difference.key not in known for difference in found.differences)

    async def _take(self, colour: Colour, found: Running) -> None:
        before = self._world.what_runs.get(colour)
        self._world.what_runs[colour] = found
        if found.unknown:
            if before is None or not before.unknown:
                await self._engine.news.tell("runs.unknown", colour=colour, reason=found.unknown)
            return
        for difference in found.differences:
            await self._tell(colour, found, difference)
        if before is not None and before.differences and not found.differences:
            await self._engine.news.tell("runs.as_started", colour=colour, release=found.release)

    async def _tell(self, colour: Colour, found: Running, difference: Difference) -> None:
        """Once for each difference from what was started then, also over restarts of the daemon."""
        now = self._world.clock.now()
        text = f"{colour} ({found.release}): {difference.text}"
        facts: Mapping[str, Json] = {"colour": colour, "release": found.release, "part": difference.part}
        key = f"runs:{colour}:{found.begun:%Y%m%dT%H%M%S}:{difference.key}"
        notice = Notice(key, "runs.drifted", "warning", f"{self._world.project}: {text}", now, facts=facts)
        if not await self._engine.outbox.post(notice):
            return
        run = self._engine.run
        deployment = run.deployment.id if run is not None else ""
        phase = str(run.deployment.phase) if run is not None else ""
        await self._engine.news.tell(
            "runs.drifted", deployment=deployment, phase=phase, **facts, text=text, severity="warning"
        )
