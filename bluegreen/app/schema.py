"""What is done to the shared schema, by a deployment or by hand: backups, migrations, and naming what was applied."""

from collections.abc import Iterable, Mapping, Sequence

from bluegreen.app import keeping
from bluegreen.app.run import Run
from bluegreen.app.work import Work
from bluegreen.domain.errors import DatabaseUnreachable, GateRefused, MigrationFailed
from bluegreen.domain.findings import FileVerdict, Gate
from bluegreen.domain.migrations import Applied, Backup, Migration, MigrationPhase
from bluegreen.ports_database import Database

Key = tuple[str, str, str, MigrationPhase]
"""What names a migration among all databases: database, source, version, phase."""


def key(migration: Migration | FileVerdict) -> Key:
    """What names it among all databases."""
    return migration.database, migration.source, migration.version, migration.phase


async def back_up(work: Work, databases: Iterable[Database]) -> dict[str, Backup]:
    """Take a verified backup of databases, by name; each waits for its turn."""
    taken = {}
    for database in databases:
        what = f"a backup of {database.name} is being taken for {work.purpose}"
        async with work.world.turn.taken(what), work.action("back_up", database=database.name):
            needed = await keeping.needed(work.world, database)
            backup = await database.back_up(work.purpose, work.release.version, needed)
        await work.tell(
            "backup.verified",
            database=backup.database,
            backup=backup.id,
            file=backup.file,
            bytes=backup.size,
            sha256=backup.sha256,
            verified=backup.verified,
            tables=backup.tables,
            rows=backup.rows,
            seconds=round(backup.seconds, 3),
        )
        taken[database.name] = backup
    return taken


def in_words(backups: Mapping[str, Backup]) -> str:
    """Backups that were taken, for people."""
    return ", ".join(
        f"{b.database} ({b.rows:,} rows in {b.tables} tables, {b.verified} checked)" for b in backups.values()
    )


async def pending(work: Work, phase: MigrationPhase) -> tuple[Migration, ...]:
    """Migrations of a phase that still have to run, over all databases in order."""
    found = [await database.pending(phase, work.release) for database in work.world.databases.values()]
    return tuple(migration for migrations in found for migration in migrations)


async def apply(
    work: Work,
    database: Database,
    phase: MigrationPhase,
    verdicts: Mapping[Key, FileVerdict],
    wanted: frozenset[str] | None = None,
) -> list[str]:
    """Apply what is pending of a phase, or those labels of it that are `wanted`, under the database's lock. Returns the
    labels. Only what was rehearsed as it is now, and not refused, is applied: else raises GateRefused, unapplied."""
    labels: list[str] = []
    if not _chosen(await database.pending(phase, work.release), wanted):
        return labels
    async with work.world.turn.taken(f"{database.name} is being migrated for {work.purpose}"), database.locked():
        migrations = _chosen(await database.pending(phase, work.release), wanted)
        cleared = [(migration, _verdict(migration, verdicts)) for migration in migrations]
        for migration, verdict in cleared:
            work.note(f"applying {migration.label}")
            async with work.action("migrate", migration=migration.label):
                await database.apply(migration, work.purpose, work.release, verdict, work.note)
            await work.tell("migration.applied", migration=migration.label, database=database.name)
            labels.append(migration.label)
    return labels


def _chosen(migrations: Sequence[Migration], wanted: frozenset[str] | None) -> list[Migration]:
    return [migration for migration in migrations if wanted is None or migration.label in wanted]


def _verdict(migration: Migration, verdicts: Mapping[Key, FileVerdict]) -> FileVerdict:
    verdict = verdicts.get(key(migration))
    if verdict is None:
        raise MigrationFailed(
            f"{migration.label} was not rehearsed: it became pending after the rehearsal",
            next=("bluegreen migrate plan",),
        )
    if verdict.checksum != migration.checksum:
        raise MigrationFailed(
            f"{migration.label} was changed after it was rehearsed: nothing of it was applied",
            next=("bluegreen migrate plan",),
        )
    if verdict.gate is Gate.REFUSE:
        raise GateRefused(f"{migration.label} was refused by its rehearsal", next=("bluegreen migrate plan",))
    return verdict


async def applied(work: Work) -> tuple[Applied, ...]:
    """What this deployment changed in any database, by the ledgers. Raises DatabaseUnreachable."""
    rows = [await database.applied(work.purpose) for database in work.world.databases.values()]
    return tuple(row for database in rows for row in database)


async def applied_labels(run: Run) -> tuple[str, ...] | None:
    """Labels of what this deployment left in the schema, half done or whole; None where nobody can tell."""
    try:
        rows = await applied(run)
    except DatabaseUnreachable as exc:
        await run.warn(f"what was applied cannot be told: {exc.detail}")
        return None
    left = [row for row in rows if row.begun]
    return tuple(row.label if row.state == "done" else f"{row.label} ({row.state})" for row in left)
