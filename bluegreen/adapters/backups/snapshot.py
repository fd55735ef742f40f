"""One moment of a database, shared: what is measured here and what pg_dump writes are the same rows.

An exported snapshot lives as long as the transaction that exported it (Postgres manual, 9.28.5), so this connection
stays in it until the dump is written. Users go on writing; none of that is seen.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bluegreen.adapters.backups.comparison import FORM, Compare, Contents, measure, positions
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.errors import BackupFailed

COUNTING = {
    **FORM,
    "idle_in_transaction_session_timeout": "0",  # idle is what it does while pg_dump works
    "lock_timeout": "30s",
    "row_security": "off",  # an error is better than a count of the rows that we may see
    "tcp_keepalives_idle": "60",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Its name for pg_dump, what it holds, and the ledger's last migration."""

    id: str
    contents: Contents
    ledger_head: str
    connection: Connection

    async def dumped(self) -> Contents:
        """What a dump that was written by now holds: sequences went on meanwhile."""
        return self.contents.until(await positions(self.connection))


@asynccontextmanager
async def exported(access: Access, application: str, compare: Compare, timeout: float) -> AsyncIterator[Snapshot]:
    """Hold a snapshot; `timeout` seconds for measuring one table. Raises BackupFailed."""
    async with access.session(application=application, settings=COUNTING, failure=BackupFailed) as connection:
        await connection.execute(query("settings"), "0")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            id = await connection.fetchval("SELECT pg_export_snapshot()")
            contents = await measure(connection, compare, timeout)
            yield Snapshot(id, contents, await ledger.head(connection), connection)


async def contents_of(access: Access, compare: Compare, timeout: float) -> Contents:
    """What a database holds at one moment. Raises BackupFailed."""
    async with (
        access.session(settings=COUNTING, failure=BackupFailed) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await measure(connection, compare, timeout)
