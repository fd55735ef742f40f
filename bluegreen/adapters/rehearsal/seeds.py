"""A row in every table of the copy, so that what only fails on rows fails there; and sequences as production has
them."""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, takewhile

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.rehearsal.beds import Bed, beds, in_order
from bluegreen.adapters.rehearsal.candidates import Column, candidates
from bluegreen.adapters.rehearsal.fitting import AT_ONCE, fitting, fitting_at_once

own = questions(__package__, "seeds.sql")

PATIENCE = "SET LOCAL statement_timeout = '2s'"


async def sow(scratch: Connection, production: Connection) -> tuple[str, ...]:
    """Put one row that its constraints accept into each table that has none, parents first, fill the materialised
    views that production has filled, and set the sequences as production had them when this began (the copy itself may
    be given for it: then they stay). Returns in words which tables stayed empty and why. One statement that fails harms
    no other. Raises only where a connection is lost."""
    filled, positions, unread = await _there(production)
    said = await _sow(scratch, deferred=True)
    if said is None:
        said = await _sow(scratch, deferred=False) or []
    for name in [row["name"] for row in await scratch.fetch(own("unpopulated"))]:
        if name in filled and (why := await _tried(scratch, f"REFRESH MATERIALIZED VIEW {name}")):
            said.append(f"{name} is not filled on the copy: {why}")
    return (*said, *unread, *await _position(scratch, positions))


async def _there(production: Connection) -> tuple[set[str], Mapping[str, int | None], tuple[str, ...]]:
    """The materialised views that are filled, and where the sequences stand."""
    filled = {row["name"] for row in await production.fetch(own("populated"))}
    try:
        async with production.transaction(readonly=True):
            await production.execute("SET LOCAL lock_timeout = '200ms'")
            return filled, {row["name"]: row["last"] for row in await production.fetch(own("positions"))}, ()
    except asyncpg.LockNotAvailableError as exc:
        return filled, {}, (f"where production's sequences stand could not be read: {describe(exc)}",)


class _Undone(Exception):
    """What was put off to the end did not fit then."""


async def _sow(scratch: Connection, *, deferred: bool) -> list[str] | None:
    """None where what was put off to the end did not fit then, and nothing is kept."""
    try:
        async with scratch.transaction():
            await scratch.execute(PATIENCE)
            # Triggers may do anything, also outside of this database: where we may, none of them is run.
            await _tried(scratch, "SET LOCAL session_replication_role = replica")
            if deferred:
                await scratch.execute("SET CONSTRAINTS ALL DEFERRED")
            said = await _all(scratch)
            if await _tried(scratch, "SET CONSTRAINTS ALL IMMEDIATE"):
                raise _Undone
            return said
    except _Undone:
        return None


async def _all(scratch: Connection) -> list[str]:
    domains = {row["domain"]: row["definitions"] for row in await scratch.fetch(own("domains"))}
    waiting = deque(in_order(beds(await scratch.fetch(own("empty_tables")))))
    fitted = await fitting_at_once(scratch, [bed for bed in waiting if bed.root is None], domains)
    said, sown = [], set()
    while waiting:
        ready = takewhile(lambda bed: bed.oid in fitted, islice(waiting, AT_ONCE))
        for _ in range(await _at_once(scratch, [(bed, fitted[bed.oid]) for bed in ready])):
            waiting.popleft()
        bed = waiting.popleft() if waiting else None
        if bed is None or bed.root in sown:
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
        why = await _tried(scratch, _insert(bed, columns, fitted))
        if not why:
            return ""
        reason = reason or why
    return reason


async def _at_once(scratch: Connection, ready: Sequence[tuple[Bed, Mapping[int, str]]]) -> int:
    """Try to put a row into each, with all columns, until one does not take it; returns how many did."""
    if not ready:
        return 0
    statements = json.dumps([_insert(bed, bed.columns, fitted) for bed, fitted in ready])
    await scratch.execute("SELECT set_config('bluegreen.seeds', $1, true)", statements)
    if await _tried(scratch, own("sow")):
        return 0
    return int(await scratch.fetchval("SELECT current_setting('bluegreen.sown')"))


def _insert(bed: Bed, columns: Iterable[Column], fitted: Mapping[int, str]) -> str:
    values = {
        column.name: fitted.get(column.attnum) or _value(bed, column)
        for column in columns
        if not column.filled or column.attnum in fitted
    }
    return bed.insert(values)


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


async def _position(scratch: Connection, positions: Mapping[str, int | None]) -> tuple[str, ...]:
    try:
        await scratch.fetchval(own("set_positions"), list(positions), list(positions.values()))
    except LOST:
        raise
    except asyncpg.PostgresError as exc:
        return (f"sequences of the copy do not stand as on production: {describe(exc)}",)
    return ()
