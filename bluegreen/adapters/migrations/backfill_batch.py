"""One batch of a backfill: the rows of one range of keys, and the cursor, in one transaction."""

from dataclasses import dataclass
from time import monotonic

import asyncpg

from bluegreen.adapters.migrations import backfill_ledger as cursors
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.gentle import IN_THE_WAY
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import sql_batches
from bluegreen.adapters.postgres.connections import Connection, describe, translated
from bluegreen.adapters.postgres.sql_backfill import Backfill
from bluegreen.adapters.postgres.sql_batches import Key
from bluegreen.domain.errors import MigrationFailed

AGAIN = (*IN_THE_WAY, asyncpg.SerializationError, asyncpg.QueryCanceledError)
"""What is over when the same is tried once more, smaller and later: the transaction was rolled back."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How one went: the `upper` key (None: there is no row above the cursor), rows it changed, all rows so far, seconds
    it took. `crowded` says why it was rolled back and is to be tried again, `too_long` that it is for its time."""

    upper: str | None = None
    changed: int = 0
    rows: int = 0
    seconds: float = 0.0
    crowded: str = ""
    too_long: bool = False


class Batches:
    """Makes batches of one backfill on one connection."""

    def __init__(self, job: Job, file: SqlFile, backfill: Backfill, key: Key, connection: Connection) -> None:
        self._job, self._connection = job, connection
        self._where = f"{file.path}:{backfill.line}"
        self._file = str(file.path)
        self._boundary = {first: sql_batches.boundary(backfill, key, first=first) for first in (True, False)}
        self._change = {first: sql_batches.batch(backfill, key, first=first) for first in (True, False)}

    async def first_key(self) -> str | None:
        """The smallest key of the table; None where it is empty."""
        return await self._upper(None, 1)

    async def one(self, last: str | None, size: int) -> Batch:
        """The batch above a key. It commits whole or not at all; raises nothing but MigrationFailed."""
        began = monotonic()
        with translated(self._where, MigrationFailed):
            try:
                return await self._one(last, size, began)
            except AGAIN as exc:
                late = isinstance(exc, asyncpg.QueryCanceledError)
                return Batch(crowded=describe(exc), seconds=monotonic() - began, too_long=late)
        raise AssertionError("translated() swallows nothing")

    async def _one(self, last: str | None, size: int, began: float) -> Batch:
        async with self._connection.transaction():
            upper = await self._upper(last, size)
            if upper is None:
                return Batch(seconds=monotonic() - began)
            above = () if last is None else (last,)
            counted = await self._connection.fetchrow(self._change[last is None], upper, *above)
            changed, kept = (counted["changed"], counted["kept"]) if counted else (0, 0)
            if kept:
                raise self._never_ends(changed, kept)
            seconds = monotonic() - began
            rows = await cursors.advance(self._connection, self._job, last, upper, changed, size, seconds)
        return Batch(upper, changed, rows, monotonic() - began)

    async def _upper(self, last: str | None, size: int) -> str | None:
        above = () if last is None else (last,)
        record = await self._connection.fetchrow(self._boundary[last is None], size, *above)
        return record["upper"] if record else None

    def _never_ends(self, changed: int, kept: int) -> MigrationFailed:
        return MigrationFailed(
            f"{self._where}: of {changed:,} rows of a batch its WHERE still finds {kept:,} after they were changed, so"
            " it would never be done (that batch was rolled back): let the WHERE find only rows that the statement"
            " brings to their end, for example … WHERE new IS NULL AND old IS NOT NULL",
            file=self._file,
        )
