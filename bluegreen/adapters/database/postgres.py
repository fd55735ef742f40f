"""The Database port on Postgres."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from bluegreen.adapters.backups import kept
from bluegreen.adapters.backups.backup import Backups
from bluegreen.adapters.migrations import migrate, states
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import facts, ledger
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.postgres.locks import migration_lock
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.domain.backfills import Progress
from bluegreen.domain.errors import MigrationFailed, RehearsalFailed
from bluegreen.domain.findings import FileVerdict, Rehearsal
from bluegreen.domain.migrations import Applied, Backup, DatabaseFacts, Migration, MigrationPhase, MigrationState
from bluegreen.domain.plans import Release
from bluegreen.ports_database import Brake


class PostgresDatabase:
    """One shared Postgres database. Connections must be direct: a pooler in transaction mode loses session locks."""

    def __init__(
        self,
        name: str,
        dsn: str,
        *,
        project: str,
        sources: Sequence[Source],
        backup: BackupRules,
        admin_database: str = "postgres",
        connect_timeout: float = 5.0,
        answer_timeout: float = 30.0,
        lock_wait: float = 10.0,
    ) -> None:
        """`sources` are those of this database, in order. Seconds: to connect, for a short question, for the
        migration lock. ConfigurationError where the DSN cannot be read; it never shows it."""
        self._name = name
        self._access = Access(Dsn.parse(dsn), connect_timeout, answer_timeout)
        self._sources = tuple(sources)
        self._backups = Backups(name, project, self._access, admin_database, backup)
        self._lock_wait = lock_wait
        self._lock: int | None = None

    @property
    def name(self) -> str:
        return self._name

    async def facts(self) -> DatabaseFacts:
        return await facts.ask(self._access)

    async def check_backup_possible(self) -> tuple[str, ...]:
        return await self._backups.check_possible()

    async def back_up(self, deployment: str, release: str) -> Backup:
        return await self._backups.take(deployment, release)

    async def backups(self) -> tuple[Backup, ...]:
        return await kept.listed(self._backups)

    async def verify(self, backup: Backup) -> Backup:
        return await kept.verified(self._backups, backup)

    async def tidy(self, purpose: str) -> None:
        await kept.tidied(self._backups, purpose)

    async def migration_states(self) -> tuple[MigrationState, ...]:
        return await states.ask(self._access, self._name, self._sources)

    async def pending(self, phase: MigrationPhase, release: Release) -> tuple[Migration, ...]:
        return await migrate.pending(self._access, self._name, self._sources, phase, release)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        async with migration_lock(self._access, self._lock_wait) as backend:
            self._lock = backend
            try:
                yield
            finally:
                self._lock = None

    async def apply(
        self, migration: Migration, deployment: str, release: Release, verdict: FileVerdict | None = None
    ) -> None:
        if self._lock is None:
            raise MigrationFailed(f"{migration.label}: the migration lock is not held")
        await migrate.apply(Job(self._access, self._source(migration), migration, deployment, release, self._lock))

    async def applied(self, deployment: str) -> tuple[Applied, ...]:
        async with self._access.session() as connection:
            rows = await ledger.rows(connection, self._name)
        return tuple(row.applied for row in rows.values() if row.applied.deployment == deployment)

    async def backfill(
        self, migration: Migration, deployment: str, release: Release, brake: Brake, report: Callable[[Progress], None]
    ) -> Progress:
        raise MigrationFailed(f"{migration.label}: backfills cannot be run yet")

    async def backfills(self) -> tuple[Progress, ...]:
        return ()

    async def rehearse(
        self,
        release: Release,
        phases: tuple[MigrationPhase, ...],
        purpose: str,
        *,
        backup: Backup | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Rehearsal:
        raise RehearsalFailed(f"{self._name}: nothing can be rehearsed yet")

    async def sweep(self) -> tuple[str, ...]:
        return ()

    def _source(self, migration: Migration) -> Source:
        for source in self._sources:
            if source.name == migration.source:
                return source
        raise MigrationFailed(f"{migration.label}: there are no migrations {migration.source!r} in the settings")
