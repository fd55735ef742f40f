"""What a backfill asks before it begins and at the end of the table: how much there is, whether anything is left."""

import asyncpg

from bluegreen.adapters.migrations import backfill_ledger as cursors
from bluegreen.adapters.migrations.backfill_ledger import own
from bluegreen.adapters.migrations.backfill_left import left
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import sql_batches
from bluegreen.adapters.postgres.connections import Connection, translated
from bluegreen.adapters.postgres.sql_backfill import Backfill
from bluegreen.domain.errors import MigrationFailed

PASSES = 20
"""Times it goes through the table before it is said that rows come without end."""

IDLE_PASSES = 3
"""Times in a row without a row changed, though the WHERE finds some."""

COUNTING = 2.0
"""Seconds to count what is to be done; else the table's size has to do."""


async def expected(desk: Connection, job: Job, backfill: Backfill, done: int) -> int | None:
    """All rows there will be in the end, counted, or the size of the table for it; None where nobody knows."""
    with translated(f"{job.migration.file}:{backfill.line}", MigrationFailed):
        try:
            rows = await desk.fetchval(sql_batches.count(backfill), timeout=COUNTING)
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            rows, done = await desk.fetchval(own("estimate"), backfill.table.quoted), 0
    total = None if rows is None else int(done + rows)
    await cursors.expect(desk, job, total)
    return total


async def any_left(desk: Connection, job: Job, file: SqlFile) -> bool:
    """Whether the WHERE finds a row. MigrationFailed where that takes too long."""
    try:
        return await left(desk, file, job.source.timeout)
    except asyncpg.LockNotAvailableError:
        return True  # somebody alters the table: the next pass will show
    except TimeoutError as exc:
        raise MigrationFailed(
            f"{file.path}: whether its WHERE still finds rows could not be told within {job.source.timeout:g} s: give"
            " it a partial index on that WHERE (CREATE INDEX CONCURRENTLY)",
            file=str(file.path),
        ) from exc


def refuse_endless(job: Job, file: SqlFile, idle: int, passes: int) -> None:
    """MigrationFailed where another pass would bring it no nearer to its end."""
    if idle >= IDLE_PASSES:
        raise MigrationFailed(
            f"{file.path}: in {idle} passes its WHERE finds rows that the statement does not change: a trigger, a rule"
            " or a policy keeps them as they are, or they come and go faster than it looks",
            file=str(file.path),
        )
    if passes >= PASSES:
        raise MigrationFailed(
            f"{file.path}: after {passes} passes its WHERE still finds rows: somebody writes them in the old shape all"
            " the while. Run it once nothing does any more, or let a default or a trigger fill them",
            next=(f"bluegreen migrate backfill {job.migration.label}",),
            file=str(file.path),
        )
