"""Whose sessions are open in a database: a colour's are known by their application_name."""

from fnmatch import fnmatchcase

from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.queries import query


async def named(access: Access, pattern: str) -> tuple[str, ...]:
    """The sessions whose application_name fits `pattern` (`*` and `?` as in a shell), in words, the oldest first.

    An ordinary role sees names of other roles' sessions too: only what they run is hidden. DatabaseUnreachable.
    """
    async with access.session() as connection:
        records = await connection.fetch(query("sessions"))
    return tuple(
        f"pid {record['pid']} ({record['application_name']}, {record['usename']} from {record['client']},"
        f" for {max(record['seconds'], 0.0):.0f} s)"
        for record in records
        if fnmatchcase(record["application_name"], pattern)
    )
