"""How big production's tables are, by their names: what estimates of run times are made from."""

from collections.abc import Mapping

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.domain.seen import TableSize


async def measure(production: Connection) -> Mapping[str, TableSize]:
    """All tables and materialised views, estimated from the catalogue: no table is read."""
    return {}
