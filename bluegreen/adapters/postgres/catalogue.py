"""A look at a database's catalogue: all things that a migration could change, in the words of domain/catalogue.py.

It is a handful of questions over whole catalogues, none per table. They are asked in a transaction, or a savepoint,
that is rolled back: it leaves neither a setting nor a lock behind (pg_get_viewdef locks what a view reads).
"""

import json
from collections.abc import Iterator

import asyncpg

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain import catalogue
from bluegreen.domain.catalogue import Catalogue, Thing

relations = questions(__package__, "catalogue_relations.sql")
code = questions(__package__, "catalogue_code.sql")
rest = questions(__package__, "catalogue.sql")


async def look(connection: Connection, *, positions: bool = False) -> Catalogue:
    """Everything but the system's, extensions' and schema `bluegreen`, in an order that says nothing of oids.

    `positions`: also where sequences stand. That takes a ROW EXCLUSIVE lock on each until the transaction ends
    (lock_and_open_sequence), so it is for copies only.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL search_path = ''")
        found = [thing for asked in _asked() for thing in _things(await connection.fetch(asked))]
        found += _things(await connection.fetch(relations("sequences"), positions))
    finally:
        await transaction.rollback()
    return {thing.key: thing for thing in found}


async def fingerprint(connection: Connection) -> str:
    """The hash of what is there (domain/catalogue.py). Inside a transaction it sees what that did."""
    return catalogue.fingerprint(await look(connection))


def _asked() -> tuple[str, ...]:
    """The questions, in the order in which things are told."""
    return (
        rest("schemas"),
        *(relations("tables"), relations("views"), relations("columns")),
        *(relations("constraints"), relations("indexes")),
        *(code("triggers"), code("rules"), code("policies"), code("functions"), code("types")),
        *(rest("grants"), rest("others")),
    )


def _things(records: list[asyncpg.Record]) -> Iterator[Thing]:
    for record in records:
        key: str = record["key"]
        yield Thing(key.partition(":")[0], key, record["name"], record["of"], json.loads(record["facts"]))
