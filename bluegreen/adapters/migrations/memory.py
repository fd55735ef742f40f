"""Migrations kept in memory: the part of `MemoryDatabase` (database/memory.py) that migrates."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bluegreen.domain.errors import DatabaseUnreachable, LockBusy, MigrationFailed, ReleaseInvalid
from bluegreen.domain.findings import FileVerdict
from bluegreen.domain.migrations import (
    PENDING,
    Applied,
    Migration,
    MigrationKind,
    MigrationPhase,
    MigrationState,
    SchemaDrift,
    SchemaState,
)
from bluegreen.domain.plans import Release

Key = tuple[str, str, MigrationPhase]


@dataclass
class MemoryMigrations:
    """`migrations` are its files; `failing` maps versions to the error they meet, `hanging` versions never end;
    `holder` is who has the lock; `unreachable`: it does not answer; `on` gives the hours, or
    `now` where it is set."""

    name: str = "main"
    migrations: list[Migration] = field(default_factory=list)
    ledger: dict[Key, Applied] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    unreachable: bool = False
    holder: str = ""
    drift: SchemaDrift | None = None
    invalid_indexes: tuple[str, ...] = ()
    runs: list[str] = field(default_factory=list)
    on: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    now: Callable[[], datetime] | None = None

    def add(
        self,
        version: str,
        phase: MigrationPhase = MigrationPhase.EXPAND,
        *,
        source: str = "app",
        transactional: bool = True,
        statements: int = 1,
        checksum: str = "",
    ) -> Migration:
        """One more SQL migration in its directory."""
        migration = Migration(
            self.name,
            source,
            version,
            phase,
            MigrationKind.SQL,
            checksum or f"sha256 of {version}",
            f"/migrations/{version}.{phase}.sql",
            transactional,
            statements,
        )
        self.migrations.append(migration)
        return migration

    async def schema(self) -> SchemaState:
        self._reach()
        states = tuple(_stands(migration, self.ledger.get(_key(migration))) for migration in self.migrations)
        return SchemaState(states, self.drift, self.invalid_indexes)

    async def repair(self, *, indexes: bool) -> tuple[str, ...]:
        if not self.holder:
            raise MigrationFailed("the migration lock is not held")
        done = [f"the schema is taken as it is: {thing}" for thing in (self.drift.things if self.drift else ())]
        self.drift = None
        if indexes:
            done += [f"{name} was built again" for name in self.invalid_indexes]
            self.invalid_indexes = ()
        return tuple(done)

    async def settle(self, label: str, *, applied: bool, by: str) -> str:
        if not self.holder:
            raise MigrationFailed(f"{label}: the migration lock is not held")
        migration = next((each for each in self.migrations if each.label == label), None)
        if migration is None or self._done(migration) or not applied:
            raise MigrationFailed(f"{label}: there is nothing to settle")
        self._write(migration, "", "")
        return f"{label}: taken as applied, it will not run"

    async def pending(self, phase: MigrationPhase, release: Release) -> tuple[Migration, ...]:
        self._reach()
        if lost := set(release.migrations.items()) - {(m.source, m.version) for m in self.migrations}:
            raise ReleaseInvalid(f"[migrations] ends with what does not exist: {sorted(lost)}")
        here = [m for m in self.migrations if m.version <= release.migrations.get(m.source, m.version)]
        return tuple(m for m in here if m.phase is phase and not self._done(m))

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        self._reach()
        if self.holder:
            raise LockBusy(f"the migration lock of {self.name} is held by {self.holder}", holder=self.holder)
        self.holder = "this daemon"
        try:
            yield
        finally:
            self.holder = ""

    async def apply(
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        verdict: FileVerdict | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        if self.unreachable:
            raise MigrationFailed(f"{migration.label}: {self._silent}")
        if not self.holder:
            raise MigrationFailed(f"{migration.label}: the migration lock is not held")
        if self._done(migration):
            return
        self.runs.append(migration.version)
        if migration.version in self.hanging:
            await asyncio.Event().wait()
        error = self.failing.get(migration.version, "")
        self._write(migration, deployment, error, release, verdict)
        if error:
            raise MigrationFailed(f"{migration.label}: {error}")

    async def history(self) -> tuple[Applied, ...]:
        self._reach()
        return tuple(self.ledger.values())

    async def applied(self, deployment: str) -> tuple[Applied, ...]:
        self._reach()
        return tuple(row for row in self.ledger.values() if row.deployment == deployment)

    def _done(self, migration: Migration) -> bool:
        row = self.ledger.get(_key(migration))
        if row is None or row.state != "done":
            return False
        if row.checksum != migration.checksum:
            raise MigrationFailed(f"{migration.label} was changed after it was applied")
        return True

    def _write(
        self,
        migration: Migration,
        deployment: str,
        error: str,
        release: Release | None = None,
        verdict: FileVerdict | None = None,
    ) -> None:
        row = Applied(
            database=self.name,
            source=migration.source,
            version=migration.version,
            phase=migration.phase,
            state="failed" if error else "done",
            deployment=deployment,
            checksum=migration.checksum,
            statements_total=migration.statements,
            statements_done=0 if error else migration.statements,
            finished_at=self.now() if self.now else self.on + timedelta(seconds=len(self.runs)),
            error=error,
            release=release.version if release else "",
            kind=migration.kind,
            gate=verdict.gate if verdict else "",
            accepted=tuple(f.kind for f in verdict.findings if f.accepted) if verdict else (),
        )
        self.ledger.pop(_key(migration), None)  # the last one written comes last
        self.ledger[_key(migration)] = row

    def _reach(self) -> None:
        if self.unreachable:
            raise DatabaseUnreachable(self._silent)

    @property
    def _silent(self) -> str:
        return f"database {self.name} does not answer"


def _stands(migration: Migration, row: Applied | None) -> MigrationState:
    m, kept = migration, row or Applied(
        migration.database, migration.source, migration.version, migration.phase, PENDING, "", migration.checksum,
        migration.statements, 0, None,
    )  # fmt: skip
    changed = kept.state == "done" and kept.checksum != m.checksum
    return MigrationState(
        m.database, m.source, m.version, m.phase, m.kind, kept.state, m.file, kept.finished_at, kept.deployment,
        kept.statements_total, kept.statements_done, kept.error, changed,
    )  # fmt: skip


def _key(migration: Migration) -> Key:
    return migration.source, migration.version, migration.phase
