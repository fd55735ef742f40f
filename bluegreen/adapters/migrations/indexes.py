"""Indexes that a broken CONCURRENTLY left behind: INVALID, useless to readers, a burden to writers, and with UNIQUE
even a constraint. `IF NOT EXISTS` keeps them silently (Postgres manual, CREATE INDEX, "Building Indexes Concurrently").
"""

import asyncio
from dataclasses import dataclass
from time import monotonic

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.scripts import Alone, Statement
from bluegreen.domain.errors import MigrationFailed

POLL = 0.5

own = questions(__package__)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as the catalogue has it; `name` can stand in a statement."""

    name: str
    valid: bool
    building: bool


async def touched(connection: Connection, statement: Statement) -> tuple[Index, ...]:
    """The indexes that the statement builds, or that one like it left behind."""
    table = statement.table.quoted if statement.table else None
    if statement.alone is Alone.BUILDS_INDEX:
        (named,) = statement.indexes
        records = await connection.fetch(own("index_named"), table, named.name)
    else:
        index = statement.indexes[0].quoted if statement.indexes else None
        records = await connection.fetch(own("reindex_leftovers"), table, index)
    return tuple(Index(record["name"], record["valid"], record["building"]) for record in records)


async def clear(connection: Connection, statement: Statement, budget: float) -> tuple[Index, ...]:
    """Drop what is INVALID, once nobody builds it any more; returns what is left: valid ones.

    MigrationFailed when somebody still builds it after `budget` seconds.
    """
    deadline = monotonic() + budget
    found = await touched(connection, statement)
    while any(index.building for index in found):
        if monotonic() >= deadline:
            names = ", ".join(index.name for index in found if index.building)
            raise MigrationFailed(f"{names}: another session still builds it after {budget:g} s")
        await asyncio.sleep(POLL)
        found = await touched(connection, statement)
    for index in found:
        if not index.valid:
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", timeout=budget)
    return tuple(index for index in found if index.valid)


async def any_exists(connection: Connection, statement: Statement) -> bool:
    """Whether one of the indexes that the statement drops is still there."""
    for index in statement.indexes:
        if await connection.fetchval("SELECT to_regclass($1)", index.quoted) is not None:
            return True
    return False
