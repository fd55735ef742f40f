"""Production before and after a rehearsal: whether somebody changed it meanwhile, and what."""

from collections.abc import Mapping

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.catalogue import differences, digests

own = questions(__package__, "copies.sql")

SHOWN = 5


async def digests_of(production: Connection) -> Mapping[str, str]:
    """A short hash of each thing in this database. Partitions are left out: they come and go by themselves."""
    return digests(await look(production))


async def shared(production: Connection) -> Mapping[str, str]:
    """A short hash of each role, and of this database as such. On a busy server others change them too (some hand out
    roles by the hour), so a difference is worth a word and no more."""
    return {record["name"]: record["digest"] for record in await production.fetch(own("cluster"))}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What differs, in words; "" where nothing does."""
    found = differences(before, after)
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
