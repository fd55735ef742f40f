"""Questions that indexes and constraints raise: rows that they would not take."""

# ruff: noqa: S608 - names and expressions stand here as Postgres itself printed them

from collections.abc import Iterator
from dataclasses import replace

from bluegreen.adapters.postgres.sql_definitions import check, foreign_key, functions, not_null, parts, quoted, unique
from bluegreen.adapters.rehearsal.question import Question, rows_of
from bluegreen.domain.catalogue import Catalogue, Thing


def of_unique(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    """Asked once, said of the index and of the constraint that it belongs to."""
    question = _duplicate(thing, table, before, after)
    yield question
    for each in after.values():
        if (
            each.kind == "constraint"
            and each.of == thing.of
            and _constraint_name(each) == thing.facts.get("constraint")
        ):
            yield replace(question, thing=each)


def _duplicate(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Question:
    definition = unique(str(thing.facts.get("definition")))
    if definition is None:
        return Question("duplicates", thing, problem="an index of this kind is not asked about")
    compared = ", ".join(definition.expressions)
    source = rows_of(table, before, after, f"{compared}, {definition.where}" if definition.where else compared)
    conditions = [f"({definition.where})"] if definition.where else []
    if not definition.nulls_equal:
        conditions += [f"{expression} IS NOT NULL" for expression in definition.expressions]
    sql = f"SELECT 1 FROM {source} WHERE {' AND '.join(conditions) or 'true'} GROUP BY {compared} HAVING count(*) > 1"
    return Question("duplicates", thing, sql, calls=functions(" AND ".join([*conditions, f"({compared}) IS NULL"])))


def _constraint_name(thing: Thing) -> str:
    return parts(thing.name.partition(" on ")[0])[-1]


def of_constraint(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    definition, type_ = str(thing.facts.get("definition")), thing.facts.get("type")
    if type_ == "c" and (condition := check(definition)):
        source = rows_of(table, before, after, condition)
        yield Question(
            "violations", thing, f"SELECT 1 FROM {source} WHERE NOT ({condition})", calls=functions(condition)
        )
    if type_ == "f":
        yield _orphans(thing, table, before, after, definition)
    if type_ == "n" and (column := not_null(definition)):
        source = rows_of(table, before, after, quoted(column))
        yield Question("nulls", thing, f"SELECT 1 FROM {source} WHERE {quoted(column)} IS NULL")
    if type_ == "x":
        yield Question("violations", thing, problem="whether rows exclude each other is not asked")


def _orphans(thing: Thing, table: Thing, before: Catalogue, after: Catalogue, definition: str) -> Question:
    key = foreign_key(definition)
    if key is None:
        return Question("orphans", thing, problem="a foreign key of this kind is not asked about")
    other = next((each for each in after.values() if each.kind == "table" and parts(each.name) == key.table), None)
    if other is None or other.key not in before:
        return Question(
            "orphans", thing, problem="the table it refers to is new: whether rows have their parents is not asked"
        )
    mine, theirs = [quoted(name) for name in key.columns], [quoted(name) for name in key.referenced]
    child = rows_of(table, before, after, ", ".join(mine), "child")
    parent = rows_of(before[other.key], before, after, ", ".join(theirs), "parent")
    meant = (" OR " if key.full else " AND ").join(f"child.{name} IS NOT NULL" for name in mine)
    match = " AND ".join(f"parent.{theirs_} = child.{mine_}" for mine_, theirs_ in zip(mine, theirs, strict=True))
    return Question(
        "orphans", thing, f"SELECT 1 FROM {child} WHERE ({meant}) AND NOT EXISTS (SELECT FROM {parent} WHERE {match})"
    )
