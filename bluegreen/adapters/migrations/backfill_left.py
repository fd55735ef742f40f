"""Does a backfill's own WHERE still find rows? A contract waits until it does not."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from bluegreen.adapters.migrations.files import SqlFile, read_directory, read_file
from bluegreen.adapters.migrations.gentle import IN_THE_WAY, Crowded
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import ledger, sql_batches
from bluegreen.adapters.postgres.connections import Access, Connection, translated
from bluegreen.adapters.postgres.ledger import Row
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase

LOOK = 10.0
"""Seconds for the answer where nobody waits behind the question."""


async def left(connection: Connection, file: SqlFile, seconds: float | None = None) -> bool:
    """Whether the WHERE of a backfill file finds a row. Raises asyncpg's errors; TimeoutError after `seconds`."""
    if file.backfill is None:
        return False
    return bool(await connection.fetchval(sql_batches.remaining(file.backfill), timeout=seconds))


async def of_contract(contract: SqlFile) -> SqlFile | None:
    """The backfill file of the same name, for a contract file; None where there is none. MigrationFailed where it
    cannot be read."""
    if contract.phase is not MigrationPhase.CONTRACT:
        return None
    path = contract.path.with_name(f"{contract.version}.{MigrationPhase.BACKFILL}.sql")
    return await asyncio.to_thread(_read_if_there, path)


async def hold(job: Job, connection: Connection, backfill: SqlFile) -> None:
    """In the transaction of a contract, before its first statement: nobody writes the table until its end (who reads
    goes on), and the WHERE of its backfill finds no row. Crowded where the lock was not to be had in time;
    MigrationFailed where rows are left, or nobody can tell while who writes waits."""
    if backfill.backfill is None:
        return
    try:
        await connection.execute(sql_batches.lock(backfill.backfill))
    except IN_THE_WAY as exc:
        raise Crowded(str(backfill.path)) from exc
    await _refuse_left(job, connection, backfill, job.source.strong_timeout or job.source.timeout)


async def check(job: Job, contract: SqlFile) -> None:
    """The same for a contract that is no transaction, before its first statement; no lock could be kept."""
    backfill = await of_contract(contract)
    if backfill is not None:
        async with job.desk() as desk:
            await _refuse_left(job, desk, backfill, LOOK)


async def _refuse_left(job: Job, connection: Connection, backfill: SqlFile, seconds: float) -> None:
    label, where = f"{job.source.name}/{backfill.version}.backfill", str(backfill.path)
    with translated(where, MigrationFailed):
        try:
            found = await left(connection, backfill, seconds)
        except (TimeoutError, asyncpg.QueryCanceledError) as exc:
            raise MigrationFailed(
                f"{label}: whether its WHERE still finds rows could not be told within {seconds:g} s, and who writes"
                " the table waits meanwhile: give it a partial index on that WHERE (CREATE INDEX CONCURRENTLY … WHERE"
                " …, in an expand file); the contract was not applied",
                file=where,
            ) from exc
    if found:
        raise MigrationFailed(
            f"{label}: its WHERE still finds rows (an older version may have written them since): the contract was not"
            " applied",
            next=(f"bluegreen migrate backfill {label}",),
            file=where,
        )


async def unfilled(access: Access, database: str, sources: Sequence[Source]) -> tuple[tuple[Source, SqlFile], ...]:
    """Backfills that have rows to do (ports_database.Backfills.unfilled)."""
    found: list[tuple[Source, SqlFile]] = []
    async with access.session() as connection:
        rows = await ledger.rows(connection, database)
        for source in sources:
            files = await asyncio.to_thread(read_directory, source.directory) if source.directory else ()
            for file in files:
                if file.backfill is None:
                    continue
                row = rows.get((source.name, file.version, MigrationPhase.BACKFILL))
                done = row is not None and row.done
                if not done or (_awaited(source, file, files, rows) and await _finds(connection, file)):
                    found.append((source, file))
    return tuple(found)


def _awaited(source: Source, file: SqlFile, files: Sequence[SqlFile], rows: "dict[ledger.Key, Row]") -> bool:
    """Whether a contract of the same name is still to come."""
    row = rows.get((source.name, file.version, MigrationPhase.CONTRACT))
    there = any(other.version == file.version and other.phase is MigrationPhase.CONTRACT for other in files)
    return there and (row is None or not row.done)


async def _finds(connection: Connection, file: SqlFile) -> bool:
    """Whether it finds a row; also where nobody can tell: to go through the table once more harms nobody."""
    try:
        return await left(connection, file, LOOK)
    except (TimeoutError, asyncpg.PostgresError):
        return True


def _read_if_there(path: Path) -> SqlFile | None:
    return read_file(path) if path.exists() else None
