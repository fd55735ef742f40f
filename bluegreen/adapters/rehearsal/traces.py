"""What a statement leaves to be seen: the locks it holds, the tables it read from end to end, those it wrote anew.

A full scan is counted even on an empty table; a table that was written anew lies in another file than before.
"""

import re
from collections.abc import Iterator, Mapping

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.catalogue import Catalogue, Thing
from bluegreen.domain.seen import LockSeen

own = questions(__package__, "copies.sql")

LOCKABLE = frozenset({"table", "view", "matview", "sequence", "foreign_table"})
TOUCHED_BY_READING = ("sequence", "ROW EXCLUSIVE")
"""A lock that nextval takes, and we too when we look where a sequence stands; nobody waits for it."""


async def held(connection: Connection, before: Catalogue, after: Catalogue) -> tuple[LockSeen, ...]:
    """The locks that this session holds now on what people know by a name."""
    records = await connection.fetch(own("held_locks"))
    found = (lock_of(record["oid"], record["mode"], before, after) for record in records)
    return tuple(sorted({lock for lock in found if lock}, key=lambda lock: (lock.name, lock.mode)))


def lock_of(oid: int, mode: str, before: Catalogue, after: Catalogue) -> LockSeen | None:
    """A lock as people say it; None for what they know by no name, as a TOAST table."""
    thing, words = _relation(oid, before) or _relation(oid, after), in_words(mode)
    if thing is None or (thing.kind, words) == TOUCHED_BY_READING:
        return None
    return LockSeen(thing.key, thing.name, words, thing.key in before)


def _relation(oid: int, catalogue: Catalogue) -> Thing | None:
    """What people call it: an index is its table."""
    index = catalogue.get(f"index:{oid}")
    keys = [index.of] if index else [f"{kind}:{oid}" for kind in LOCKABLE]
    return next((catalogue[key] for key in keys if key in catalogue), None)


def in_words(mode: str) -> str:
    """`AccessExclusiveLock` as the manual writes it: ACCESS EXCLUSIVE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


async def counts(connection: Connection, question: str) -> Mapping[int, int]:
    """How often each table was read from end to end, by its oid."""
    return {record["oid"]: record["scans"] for record in await connection.fetch(own(question))}


def scanned(before: Mapping[int, int], after: Mapping[int, int], catalogue: Catalogue) -> Iterator[str]:
    """The tables that existed and were read from end to end."""
    for oid, scans in after.items():
        thing = _relation(oid, catalogue)
        if thing and scans > before.get(oid, 0):
            yield thing.key


def rewritten(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """The tables whose rows were written anew."""
    for key, thing in before.items():
        now = after.get(key)
        if now and thing.facts.get("filenode") and thing.facts["filenode"] != now.facts.get("filenode"):
            yield key
