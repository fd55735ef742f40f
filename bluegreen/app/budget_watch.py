"""Counts the connections of the databases beside the status, so that nobody who asks waits for a database: every 10 s
while somebody looks or a deployment runs, else once a minute."""

import asyncio
from collections.abc import Mapping

import structlog

from bluegreen.app.budget import count
from bluegreen.app.engine import Engine
from bluegreen.domain.budget import Connections

log = structlog.get_logger("bluegreen")

TURN = 1.0
"""Seconds between two looks at whether it is time."""

FRESH, SELDOM, LOOKED = 10.0, 60.0, 60.0
"""Seconds after which it is counted anew while somebody looks, and while nobody does; and how long a look counts."""


class BudgetWatch:
    """Keeps `world.room` fresh."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._world = engine, engine.world

    async def run(self) -> None:
        """Count until cancelled; a database that is away is asked again the next time."""
        while self._world.databases:
            if self._due():
                self._world.room.now = await self._counted()
                self._world.room.counted_at = self._world.clock.monotonic()
            await asyncio.sleep(TURN)

    async def _counted(self) -> Mapping[str, Connections | None]:
        try:
            return await count(self._world)
        except Exception:  # the supervisor: no count ends a daemon that watches users
            log.exception("connections.crashed")
            return dict.fromkeys(self._world.databases)

    def _due(self) -> bool:
        now, room = self._world.clock.monotonic(), self._world.room
        looked = now - room.asked_at < LOOKED or self._engine.run is not None
        return now - room.counted_at >= (FRESH if looked else SELDOM)
