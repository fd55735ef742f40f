"""The key that a backfill goes along: the table's primary key, or a unique index that the file names."""

from bluegreen.adapters.migrations.backfill_ledger import own
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.sql_backfill import Backfill
from bluegreen.adapters.postgres.sql_batches import Column, Key
from bluegreen.domain.errors import MigrationFailed

ADVICE = (
    "a backfill goes along a key: make one without stopping users (CREATE UNIQUE INDEX CONCURRENTLY in an expand file,"
    " then ALTER TABLE … ADD PRIMARY KEY USING INDEX), or name NOT NULL columns that have a unique index:"
    " -- bluegreen: backfill table={table} key=COLUMN"
)


async def key_of(connection: Connection, file: SqlFile, backfill: Backfill) -> Key:
    """The columns of the key, in its index's order. MigrationFailed where there is none that could be used."""
    table, where = backfill.table, f"{file.path}:{backfill.line}"
    if await connection.fetchval("SELECT to_regclass($1)", table.quoted) is None:
        raise MigrationFailed(f"{where}: there is no table {table}", file=str(file.path), line=backfill.line)
    records = await connection.fetch(own("key"), table.quoted, list(backfill.key))
    key = tuple(Column(record["name"], record["type"], record["dated"]) for record in records)
    if not key:
        named = ", ".join(backfill.key)
        what = f"no unique index on exactly {named}, all NOT NULL" if named else "no primary key"
        raise MigrationFailed(
            f"{where}: {table} has {what}: {ADVICE.format(table=table)}", file=str(file.path), line=backfill.line
        )
    if moved := sorted(backfill.sets & {record["name"] for record in records}):
        raise MigrationFailed(
            f"{where}: it sets {', '.join(moved)}, of the key it goes along: rows would move past its cursor, and be"
            " missed or done twice; name another key in the header, or do it by hand",
            file=str(file.path),
            line=backfill.line,
        )
    return key
