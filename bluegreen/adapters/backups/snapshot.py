"""One moment of a database, shared: what is counted here and what pg_dump writes are the same rows.

An exported snapshot lives as long as the transaction that exported it (Postgres manual, 9.28.5), so this connection
stays in it until the dump is written. Users go on writing; none of that is seen.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.queries import query, questions
from bluegreen.domain.errors import BackupFailed

COUNTING = {
    "idle_in_transaction_session_timeout": "0",  # idle is what it does while pg_dump works
    "lock_timeout": "30s",
    "row_security": "off",  # an error is better than a count of the rows that we may see
    "tcp_keepalives_idle": "60",
}

own = questions(__package__)

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Its name for pg_dump, the rows of every table in it, and the ledger's last migration."""

    id: str
    rows: Mapping[str, int]
    ledger_head: str


@asynccontextmanager
async def exported(access: Access, application: str, timeout: float) -> AsyncIterator[Snapshot]:
    """Hold a snapshot; `timeout` seconds for counting one table. Raises BackupFailed."""
    async with access.session(application=application, settings=COUNTING, failure=BackupFailed) as connection:
        await connection.execute(query("settings"), "0")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            id = await connection.fetchval("SELECT pg_export_snapshot()")
            rows = await count_rows(connection, timeout)
            yield Snapshot(id, rows, await ledger.head(connection))


async def count_rows(connection: Connection, timeout: float) -> dict[str, int]:
    """The rows of every table that a dump holds."""
    names = [record["name"] for record in await connection.fetch(own("tables"))]
    return {
        name: await connection.fetchval(f"SELECT count(*) FROM ONLY {name}", timeout=timeout)  # noqa: S608 - quoted by format('%I')
        for name in names
    }


def differences(dumped: Mapping[str, int], restored: Mapping[str, int]) -> str:
    """Which tables have not the same rows on both sides, the first few by name; empty where all have."""
    wrong = [
        f"{table}: {dumped.get(table, 'no table')} in the database, {restored.get(table, 'no table')} in the dump"
        for table in sorted({*dumped, *restored})
        if dumped.get(table) != restored.get(table)
    ]
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return "; ".join(wrong[:SHOWN]) + more
