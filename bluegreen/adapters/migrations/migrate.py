"""What is pending, and how one migration is applied: the ledger first, then the file or the tool, then the ledger."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bluegreen.adapters.migrations import backfill_left, command
from bluegreen.adapters.migrations.files import SqlFile, list_directory, read_file, up_to
from bluegreen.adapters.migrations.gentle import StrongTime, execute, patiently, settings
from bluegreen.adapters.migrations.hashing import hash_before, write_after
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.migrations.statements import run_statements
from bluegreen.adapters.migrations.watchdog import guarded
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.ledger import Entry, Key, Row
from bluegreen.adapters.postgres.locks import check_held, wait_for_former
from bluegreen.adapters.postgres.queries import query
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.finishing import to_the_end

LOOKS_FOR_US = "1s"
"""How often a backend in a transaction looks whether its client still lives: a killed daemon's locks go with it."""


async def pending(
    access: Access, database: str, sources: Sequence[Source], phase: MigrationPhase, release: Release
) -> tuple[Migration, ...]:
    """What the ledger does not have as done, source after source, each in its order. Writes nothing."""
    async with access.session() as connection:
        rows = await ledger.rows(connection, database)
    found: list[Migration] = []
    for source in sources:
        if source.kind is MigrationKind.SQL:
            files = await asyncio.to_thread(_read, source, release)
            candidates = [migration_of(database, source, file) for file in files if file.phase is phase]
        else:
            candidates = [command.migration(database, source, release)] if phase is MigrationPhase.EXPAND else []
        found += [migration for migration in candidates if _is_due(migration, rows)]
    return tuple(found)


async def apply(job: Job) -> None:
    """Ensure one migration is applied. Done already: nothing. Raises MigrationFailed."""
    file = await asyncio.to_thread(unchanged_file, job.migration) if job.migration.file else None
    async with job.desk() as desk:
        await check_held(desk, job.lock)
        await ledger.ensure(desk)
        await wait_for_former(desk, job.application, job.source.timeout)
        rows = await ledger.rows(desk, job.migration.database)
        if not _is_due(job.migration, rows):
            return
        job = replace(job, hash_before=await hash_before(desk))
    try:
        if file is None:
            await command.run(job)
        else:
            await _run_file(job, file, rows.get(ledger.key(job.migration)))
    except (MigrationFailed, asyncio.CancelledError):
        if not job.migration.transactional:  # a part of it may have taken effect
            await _write_after(job)
        raise
    await _write_after(job)


async def _write_after(job: Job) -> None:
    await to_the_end(write_after(job), f"catalogue after {job.migration.label}")


async def _run_file(job: Job, file: SqlFile, row: Row | None) -> None:
    try:
        if file.script.transactional:
            await _run_transaction(job, file)
        else:
            if row is None or not (row.in_flight or row.applied.statements_done):
                await backfill_left.check(job, file)
            await run_statements(job, file, row)
    except MigrationFailed as exc:
        entry = Entry("failed", error=exc.detail, new_attempt=file.script.transactional)
        if await job.write_failure(exc, entry):
            raise
        # only the answer to COMMIT was lost: the ledger's row, which was part of it, says done


async def _run_transaction(job: Job, file: SqlFile) -> None:
    """All statements and the ledger's row, or nothing; cancelled, it is rolled back when this is left."""
    async with (
        job.desk() as observer,
        job.access.session(
            application=job.application, settings=settings(job.source), failure=MigrationFailed
        ) as connection,
    ):
        await connection.execute(query("settings"), LOOKS_FOR_US)

        backfill = await backfill_left.of_contract(file)

        async def attempt() -> None:
            time = StrongTime(file, job.source)
            async with connection.transaction():
                if backfill is not None:
                    await backfill_left.hold(job, connection, backfill)
                for statement in file.script.statements:
                    await execute(connection, file, statement, job.source, time)
                await _done_inside(job, connection, file)

        targets = [target for statement in file.script.statements for target in file.script.targets_of(statement)]
        await guarded(job, file, lambda: patiently(attempt, job, connection, observer, targets))


async def _done_inside(job: Job, connection: Connection, file: SqlFile) -> None:
    entry = Entry("done", statements_done=len(file.script.statements), new_attempt=True)
    await job.write_inside(connection, entry)
    await check_held(connection, job.lock)


def _is_due(migration: Migration, rows: Mapping[Key, Row]) -> bool:
    """Whether it is to be applied; a tool also where what it is told has changed. MigrationFailed where a file changed
    whose statements, or some, took effect."""
    row = rows.get(ledger.key(migration))
    if row is None or migration.kind is MigrationKind.COMMAND:
        changed = row is not None and row.applied.state == "done" and row.applied.checksum != migration.checksum
        return row is None or not row.done or changed
    begun = row.done or (row.mode == "statements" and (row.in_flight or row.applied.statements_done > 0))
    if begun and row.applied.checksum != migration.checksum:
        what = "it was applied" if row.done else "a part of it was applied"
        raise MigrationFailed(
            f"{migration.file} was changed after {what} (by deployment {row.applied.deployment}): the change would"
            " never reach this database; put the file back as it was, and write what is new into a new file",
            file=migration.file,
            was=row.applied.checksum,
            found=migration.checksum,
        )
    return not row.done


def _read(source: Source, release: Release) -> tuple[SqlFile, ...]:
    """The files of a source that belong to a release."""
    if source.directory is None:
        return ()
    listed = up_to(list_directory(source.directory), release, source.name)
    return tuple(each.read() for each in listed)


def migration_of(database: str, source: Source, file: SqlFile) -> Migration:
    """What a file is to the port."""
    return Migration(
        database=database,
        source=source.name,
        version=file.version,
        phase=file.phase,
        kind=MigrationKind.SQL,
        checksum=file.checksum,
        file=str(file.path),
        transactional=file.script.transactional,
        statements=len(file.script.statements),
        meaning=file.script.meaning,
        before_switch=file.before_switch,
    )


def unchanged_file(migration: Migration) -> SqlFile:
    """The file of a migration. MigrationFailed where it cannot be read, or was changed since it was planned."""
    file = read_file(Path(migration.file))
    if file.checksum != migration.checksum:
        raise MigrationFailed(f"{migration.file} was changed since it was planned", file=migration.file)
    return file
