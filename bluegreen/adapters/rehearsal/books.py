"""The small tables of production with their rows, for tools: in one of them a tool keeps what it has done already.

Without that (alembic_version, schema_migrations, flyway_schema_history, …) it would begin at its very first migration,
on a schema that has all of them. Nobody can tell which table it is, so all small ones are copied that no foreign key
joins to others. The copy may be entered by nobody else, and is dropped.
"""

import io

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.queries import questions

own = questions(__package__, "books.sql")


async def copy_books(scratch: Connection, production: Connection) -> tuple[str, ...]:
    """Fill those tables of the copy; returns in words which ones could not be. Raises only where a connection is
    lost."""
    said = []
    for record in await production.fetch(own("small_tables")):
        schema, table = record["schema"], record["name"]
        rows = io.BytesIO()
        try:
            await production.copy_from_table(table, schema_name=schema, output=rows, format="binary")
            rows.seek(0)
            async with scratch.transaction():
                await scratch.execute(f"TRUNCATE {record['quoted']}")
                await scratch.copy_to_table(table, schema_name=schema, source=rows, format="binary")
        except LOST:
            raise
        except asyncpg.PostgresError as exc:
            said.append(f"{schema}.{table} has no rows of production on the copy: {describe(exc)}")
    return tuple(said)
