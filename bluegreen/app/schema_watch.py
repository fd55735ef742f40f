"""Keeps known whether the way back by `rollback` is open, and whether a backfill was left half done, so that nobody who
asks for the status waits for a database; and drops at the start what killed rehearsals left."""

import asyncio

from bluegreen.app import fitness, rehearsals
from bluegreen.app.engine import Engine
from bluegreen.app.planning import UNKNOWN
from bluegreen.app.requests import SchemaFit
from bluegreen.app.waiting import woken
from bluegreen.domain.backfills import Progress
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.phases import Phase

TURN = 1.0
"""Seconds between two looks at whether anything moved."""

AGE = 60.0
"""Seconds after which a picture is taken anew, though nothing of ours moved: the ledger is shared."""


class SchemaWatch:
    """`fit` is of the release that served before the one that serves; `left` a backfill that was begun, is not done,
    and is run by nobody. None: there is none, or nobody could look."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._world = engine, engine.world
        self.fit: SchemaFit | None = None
        self.left: Progress | None = None
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Sweep once, then look until cancelled. A database that is away is asked again the next time."""
        for database in () if self._world.observes else self._world.databases.values():
            await rehearsals.sweep(database, self._engine.news)
        looked_at, of = float("-inf"), ("", "")
        while self._world.databases:
            now = self._world.clock.monotonic()
            if now - looked_at >= AGE or of != self._moved() or self._asked.is_set():
                self._asked.clear()
                looked_at, of = now, self._moved()
                await self._look()
            await woken(self._asked, TURN)

    def look_again(self) -> None:
        """Something was changed that nobody sees by `_moved`."""
        self._asked.set()

    async def _look(self) -> None:
        try:
            self.fit, self.left = await self._found(), await self._left_lying()
        except BluegreenError:
            self.fit = self.left = None  # who is away is told by others

    async def _left_lying(self) -> Progress | None:
        found = [each for database in self._world.databases.values() for each in await database.backfills()]
        return next((each for each in found if each.left_lying), None)

    async def _found(self) -> SchemaFit | None:
        for deployment in await self._world.journal.deployments(100):
            earlier = deployment.plan.live_release
            if earlier == UNKNOWN or (deployment.phase.final and deployment.phase is not Phase.LIVE):
                continue
            serving = deployment.plan.release.version if deployment.phase is Phase.LIVE else earlier
            return await fitness.look(self._world, earlier, serving)
        return None

    def _moved(self) -> tuple[str, str]:
        run = self._engine.run
        return (run.deployment.id, run.deployment.phase) if run is not None else ("", self._engine.by_hand)
