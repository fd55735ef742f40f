"""The key that a backfill goes along: the table's primary key, or a unique index that the file names."""

from bluegreen.adapters.migrations.backfill_ledger import own
from bluegreen.adapters.postgres import sql_batches
from bluegreen.adapters.postgres.connections import Connection, translated
from bluegreen.adapters.postgres.scripts import Script
from bluegreen.adapters.postgres.sql_backfill import Backfill, backfill_of
from bluegreen.adapters.postgres.sql_batches import Column, Key
from bluegreen.domain.errors import MigrationFailed

ADVICE = (
    "a backfill goes along a key: make one without stopping users (CREATE UNIQUE INDEX CONCURRENTLY in an expand file,"
    " then ALTER TABLE … ADD PRIMARY KEY USING INDEX), or name NOT NULL columns that have a unique index:"
    " -- bluegreen: backfill table={table} key=COLUMN"
)


async def key_of(connection: Connection, file: str, backfill: Backfill) -> Key:
    """The columns of the key, in its index's order. MigrationFailed where there is none that could be used."""
    table, where = backfill.table, f"{file}:{backfill.line}"
    if await connection.fetchval("SELECT to_regclass($1)", table.quoted) is None:
        raise MigrationFailed(f"{where}: there is no table {table}", file=file, line=backfill.line)
    records = await connection.fetch(own("key"), table.quoted, list(backfill.key))
    if not records:
        named = ", ".join(backfill.key)
        what = f"no unique index on exactly {named}, all NOT NULL" if named else "no primary key"
        raise MigrationFailed(
            f"{where}: {table} has {what}: {ADVICE.format(table=table)}", file=file, line=backfill.line
        )
    if moved := sorted(backfill.sets & {record["name"] for record in records}):
        raise MigrationFailed(
            f"{where}: it sets {', '.join(moved)}, of the key it goes along: rows would move past its cursor, and be"
            " missed or done twice; name another key in the header, or do it by hand",
            file=file,
            line=backfill.line,
        )
    return tuple(Column(record["name"], record["type"], record["dated"]) for record in records)


async def check(connection: Connection, file: str, script: Script) -> None:
    """On a copy: whether this could be run in batches there. Nothing is run. MigrationFailed says why not."""
    backfill = backfill_of(script)
    key = await key_of(connection, file, backfill)
    with translated(f"{file}:{backfill.line}", MigrationFailed):
        for text in (sql_batches.boundary(backfill, key, first=False), sql_batches.batch(backfill, key, first=False)):
            await connection.prepare(text)
