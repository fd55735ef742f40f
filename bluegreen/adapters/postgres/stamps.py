"""What the schema was when our last migration was done, thing by thing: what differs now was changed past us."""

import json

from bluegreen.adapters.postgres import catalogue as catalogues
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.catalogue import Catalogue, differences, digests
from bluegreen.domain.migrations import SchemaDrift


async def stamp(connection: Connection, catalogue: Catalogue, after: str) -> None:
    """Write down the schema as it is now, after the migration of that label; the ledger must exist."""
    await connection.execute(query("stamp_write"), after, json.dumps(digests(catalogue)))


async def drifted(connection: Connection) -> SchemaDrift | None:
    """What was changed since the last stamp; None where nothing was, or where there is no stamp to compare with."""
    if await ledger.version(connection) < ledger.STAMPED:
        return None
    record = await connection.fetchrow(query("stamp"))
    if record is None:
        return None
    things = differences(json.loads(record["things"]), digests(await catalogues.look(connection)))
    return SchemaDrift(record["after"], record["taken_at"], things) if things else None
