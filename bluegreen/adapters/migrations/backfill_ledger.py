"""The cursors of backfills: table `bluegreen.backfill`, written in the same transaction as the rows they stand for."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.connections import APPLICATION, Connection
from bluegreen.adapters.postgres.ledger import Entry, owner
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import MigrationFailed

own = questions(__package__, "backfill.sql")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far it is: the last key (jsonb, None before the first batch), and all rows that it ever changed."""

    last: str | None
    rows: int
    batch: int
    started_at: datetime


async def begin(connection: Connection, job: Job, table: str, *, anew: bool, batch: int) -> Cursor:
    """Take it up where its cursor stands; one that was done, or `anew`, from the beginning."""
    m = job.migration
    async with connection.transaction():
        await job.write(connection, Entry("running", 0, in_flight=False, new_attempt=True))
        record = await connection.fetchrow(
            own("begin"), m.source, m.version, table, job.deployment, owner(), anew, batch
        )
    if record is None:
        raise MigrationFailed(f"{m.label}: its cursor cannot be written")
    return Cursor(record["last_key"], record["rows_done"], record["batch"] or batch, record["started_at"])


async def advance(
    connection: Connection, job: Job, former: str | None, upper: str, rows: int, batch: int, seconds: float
) -> int:
    """Move the cursor, in the transaction of the batch; gives all rows so far. MigrationFailed where somebody else
    moved it: then this batch must not commit."""
    m = job.migration
    moved = await connection.fetchval(own("advance"), m.source, m.version, upper, former, rows, batch, seconds, owner())
    if moved is None:
        raise MigrationFailed(f"{m.label}: somebody else moved its cursor meanwhile: nothing more is changed")
    return int(moved)


async def again(connection: Connection, job: Job) -> None:
    """Put the cursor back to the beginning, for another pass."""
    await connection.execute(own("again"), job.migration.source, job.migration.version)


async def expect(connection: Connection, job: Job, total: int | None) -> None:
    """Write down how many rows there will be in the end."""
    await connection.execute(own("total"), job.migration.source, job.migration.version, total)


async def cancel(connection: Connection, source: str, version: str) -> None:
    """Write down that one which nobody runs is cancelled."""
    await connection.execute(own("ended"), source, version, BackfillState.CANCELLED.value, "")


async def end(connection: Connection, job: Job, state: BackfillState, error: str = "") -> None:
    """Write down how it ended, here and among the migrations."""
    m = job.migration
    async with connection.transaction():
        await connection.execute(own("ended"), m.source, m.version, state.value, error)
        if state is BackfillState.DONE:
            await job.write(connection, Entry("done", 1, in_flight=False))
        else:
            name = "failed" if state is BackfillState.FAILED else "interrupted"
            await job.write(connection, Entry(name, error=error))


async def standing(connection: Connection, database: str) -> tuple[Progress, ...]:
    """How every backfill stands; nothing where there is no ledger."""
    if await connection.fetchval("SELECT to_regclass('bluegreen.backfill')") is None:
        return ()
    return tuple(_progress(record, database) for record in await connection.fetch(own("standing"), f"{APPLICATION} "))


def _progress(record: asyncpg.Record, database: str) -> Progress:
    state = BackfillState(record["state"])
    if state is BackfillState.RUNNING and not record["runs"]:
        state = BackfillState.INTERRUPTED
    return Progress(
        database=database,
        source=record["source"],
        version=record["version"],
        table=record["table_name"],
        state=state,
        rows_done=record["rows_done"],
        rows_total=record["rows_total"],
        batch=record["batch"],
        deployment=record["deployment"],
        started_at=record["started_at"],
        updated_at=record["updated_at"],
        error=record["error"],
    )
