"""What a statement leaves to be seen: the locks it holds, the tables it read from end to end, those it wrote anew.

A full scan is counted even on an empty table; a table that was written anew lies in another file than before.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.catalogue import Catalogue, Thing
from bluegreen.domain.seen import LockSeen

own = questions(__package__, "copies.sql")

LOCKABLE = frozenset({"table", "view", "matview", "sequence", "foreign_table"})
TOUCHED_BY_READING = ("sequence", "ROW EXCLUSIVE")
"""A lock that nextval takes, and we too when we look where a sequence stands; nobody waits for it."""

WRITING = "ROW EXCLUSIVE"


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


@dataclass(frozen=True, slots=True)
class Touches:
    """How often a table was read from end to end, read at all, and how many of its rows were written."""

    scans: int = 0
    reads: int = 0
    writes: int = 0


async def touched(connection: Connection, *, by_all: bool = False) -> Mapping[int, Touches]:
    """What was done to each table, by its oid: in this transaction, or by all that have ended."""
    records = await connection.fetch(own("touched_by_all") if by_all else own("touched"))
    return {record["oid"]: Touches(record["scans"] or 0, record["reads"], record["writes"]) for record in records}


@dataclass(frozen=True, slots=True)
class Traces:
    """The tables that existed before and were read from end to end, read at all, written."""

    scanned: tuple[str, ...]
    read: tuple[str, ...]
    written: tuple[str, ...]

    @classmethod
    def between(cls, before: Mapping[int, Touches], after: Mapping[int, Touches], catalogue: Catalogue) -> Self:
        """What came to what was done `before`."""
        found: tuple[list[str], list[str], list[str]] = ([], [], [])
        for oid, now in after.items():
            was, thing = before.get(oid, Touches()), _relation(oid, catalogue)
            more = (now.scans > was.scans, now.reads > was.reads, now.writes > was.writes)
            for list_, is_more in zip(found, more, strict=True):
                if thing and is_more:
                    list_.append(thing.key)
        scanned, read, written = (tuple(keys) for keys in found)
        return cls(scanned, read, written)


def set_out_to_write(had: tuple[LockSeen, ...], has: tuple[LockSeen, ...]) -> tuple[str, ...]:
    """The tables that got the lock of an INSERT, UPDATE or DELETE, which is taken whether there are rows or not."""
    return tuple(lock.table for lock in has if lock.mode == WRITING and lock.existed and lock not in had)


def rewritten(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """The tables whose rows were written anew."""
    for key, thing in before.items():
        now = after.get(key)
        if now and thing.facts.get("filenode") and thing.facts["filenode"] != now.facts.get("filenode"):
            yield key
