"""A database that keeps the port's contract in memory: for the tests of the app, and for trying things out.

It is scripted by its public attributes: what is pending, what fails, what hangs, what cannot be reached. Its parts lie
with their families.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bluegreen.adapters.backups.memory import MemoryBackups
from bluegreen.adapters.migrations.memory import MemoryMigrations
from bluegreen.adapters.rehearsal.memory import MemoryRehearsals
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import DatabaseUnreachable
from bluegreen.domain.migrations import DatabaseFacts, Migration
from bluegreen.domain.plans import Release
from bluegreen.ports_database import Brake

FACTS = DatabaseFacts(160_004, size=8_000_000, max_connections=100, connections=5, may_create_database=True)


@dataclass
class MemoryDatabase(MemoryMigrations, MemoryBackups, MemoryRehearsals):
    """All of it, and `facts_now`."""

    facts_now: DatabaseFacts = FACTS
    filled: dict[str, Progress] = field(default_factory=dict)

    async def facts(self) -> DatabaseFacts:
        if self.unreachable:
            raise DatabaseUnreachable(self._silent)
        return self.facts_now

    async def backfill(
        self, migration: Migration, deployment: str, release: Release, brake: Brake, report: Callable[[Progress], None]
    ) -> Progress:
        await self.apply(migration, deployment, release)
        done = Progress(self.name, migration.source, migration.version, "", BackfillState.DONE, deployment=deployment)
        self.filled[migration.version] = done
        report(done)
        return done

    async def backfills(self) -> tuple[Progress, ...]:
        return tuple(self.filled.values())
