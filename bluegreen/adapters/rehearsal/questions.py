"""What to ask production's rows before a change: each changed thing of the catalogue becomes a question in SQL."""

# ruff: noqa: S608 - names and expressions stand here as Postgres itself printed them

from collections.abc import Iterator, Sequence

from bluegreen.adapters.postgres.sql_definitions import check, functions, parts, quoted
from bluegreen.adapters.rehearsal.castable import uncastable
from bluegreen.adapters.rehearsal.constraints import of_constraint, of_unique
from bluegreen.adapters.rehearsal.insertions import of_insertions
from bluegreen.adapters.rehearsal.partitions import of_partition
from bluegreen.adapters.rehearsal.question import Question, rows_of
from bluegreen.domain.catalogue import Catalogue, Change, How, Thing, changes
from bluegreen.domain.type_widening import widened

TABLES = ("table", "matview")
STORED = "stored: "


def questions(before: Catalogue, after: Catalogue, statements: Sequence[str] = ()) -> tuple[Question, ...]:
    """All that the difference, and the rows that statements insert, raise; the cheap ones first."""
    found = list(changes(before, after))
    asked = [
        *_touched(found, before),
        *of_insertions(statements, before),
        *(each for change in found for each in _about(change, before, after)),
    ]
    return tuple({(each.kind, each.thing.key, each.sql): each for each in asked}.values())


def _touched(found: list[Change], before: Catalogue) -> Iterator[Question]:
    """Whether the tables that are changed hold rows at all."""
    keys = dict.fromkeys(key for change in found for key in (change.thing.key, change.thing.of))
    for thing in (before[key] for key in keys if key in before):
        if thing.kind in TABLES:
            yield Question("rows", thing, f"SELECT 1 FROM {thing.name}", limit=1)


def _about(change: Change, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    thing, former = change.thing, change.before
    if change.how is How.REMOVED:
        return
    if thing.kind == "domain" and former is not None:
        yield from _of_domain(thing, former, before)
    if thing.kind == "table":
        yield from of_partition(thing, former, before, after)
    if thing.of not in before:
        return  # its table is new, and holds what the migration puts there
    table = before[thing.of]
    if thing.kind == "index" and thing.facts.get("unique") and not (former and former.facts.get("valid")):
        yield from of_unique(thing, table, before, after)
    if thing.kind == "column":
        yield from _of_column(thing, former, table, before, after)
    if thing.kind == "constraint" and (former is None or {"validated", "definition"} & set(change.fields)):
        yield from of_constraint(thing, table, before, after)


def _of_column(
    thing: Thing, former: Thing | None, table: Thing, before: Catalogue, after: Catalogue
) -> Iterator[Question]:
    facts = thing.facts
    if former is None:
        filled = facts.get("default") is not None or facts.get("identity") or facts.get("generated")
        if facts.get("not_null") and not filled:
            yield Question("rows", thing, f"SELECT 1 FROM {table.name}", limit=1)
        if str(facts.get("generated")).startswith(STORED) and table.kind == "table":
            yield _worked_out(thing, table, before, after)
        return
    name = quoted(parts(former.name)[-1])
    if facts.get("not_null") and not former.facts.get("not_null"):
        yield Question("nulls", thing, f"SELECT 1 FROM {table.name} WHERE {name} IS NULL")
    was, is_ = str(former.facts.get("type")), str(facts.get("type"))
    if was != is_ and table.kind in TABLES and not widened(was, is_, after):
        condition = uncastable(name, was, is_, _labels(is_, after))
        if condition:
            yield Question("overflow", thing, f"SELECT 1 FROM {table.name} WHERE {condition}")
        else:
            yield Question("overflow", thing, problem=f"whether all values of {was} can become {is_} is not asked")


def _worked_out(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Question:
    expression = str(thing.facts.get("generated")).removeprefix(STORED)
    source = rows_of(table, before, after, expression)
    sql = f"SELECT ({expression})::{thing.facts.get('type')} AS value FROM {source}"
    return Question("failures", thing, sql, calls=functions(expression), works_out=True)


def _labels(type_: str, after: Catalogue) -> tuple[str, ...]:
    for thing in after.values():
        if thing.kind == "enum" and thing.name == type_:
            return tuple(str(thing.facts.get("labels")).split("\n"))
    return ()


def _of_domain(thing: Thing, former: Thing, before: Catalogue) -> Iterator[Question]:
    """What the columns of that type hold that it takes no more."""
    known = set(str(former.facts.get("checks") or "").split("\n"))
    new = [line for line in str(thing.facts.get("checks") or "").split("\n") if line not in known]
    conditions = [check(f"CONSTRAINT {line}") for line in new]
    if thing.facts.get("not_null") and not former.facts.get("not_null"):
        conditions.append("value IS NOT NULL")
    holders = [
        each
        for each in before.values()
        if each.kind == "column" and each.facts.get("type") == former.name and before[each.of].kind == "table"
    ]
    if not holders or not any(conditions):
        return
    values = " UNION ALL ".join(
        f"SELECT {quoted(parts(each.name)[-1])} AS value FROM {before[each.of].name}" for each in holders
    )
    said = " AND ".join(f"({condition})" for condition in conditions if condition)
    yield Question("violations", thing, f"SELECT 1 FROM ({values}) AS held WHERE NOT ({said})", calls=functions(said))
