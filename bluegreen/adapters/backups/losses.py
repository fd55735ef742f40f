"""What would be lost by going back to a backup: measured now, table by table, within a budget."""

from datetime import datetime
from time import monotonic

import asyncpg

from bluegreen.adapters.backups.comparison import Compare, Contents, Table, measure_table
from bluegreen.adapters.backups.comparison import own as measuring
from bluegreen.adapters.backups.likeness import own
from bluegreen.adapters.backups.snapshot import COUNTING
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.domain.errors import BackupFailed, MigrationFailed
from bluegreen.domain.restorations import TableLoss

BUDGET = 30.0
"""Seconds for all tables; then estimates do."""


async def tables(access: Access, then: Contents, compare: Compare) -> tuple[tuple[TableLoss, ...], tuple[str, ...]]:
    """The tables that are not as in the backup; and those of which that cannot be told for sure."""
    changed: list[TableLoss] = []
    unseen: list[str] = []
    until = monotonic() + BUDGET
    async with access.session(settings=COUNTING, failure=BackupFailed) as connection:
        now = {record["name"]: record["columns"] for record in await connection.fetch(measuring("tables"))}
        for name in sorted({*now, *then.tables}):
            before = then.tables.get(name)
            if name not in now:
                changed.append(TableLoss(name, before.rows if before else None, None))
                continue
            found, exact = await _measured(connection, name, now[name], compare, until - monotonic())
            if not exact or not found.checksum:
                unseen.append(name)
            if before is None or not before.like(found):
                changed.append(TableLoss(name, before.rows if before else None, found.rows, exact))
    return tuple(changed), tuple(unseen)


async def _measured(
    connection: Connection, name: str, columns: str, compare: Compare, seconds: float
) -> tuple[Table, bool]:
    if seconds > 0:
        await connection.execute("SELECT set_config('statement_timeout', $1, false)", f"{round(seconds * 1000) or 1}ms")
        try:
            return await measure_table(connection, name, columns, compare, seconds + 5.0), True
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            await connection.execute("SET statement_timeout = 0")
    return Table(max(0, await connection.fetchval(own("estimate"), name))), False


async def migrations(access: Access, since: datetime) -> tuple[str, ...]:
    """The labels of what was applied since then."""
    async with access.session(failure=BackupFailed) as connection:
        try:
            if not await ledger.version(connection):
                return ()
        except MigrationFailed as exc:
            return (exc.detail,)
        return tuple(record[0] for record in await connection.fetch(own("since"), since))
