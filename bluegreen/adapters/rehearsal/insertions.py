"""Questions that inserted rows raise: are there rows on production already that a unique index would not have beside
them?"""

# ruff: noqa: S608 - names and expressions stand here as Postgres itself printed them

from collections.abc import Iterator, Mapping, Sequence

from bluegreen.adapters.postgres.sql_constants import Inserted, inserted
from bluegreen.adapters.postgres.sql_definitions import parts, unique
from bluegreen.adapters.rehearsal.question import Question
from bluegreen.domain.catalogue import Catalogue, Thing

ALIKE = 200
"""Rows of one statement that are asked about."""


def of_insertions(statements: Sequence[str], before: Catalogue) -> Iterator[Question]:
    """About the constants that statements insert into tables that production has."""
    found = [(statement, each) for statement in statements for each in inserted(statement)]
    tables = {parts(thing.name): thing for thing in before.values() if thing.kind == "table"} if found else {}
    for _, each in found:
        # Without a schema search_path decides, which is not known here: it must be the only one of that name.
        named = [thing for name, thing in tables.items() if name[-len(each.table) :] == each.table]
        if len(named) == 1:
            yield from _against(each, named[0], before)


def _against(each: Inserted, table: Thing, before: Catalogue) -> Iterator[Question]:
    names = each.columns or _columns(table, before)
    rows = [dict(zip(names, row, strict=False)) for row in each.rows[:ALIKE]]
    for index in before.values():
        if index.kind == "index" and index.of == table.key and index.facts.get("unique"):
            conditions = [condition for row in rows if (condition := _same(index, row))]
            if conditions:
                sql = f"SELECT 1 FROM {table.name} WHERE {' OR '.join(conditions)}"
                yield Question("keys", table, sql)


def _same(index: Thing, row: Mapping[str, str]) -> str:
    """True for rows that are equal to this one by the index; "" where that depends on more than constants."""
    definition = unique(str(index.facts.get("definition")))
    if definition is None or definition.where:
        return ""
    pairs = [(expression, row.get(parts(expression)[-1], "")) for expression in definition.expressions]
    if not all(value for _, value in pairs):
        return ""
    return "(" + " AND ".join(f"{expression} = {value}" for expression, value in pairs) + ")"


def _columns(table: Thing, before: Catalogue) -> tuple[str, ...]:
    found = [thing for thing in before.values() if thing.kind == "column" and thing.of == table.key]
    return tuple(parts(thing.name)[-1] for thing in sorted(found, key=lambda thing: int(str(thing.facts["attnum"]))))
