"""Values that fit the checks of a table, found by Postgres itself: among all combinations of candidates, the first
that no check refuses."""

# ruff: noqa: S608 - values and conditions stand here as Postgres itself printed them

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Connection
from bluegreen.adapters.postgres.sql_definitions import check, quoted
from bluegreen.adapters.rehearsal.beds import Bed, Condition
from bluegreen.adapters.rehearsal.candidates import Column, candidates

COMBINATIONS = 20_000
"""At most so many are tried together."""


async def fitting(scratch: Connection, bed: Bed, domains: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """For each column (attnum) that a check or a domain speaks of, a value as SQL; nothing for those where none was
    found."""
    found: dict[int, str] = {}
    for columns, texts in _together(bed, domains):
        for said in (texts, []):
            choice = {column.attnum: _choice(bed, column, said) for column in columns}
            values = await _first(scratch, columns, choice, texts)
            if values is not None:
                found |= values
                break
    return found


def _together(bed: Bed, domains: Mapping[int, Sequence[str]]) -> Iterable[tuple[list[Column], list[str]]]:
    """Columns that share a check, with all checks of theirs."""
    conditions = [condition for condition in bed.conditions if condition.columns]
    for column in bed.columns:
        for definition in domains.get(column.domain or 0, ()):
            # VALUE of a domain's check is read as a column: it is called so in a subquery.
            text = f"(SELECT {check(definition)} FROM (SELECT {quoted(column.name)} AS value) AS held)"
            conditions.append(Condition(text, frozenset([column.attnum])))
    groups: list[tuple[frozenset[int], list[str]]] = []
    for condition in conditions:
        touching = [group for group in groups if group[0] & condition.columns]
        merged = condition.columns.union(*(group[0] for group in touching))
        texts = [text for group in touching for text in group[1]]
        groups = [group for group in groups if group not in touching] + [(merged, [*texts, condition.text])]
    for attnums, texts in groups:
        yield [column for column in bed.columns if column.attnum in attnums], texts


def _choice(bed: Bed, column: Column, said: Sequence[str]) -> list[str]:
    source = bed.sources.get(column.attnum)
    values = [source] if source else list(candidates(column, said))
    return values if column.required else [*values, f"NULL::{column.base}"]


async def _first(
    scratch: Connection, columns: Sequence[Column], choice: Mapping[int, Sequence[str]], conditions: Sequence[str]
) -> dict[int, str] | None:
    each = max(2, int(COMBINATIONS ** (1 / max(1, len(columns)))))
    tables = " CROSS JOIN ".join(
        f"(VALUES {', '.join(f'({value})' for value in _cut(choice[column.attnum], each))})"
        f" AS c{n} ({quoted(column.name)})"
        for n, column in enumerate(columns)
    )
    answers = ", ".join(f"{quoted(column.name)}::text" for column in columns)
    wanted = " AND ".join(f"({condition}) IS NOT FALSE" for condition in conditions)
    savepoint = scratch.transaction()
    await savepoint.start()
    try:
        row = await scratch.fetchrow(f"SELECT {answers} FROM {tables} WHERE {wanted} LIMIT 1")
    except LOST:
        raise
    except asyncpg.PostgresError:
        return None
    finally:
        await savepoint.rollback()
    if row is None:
        return None
    return {column.attnum: _literal(row[n], column) for n, column in enumerate(columns)}


def _cut(values: Sequence[str], count: int) -> Sequence[str]:
    """The first of them, and the last, which is NULL where that is allowed."""
    return values if len(values) <= count else [*values[: count - 1], values[-1]]


def _literal(value: str | None, column: Column) -> str:
    if value is None:
        return f"NULL::{column.base}"
    return "'" + value.replace("'", "''") + f"'::{column.base}"
