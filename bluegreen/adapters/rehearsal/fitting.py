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

AT_ONCE = 100
"""Questions in one round trip."""


async def fitting(scratch: Connection, bed: Bed, domains: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """For each column (attnum) that a check or a domain speaks of, a value as SQL; nothing for those where none was
    found."""
    found: dict[int, str] = {}
    for columns, texts in _together(bed, domains):
        for said in (texts, []):
            (values,) = await _first(scratch, [_question(bed, columns, said, texts)])
            if values is not None:
                found |= _literals(columns, values)
                break
    return found


async def fitting_at_once(
    scratch: Connection, beds: Sequence[Bed], domains: Mapping[int, Sequence[str]]
) -> dict[int, dict[int, str]]:
    """The same for many tables, by their oids, in one round trip for many. Those are left out that need a closer look:
    their checks speak of columns that refer to other tables, or refuse what is tried first."""
    found: dict[int, dict[int, str]] = {bed.oid: {} for bed in beds}
    asked = []
    for bed in beds:
        for columns, texts in _together(bed, domains):
            asked.append((bed.oid, columns, _question(bed, columns, texts, texts)))
            if any(column.attnum in bed.sources for column in columns):
                found.pop(bed.oid, None)
    asked = [each for each in asked if each[0] in found]
    for at in range(0, len(asked), AT_ONCE):
        part = asked[at : at + AT_ONCE]
        answers = await _first(scratch, [question for _, _, question in part])
        for (oid, columns, _), values in zip(part, answers, strict=True):
            if values is None:
                found.pop(oid, None)
            elif oid in found:
                found[oid] |= _literals(columns, values)
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
        if columns := [column for column in bed.columns if column.attnum in attnums]:  # none: all are generated
            yield columns, texts


def _choice(bed: Bed, column: Column, said: Sequence[str]) -> list[str]:
    source = bed.sources.get(column.attnum)
    values = [source] if source else list(candidates(column, said))
    return values if column.required else [*values, f"NULL::{column.base}"]


def _question(bed: Bed, columns: Sequence[Column], said: Sequence[str], conditions: Sequence[str]) -> str:
    """The first combination of what may stand in the columns, as texts, which no condition refuses."""
    each = max(2, int(COMBINATIONS ** (1 / len(columns))))
    tables = " CROSS JOIN ".join(
        f"(VALUES {', '.join(f'({value})' for value in _cut(_choice(bed, column, said), each))})"
        f" AS c{n} ({quoted(column.name)})"
        for n, column in enumerate(columns)
    )
    answers = ", ".join(f"{quoted(column.name)}::text" for column in columns)
    wanted = " AND ".join(f"({condition}) IS NOT FALSE" for condition in conditions)
    return f"SELECT ARRAY[{answers}] FROM {tables} WHERE {wanted} LIMIT 1"


async def _first(scratch: Connection, questions: Sequence[str]) -> Sequence[Sequence[str | None] | None]:
    """An answer to each, None where there is none; no answers at all where one of the questions fails."""
    whole = " UNION ALL ".join(f"SELECT {n} AS n, ({question}) AS answer" for n, question in enumerate(questions))
    savepoint = scratch.transaction()
    await savepoint.start()
    try:
        return [row["answer"] for row in await scratch.fetch(f"{whole} ORDER BY n")]
    except LOST:
        raise
    except asyncpg.PostgresError:
        return [None] * len(questions)
    finally:
        await savepoint.rollback()


def _literals(columns: Sequence[Column], values: Sequence[str | None]) -> dict[int, str]:
    return {column.attnum: _literal(value, column) for column, value in zip(columns, values, strict=True)}


def _cut(values: Sequence[str], count: int) -> Sequence[str]:
    """The first of them, and the last, which is NULL where that is allowed."""
    return values if len(values) <= count else [*values[: count - 1], values[-1]]


def _literal(value: str | None, column: Column) -> str:
    if value is None:
        return f"NULL::{column.base}"
    return "'" + value.replace("'", "''") + f"'::{column.base}"
