"""A database that keeps the port's contract in memory: for the tests of the app, and for trying things out.

It is scripted by its public attributes: what is pending, what fails, what hangs, what cannot be reached. Its parts lie
with their families.
"""

import asyncio
from dataclasses import dataclass, field

from bluegreen.adapters.backups.memory import MemoryBackups
from bluegreen.adapters.migrations.memory_backfills import MemoryBackfills
from bluegreen.adapters.rehearsal.memory import MemoryRehearsals
from bluegreen.domain.budget import Connections
from bluegreen.domain.errors import DatabaseUnreachable
from bluegreen.domain.migrations import DatabaseFacts
from bluegreen.domain.traffic import Colour

FACTS = DatabaseFacts(160_004, size=8_000_000, max_connections=100, connections=5, may_create_database=True)


@dataclass
class MemoryDatabase(MemoryBackfills, MemoryBackups, MemoryRehearsals):
    """All of it, and `facts_now`; `sessions` are those of a colour, known only where it is named, and `open` how many
    of the connections are its. `mute`: the question for connections is never answered."""

    facts_now: DatabaseFacts = FACTS
    sessions: dict[Colour, tuple[str, ...]] = field(default_factory=dict)
    open: dict[Colour, int] = field(default_factory=dict)
    mute: bool = False

    async def facts(self) -> DatabaseFacts:
        if self.unreachable:
            raise DatabaseUnreachable(self._silent)
        return self.facts_now

    async def connections(self) -> Connections:
        if self.mute:
            await asyncio.Event().wait()
        if self.unreachable:
            raise DatabaseUnreachable(self._silent)
        now = self.facts_now
        return Connections(now.max_connections, now.reserved, now.connections - sum(self.open.values()), self.open)

    async def sessions_of(self, colour: Colour) -> tuple[str, ...] | None:
        if self.unreachable:
            raise DatabaseUnreachable(self._silent)
        return self.sessions.get(colour)
