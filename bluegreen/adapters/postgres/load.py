"""How many connections of a server are open, and whose: a colour's are known by their application_name."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.budget import Connections
from bluegreen.domain.traffic import Colour


async def ask(access: Access, names: Mapping[Colour, str]) -> Connections:
    """Counted by the patterns of `names`; our own session is none of them. DatabaseUnreachable."""
    async with access.session() as connection:
        (limits,) = await connection.fetch(query("connection_limits"))
        rows = await connection.fetch(query("connections"))
    opened = dict.fromkeys(names, 0)
    others = 0
    for row in rows:
        colour = next((each for each in names if fnmatchcase(row["application_name"], names[each])), None)
        if colour is None:
            others += row["n"]
        else:
            opened[colour] += row["n"]
    return Connections(limits["max_connections"], limits["reserved"], others, opened)
