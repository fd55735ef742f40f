"""The Database port on Postgres."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from bluegreen.adapters.backups import kept
from bluegreen.adapters.backups.backup import Backups
from bluegreen.adapters.backups.restorations import Restorations
from bluegreen.adapters.migrations import filling, migrate, repair, settling, states
from bluegreen.adapters.migrations.jobs import Job, nobody
from bluegreen.adapters.postgres import facts, ledger, load, sessions
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.postgres.locks import migration_lock
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.adapters.rehearsal.rehearse import Rehearsals
from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.domain.backfills import Progress
from bluegreen.domain.budget import Connections
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.findings import FileVerdict, Rehearsal
from bluegreen.domain.migrations import Applied, Backup, DatabaseFacts, Migration, MigrationPhase, SchemaState
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Brake, Halt, go_on


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
        rehearsal: RehearsalRules | None = None,
        admin_database: str = "postgres",
        connect_timeout: float = 5.0,
        answer_timeout: float = 30.0,
        lock_wait: float = 10.0,
        colour_sessions: Mapping[Colour, str] | None = None,
    ) -> None:
        """`sources` are those of this database, in order. Seconds: to connect, for a short question, for the
        migration lock; `colour_sessions` are patterns of each colour's application_name. ConfigurationError where the
        DSN cannot be read; it never shows it."""
        self._name = name
        self._access = Access(Dsn.parse(dsn), connect_timeout, answer_timeout)
        self._sources = tuple(sources)
        self._backups = Backups(name, project, self._access, admin_database, backup)
        self._rehearsals = Rehearsals(
            name, project, self._access, admin_database, self._sources, rehearsal or RehearsalRules(), backup.bin_dir
        )
        self._lock_wait = lock_wait
        self._sessions = dict(colour_sessions or {})
        self._lock: int | None = None

    @property
    def name(self) -> str:
        return self._name

    async def facts(self) -> DatabaseFacts:
        return await facts.ask(self._access)

    async def connections(self) -> Connections:
        return await load.ask(self._access, self._sessions)

    async def check_backup_possible(self) -> tuple[str, ...]:
        return await self._backups.check_possible()

    async def back_up(self, deployment: str, release: str, needed: Collection[str] = ()) -> Backup:
        return await self._backups.take(deployment, release, needed)

    async def backups(self) -> tuple[Backup, ...]:
        return await kept.listed(self._backups)

    async def verify(self, backup: Backup) -> Backup:
        return await kept.verified(self._backups, backup)

    async def tidy(self, purpose: str) -> None:
        await kept.tidied(self._backups, purpose)

    @property
    def restorations(self) -> Restorations:
        return Restorations(self._backups)

    async def schema(self) -> SchemaState:
        return await states.ask(self._access, self._name, self._sources)

    async def repair(self, *, indexes: bool) -> tuple[str, ...]:
        if self._lock is None:
            raise MigrationFailed(f"{self._name}: the migration lock is not held")
        return await repair.repair(self._access, self._name, self._sources, indexes=indexes)

    async def settle(self, label: str, *, applied: bool, by: str) -> str:
        if self._lock is None:
            raise MigrationFailed(f"{label}: the migration lock is not held")
        return await settling.settle(self._access, self._name, self._sources, label, applied=applied, by=by)

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
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        verdict: FileVerdict | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        if self._lock is None:
            raise MigrationFailed(f"{migration.label}: the migration lock is not held")
        source = self._source(migration)
        job = Job(self._access, source, migration, deployment, release, self._lock, verdict, note or nobody)
        await migrate.apply(job)

    async def applied(self, deployment: str) -> tuple[Applied, ...]:
        async with self._access.session() as connection:
            rows = await ledger.rows(connection, self._name)
        return tuple(row.applied for row in rows.values() if row.applied.deployment == deployment)

    async def history(self) -> tuple[Applied, ...]:
        async with self._access.session() as connection:
            rows = await ledger.rows(connection, self._name)
        return tuple(row.applied for row in rows.values())

    async def sessions_of(self, colour: Colour) -> tuple[str, ...] | None:
        pattern = self._sessions.get(colour)
        return None if pattern is None else await sessions.named(self._access, pattern)

    async def backfill(
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        brake: Brake,
        report: Callable[[Progress], None],
        halt: Halt = go_on,
    ) -> Progress:
        if self._lock is None:
            raise MigrationFailed(f"{migration.label}: the migration lock is not held")
        job = Job(self._access, self._source(migration), migration, deployment, release, self._lock)
        return await filling.fill(job, brake, report, halt)

    async def backfills(self) -> tuple[Progress, ...]:
        return await filling.stand(self._access, self._name)

    async def unfilled(self) -> tuple[Migration, ...]:
        return await filling.unfilled(self._access, self._name, self._sources)

    async def cancel_backfill(self, source: str, version: str) -> None:
        await filling.cancel(self._access, source, version)

    async def rehearse(
        self,
        release: Release,
        phases: tuple[MigrationPhase, ...],
        purpose: str,
        *,
        backup: Backup | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Rehearsal:
        return await self._rehearsals.rehearse(release, phases, purpose, backup=backup, files=files)

    async def sweep(self) -> tuple[str, ...]:
        return await self._rehearsals.sweep()

    def _source(self, migration: Migration) -> Source:
        for source in self._sources:
            if source.name == migration.source:
                return source
        raise MigrationFailed(f"{migration.label}: there are no migrations {migration.source!r} in the settings")
