"""What the app needs of a shared database: its migrations, their rehearsal, backfills and backups.

The rules of `ports.py` hold here too.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.budget import Connections
from bluegreen.domain.findings import FileVerdict, Rehearsal
from bluegreen.domain.migrations import Applied, Backup, DatabaseFacts, Migration, MigrationPhase, SchemaState
from bluegreen.domain.plans import Release
from bluegreen.domain.restorations import Losses, Session, Standing, Swapped
from bluegreen.domain.traffic import Colour

Brake = Callable[[], str]
"""Why users would be hurt by going on at full speed, in words; "" where nothing speaks against it. Fast, never
raises."""

Halt = Callable[[], BackfillState | None]
"""PAUSED or CANCELLED once a person wants a backfill to stop between two batches, None while it may go on."""


def go_on() -> BackfillState | None:
    """Nobody wants it to stop."""
    return None


class Migrations(Protocol):
    """The migrations of one database and their ledger."""

    async def schema(self) -> SchemaState:
        """How the schema stands: every migration with what the ledger says of it, in order (without a ledger all are
        pending), and what was changed past us. Read-only. Raises DatabaseUnreachable, and MigrationFailed for files
        that cannot be read."""

    async def repair(self, *, indexes: bool) -> tuple[str, ...]:
        """Take the files and the schema as they are now for what was applied: stamps files again that were only
        reformatted, and the schema that was changed past us; writes down what was cut off. With `indexes` INVALID ones
        are built again, concurrently. Needs `locked`. Returns what was done, a line each; nothing to do: none.
        Raises MigrationFailed."""

    async def settle(self, label: str, *, applied: bool, by: str) -> str:
        """Write down what a person says of a migration that was cut off where nobody can tell whether it took effect;
        with `applied` also of one that is pending: then it will not run. Needs `locked`. Returns what follows from it,
        in words. Raises MigrationFailed where there is nothing to settle."""

    async def pending(self, phase: MigrationPhase, release: Release) -> tuple[Migration, ...]:
        """Migrations of that phase that belong to the release and that the ledger does not have as done, in order.
        Read-only, also where the ledger does not exist yet. Raises MigrationFailed for unreadable or changed files,
        ReleaseInvalid where the release ends with a migration that does not exist."""

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Hold the migration lock: session level, on its own connection, try-locked within its budget.
        Raises LockBusy naming the holder."""

    async def apply(
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        verdict: FileVerdict | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        """Ensure one migration is applied, gently; needs `locked`. Done already: nothing. Cancelled: a
        transaction is rolled back, anything else is finished first. `verdict`, what its rehearsal found, is kept in the
        ledger beside it. `note` is told, in words, what it has waited for for long. Raises MigrationFailed."""

    async def history(self) -> tuple[Applied, ...]:
        """All that the ledger says, in the order applied; nothing where there is none yet. Read-only. Raises
        DatabaseUnreachable."""

    async def applied(self, deployment: str) -> tuple[Applied, ...]:
        """What the ledger says of one deployment, in the order applied. Raises DatabaseUnreachable."""


class Backfills(Protocol):
    """Rows brought to the new shape in small batches beside users."""

    async def backfill(
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        brake: Brake,
        report: Callable[[Progress], None],
        halt: Halt = go_on,
    ) -> Progress:
        """Run a migration of phase BACKFILL to its end, gently, from where its cursor stands, and until its own WHERE
        finds no row; needs `locked`. Also one that is done already: rows may have come since. `report` is told
        after each batch, `halt` is asked between two: then it is written down and returned as PAUSED or CANCELLED.
        The task cancelled: it ends between two batches, written down as interrupted. Raises MigrationFailed."""

    async def backfills(self) -> tuple[Progress, ...]:
        """How every backfill that was ever begun stands; one that says it runs and whose session is gone is
        interrupted. Read-only. Raises DatabaseUnreachable."""

    async def unfilled(self) -> tuple[Migration, ...]:
        """Backfills with rows to do, in order: those that are not done, and of those that are, where their own contract
        is still to come, the ones whose WHERE finds a row again (or nobody can tell in time). Read-only.
        Raises DatabaseUnreachable, MigrationFailed for files that cannot be read."""

    async def cancel_backfill(self, source: str, version: str) -> None:
        """Write down that a backfill which nobody runs is cancelled. Harmless twice. Raises MigrationFailed."""


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

    async def back_up(self, deployment: str, release: str, needed: Collection[str] = ()) -> Backup:
        """Take a dump under one snapshot and verify it by restoring; leftovers of a former attempt are removed
        first. Only a verified backup has its final name. Then the oldest beyond [backup] keep are removed, but none
        whose id is `needed`. Raises BackupFailed."""

    async def backups(self) -> tuple[Backup, ...]:
        """The backups that are kept, the latest first. Raises BackupFailed where they cannot be looked at."""

    async def verify(self, backup: Backup) -> Backup:
        """Verify a kept backup once more, as configured, without touching it; returns it with the level reached and
        the seconds it took. Raises BackupFailed with what is wrong with it."""

    async def tidy(self, purpose: str) -> None:
        """Remove what a killed daemon left of a backup for `purpose`, while none is taken. Raises BackupFailed."""


class Restorations(Protocol):
    """A backup put into service. `attempt` names one restoration: digits and lower-case letters, at most 20; what is
    made on the server has it in its name, so that after a crash the next call finds it. All raise BackupFailed."""

    async def commands(self, backup: Backup) -> tuple[str, ...]:
        """The lines that a person types to do it without the daemon; `#` begins an explanation. Read-only."""

    async def losses(self, backup: Backup) -> Losses:
        """What would go out of service, measured now; who is in the database. Read-only; slow for large tables."""

    async def sessions(self) -> tuple[Session, ...]:
        """Who is in the database, but us."""

    async def check(self, backup: Backup) -> tuple[str, ...]:
        """Look for all that it needs: rights, programs, the file as it was taken, nothing that keeps the name. Returns
        warnings. Nothing is changed."""

    async def standing(self, attempt: str) -> Standing:
        """How far it came, by the databases on the server."""

    async def keep_present(self, release: str, needed: Collection[str]) -> Backup:
        """Dump the database as it is now, read to its end. `needed` as in `back_up`."""

    async def restore_beside(self, backup: Backup, attempt: str) -> None:
        """Ensure a database beside the one in service that holds the backup, compared with its manifest; one of a
        former try is dropped first."""

    async def swap(self, attempt: str, *, end_sessions: bool) -> Swapped:
        """Ensure that the database beside is in service and the former one is kept under another name, both at once:
        whenever we are killed, one of them has the name. Sessions are ended, or with `end_sessions` False refused."""

    async def drop_beside(self, attempt: str) -> None:
        """Ensure that no database is beside the one in service; a former one that was swapped out stays."""


class Database(Migrations, Backfills, Rehearsals, Backups, Protocol):
    """One shared database: how it is, its backups, its migrations and their ledger."""

    @property
    def name(self) -> str:
        """Its name in [[databases]]."""

    @property
    def restorations(self) -> Restorations:
        """How a backup of it comes into service."""

    async def sessions_of(self, colour: Colour) -> tuple[str, ...] | None:
        """The sessions that a colour has open in it, in words; None where the settings do not say how its sessions are
        known. Read-only. Raises DatabaseUnreachable."""

    async def facts(self) -> DatabaseFacts:
        """Ask how it is. Raises DatabaseUnreachable."""

    async def connections(self) -> Connections:
        """Count the connections of its server, each colour's where the settings say how its sessions are known.
        Read-only. Raises DatabaseUnreachable."""
