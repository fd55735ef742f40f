"""How big production's tables are, by their names: what estimates of run times are made from."""

from collections.abc import Mapping

import asyncpg

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.seen import TableSize

own = questions(__package__, "production.sql")


async def measure(production: Connection) -> Mapping[str, TableSize]:
    """All tables and materialised views by `schema.table`, estimated from the catalogue: no table is read. What was
    never analysed is estimated from its pages as Postgres's planner does; a partitioned table is the sum of its
    parts."""
    try:
        async with production.transaction(readonly=True):
            await production.execute("SET LOCAL lock_timeout = '200ms'")
            rows = await production.fetch(own("sizes"), True)
    except asyncpg.LockNotAvailableError:  # somebody rebuilds a table right now
        rows = await production.fetch(own("sizes"), False)
    return {row["name"]: TableSize(row["rows"], row["bytes"], row["index_bytes"], row["row_bytes"]) for row in rows}
