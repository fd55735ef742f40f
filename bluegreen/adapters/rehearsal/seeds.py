"""A row in every table of the copy, so that what only fails on rows fails there; and sequences as production has
them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.rehearsal.beds import Bed, beds, in_order
from bluegreen.adapters.rehearsal.candidates import Column, candidates
from bluegreen.adapters.rehearsal.fitting import fitting

own = questions(__package__, "seeds.sql")

PATIENCE = "SET LOCAL statement_timeout = '2s'"


async def sow(scratch: Connection, production: Connection) -> tuple[str, ...]:
    """Put one row that its constraints accept into each table that has none, parents first, fill the materialised
    views that production has filled, and set the sequences. Returns in words which tables stayed empty and why. One
    statement that fails harms no other. Raises only where a connection is lost."""
    said = await _sow(scratch, deferred=True)
    if said is None:
        said = await _sow(scratch, deferred=False) or []
    filled = {row["name"] for row in await production.fetch(own("populated"))}
    for name in [row["name"] for row in await scratch.fetch(own("unpopulated"))]:
        if name in filled and (why := await _tried(scratch, f"REFRESH MATERIALIZED VIEW {name}")):
            said.append(f"{name} is not filled on the copy: {why}")
    return (*said, *await _position(scratch, production))


async def _sow(scratch: Connection, *, deferred: bool) -> list[str] | None:
    """None where what was put off to the end did not fit then, and nothing is kept."""
    transaction = scratch.transaction()
    await transaction.start()
    try:
        await scratch.execute(PATIENCE)
        # Triggers may do anything, also outside of this database: where we may, none of them is run.
        await _tried(scratch, "SET LOCAL session_replication_role = replica")
        if deferred:
            await scratch.execute("SET CONSTRAINTS ALL DEFERRED")
        said = await _all(scratch)
        if await _tried(scratch, "SET CONSTRAINTS ALL IMMEDIATE"):
            await transaction.rollback()
            return None
        await transaction.commit()
        return said
    except BaseException:
        with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
            await transaction.rollback()
        raise


async def _all(scratch: Connection) -> list[str]:
    domains = {row["domain"]: row["definitions"] for row in await scratch.fetch(own("domains"))}
    said, sown = [], set()
    for bed in in_order(beds(await scratch.fetch(own("empty_tables")))):
        if bed.root in sown:
            continue  # one leaf of a partitioned table is enough
        why = await _one(scratch, bed, domains)
        if why:
            said.append((bed, f"{bed.name} stays empty on the copy: {why}"))
        elif bed.root:
            sown.add(bed.root)
    return [text for bed, text in said if bed.root not in sown]


async def _one(scratch: Connection, bed: Bed, domains: Mapping[int, Sequence[str]]) -> str:
    """Try to put a row: with all columns, with those that need a value, the first reason why not."""
    fitted = await fitting(scratch, bed, domains)
    reason = ""
    for columns in (bed.columns, [column for column in bed.columns if column.required or column.attnum in fitted]):
        values = {
            column.name: fitted.get(column.attnum) or _value(bed, column)
            for column in columns
            if not column.filled or column.attnum in fitted
        }
        why = await _tried(scratch, bed.insert(values))
        if not why:
            return ""
        reason = reason or why
    return reason


def _value(bed: Bed, column: Column) -> str:
    value = candidates(column)[0]
    source = bed.sources.get(column.attnum)
    if source is None:
        return value
    return f"coalesce({source}, {value})" if column.required else source


async def _tried(scratch: Connection, statement: str) -> str:
    """Run it, or nothing of it; returns why it failed."""
    savepoint = scratch.transaction()
    await savepoint.start()
    try:
        await scratch.execute(statement)
        await savepoint.commit()
    except LOST:
        raise
    except asyncpg.PostgresError as exc:
        await savepoint.rollback()
        return describe(exc)
    return ""


async def _position(scratch: Connection, production: Connection) -> tuple[str, ...]:
    rows = await production.fetch(own("positions"))
    names, lasts = [row["name"] for row in rows], [row["last"] for row in rows]
    try:
        await scratch.fetchval(own("set_positions"), names, lasts)
    except LOST:
        raise
    except asyncpg.PostgresError as exc:
        return (f"sequences of the copy do not stand as on production: {describe(exc)}",)
    return ()
