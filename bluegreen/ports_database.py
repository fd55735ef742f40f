"""What the app needs of a shared database: its migrations, their rehearsal, backfills and backups.

The rules of `ports.py` hold here too.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.domain.backfills import Progress
from bluegreen.domain.findings import FileVerdict, Rehearsal
from bluegreen.domain.migrations import Applied, Backup, DatabaseFacts, Migration, MigrationPhase, MigrationState
from bluegreen.domain.plans import Release

Brake = Callable[[], str]
"""Why users would be hurt by going on at full speed, in words; "" where nothing speaks against it. Fast, never
raises."""


class Migrations(Protocol):
    """The migrations of one database and their ledger."""

    async def migration_states(self) -> tuple[MigrationState, ...]:
        """Every migration with what the ledger says of it, in order; without a ledger all are pending. Read-only.
        Raises DatabaseUnreachable, and MigrationFailed for files that cannot be read."""

    async def pending(self, phase: MigrationPhase, release: Release) -> tuple[Migration, ...]:
        """Migrations of that phase that the ledger does not have as done, in order. Read-only, also where the
        ledger does not exist yet. Raises MigrationFailed for unreadable or changed files."""

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Hold the migration lock: session level, on its own connection, try-locked within its budget.
        Raises LockBusy naming the holder."""

    async def apply(
        self, migration: Migration, deployment: str, release: Release, verdict: FileVerdict | None = None
    ) -> None:
        """Ensure one migration is applied, gently; needs `locked`. Done already: nothing. Cancelled: a
        transaction is rolled back, anything else is finished first. `verdict`, what its rehearsal found, is kept in the
        ledger beside it. Raises MigrationFailed."""

    async def applied(self, deployment: str) -> tuple[Applied, ...]:
        """What the ledger says of one deployment, in the order applied. Raises DatabaseUnreachable."""


class Backfills(Protocol):
    """Rows brought to the new shape in small batches beside users."""

    async def backfill(
        self, migration: Migration, deployment: str, release: Release, brake: Brake, report: Callable[[Progress], None]
    ) -> Progress:
        """Run a pending migration of phase BACKFILL to its end, gently, from where its cursor stands; needs `locked`.
        Cancelled: between two batches, written down as interrupted. `report` is told after each batch.
        Raises MigrationFailed."""

    async def backfills(self) -> tuple[Progress, ...]:
        """How every backfill that was ever begun stands. Read-only. Raises DatabaseUnreachable."""


class Rehearsals(Protocol):
    """Migrations tried on a scratch copy, before production is touched."""

    async def rehearse(
        self,
        release: Release,
        phases: tuple[MigrationPhase, ...],
        purpose: str,
        *,
        backup: Backup | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Rehearsal:
        """Run what is pending of these phases, in order, on a scratch copy, and judge what was seen; production is only
        read. `purpose` is in the copy's name; `backup` may be restored instead of the schema alone. `files`: names
        and contents to rehearse instead of those in the directories. Raises RehearsalFailed where nothing could be
        tried at all,
        MigrationFailed for files that cannot be read."""

    async def sweep(self) -> tuple[str, ...]:
        """Drop the scratch databases and roles that killed rehearsals and backups left; returns their names. Raises
        RehearsalFailed."""


class Backups(Protocol):
    """Verified dumps of one database, and the way back into service."""

    async def check_backup_possible(self) -> tuple[str, ...]:
        """Look for what a backup needs: clients of the server's major version, free disk, the right to create a
        scratch database. Returns warnings. Raises BackupFailed with what is missing."""

    async def back_up(self, deployment: str, release: str) -> Backup:
        """Take a dump under one snapshot and verify it by restoring; leftovers of a former attempt are removed
        first. Only a verified backup has its final name. Raises BackupFailed."""

    async def backups(self) -> tuple[Backup, ...]:
        """The backups that are kept, the latest first. Raises BackupFailed where they cannot be looked at."""

    async def verify(self, backup: Backup) -> Backup:
        """Verify a kept backup once more, as configured, without touching it; returns it with the level reached and
        the seconds it took. Raises BackupFailed with what is wrong with it."""

    async def tidy(self, purpose: str) -> None:
        """Remove what a killed daemon left of a backup for `purpose`, while none is taken. Raises BackupFailed."""


class Database(Migrations, Backfills, Rehearsals, Backups, Protocol):
    """One shared database: how it is, its backups, its migrations and their ledger."""

    @property
    def name(self) -> str:
        """Its name in [[databases]]."""

    async def facts(self) -> DatabaseFacts:
        """Ask how it is. Raises DatabaseUnreachable."""
