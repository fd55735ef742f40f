"""What to ask production's rows before a change: each changed thing of the catalogue becomes a question in SQL.

A question is put to tables as production has them, in the words of the changed definition: a subquery gives columns
the names and types that the migration gives them. What the migration itself adds cannot be asked about.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bluegreen.adapters.postgres.sql_definitions import (
    check,
    columns,
    foreign_key,
    functions,
    not_null,
    parts,
    quoted,
    unique,
)
from bluegreen.adapters.rehearsal.castable import uncastable
from bluegreen.domain.catalogue import Catalogue, Change, How, Thing, changes
from bluegreen.domain.type_widening import widened

ENOUGH = 1000
"""Rows after which nobody counts on."""

TABLES = ("table", "matview")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one thing. `sql` gives a row for each that is looked for; "" where nothing can be asked,
    which `problem` says. `calls` are the functions in it: a volatile one could do anything."""

    kind: str
    thing: Thing
    sql: str = ""
    limit: int = ENOUGH
    calls: tuple[str, ...] = ()
    problem: str = ""


def questions(before: Catalogue, after: Catalogue) -> tuple[Question, ...]:
    """All that the difference raises, the cheap ones first."""
    found = list(changes(before, after))
    asked = [*_touched(found, before), *(each for change in found for each in _about(change, before, after))]
    return tuple({(each.kind, each.thing.key): each for each in asked}.values())


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
        yield from _of_domain(change, before)
    if thing.of not in before:
        return  # its table is new, and holds what the migration puts there
    table = before[thing.of]
    if thing.kind == "index" and thing.facts.get("unique") and not (former and former.facts.get("valid")):
        yield from _duplicates(thing, table, before, after)
    if thing.kind == "column":
        yield from _of_column(thing, former, table, after)
    if thing.kind == "constraint" and (former is None or {"validated", "definition"} & set(change.fields)):
        yield from _of_constraint(thing, table, before, after)


def _duplicates(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    """Asked once, said of the index and of the constraint that it belongs to."""
    question = _duplicate(thing, table, before, after)
    yield question
    for each in after.values():
        if each.kind == "constraint" and each.of == thing.of and thing.facts.get("constraint"):
            if _constraint_name(each) == thing.facts["constraint"]:
                yield replace(question, thing=each)


def _duplicate(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Question:
    definition = unique(str(thing.facts.get("definition")))
    if definition is None:
        return Question("duplicates", thing, problem="an index of this kind is not asked about")
    compared = ", ".join(definition.expressions)
    source = _rows(table, before, after, f"{compared}, {definition.where}" if definition.where else compared)
    conditions = [f"({definition.where})"] if definition.where else []
    if not definition.nulls_equal:
        conditions += [f"{expression} IS NOT NULL" for expression in definition.expressions]
    sql = f"SELECT 1 FROM {source} WHERE {' AND '.join(conditions) or 'true'} GROUP BY {compared} HAVING count(*) > 1"
    return Question("duplicates", thing, sql, calls=functions(" AND ".join([*conditions, f"({compared}) IS NULL"])))


def _constraint_name(thing: Thing) -> str:
    return parts(thing.name.partition(" on ")[0])[-1]


def _of_column(thing: Thing, former: Thing | None, table: Thing, after: Catalogue) -> Iterator[Question]:
    facts = thing.facts
    if former is None:
        filled = facts.get("default") is not None or facts.get("identity") or facts.get("generated")
        if facts.get("not_null") and not filled:
            yield Question("rows", thing, f"SELECT 1 FROM {table.name}", limit=1)
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


def _labels(type_: str, after: Catalogue) -> tuple[str, ...]:
    for thing in after.values():
        if thing.kind == "enum" and thing.name == type_:
            return tuple(str(thing.facts.get("labels")).split("\n"))
    return ()


def _of_constraint(thing: Thing, table: Thing, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    definition, type_ = str(thing.facts.get("definition")), thing.facts.get("type")
    if type_ == "c" and (condition := check(definition)):
        source = _rows(table, before, after, condition)
        yield Question("violations", thing, f"SELECT 1 FROM {source} WHERE NOT ({condition})", calls=functions(condition))
    if type_ == "f":
        yield _orphans(thing, table, before, after, definition)
    if type_ == "n" and (column := not_null(definition)):
        source = _rows(table, before, after, quoted(column))
        yield Question("nulls", thing, f"SELECT 1 FROM {source} WHERE {quoted(column)} IS NULL")
    if type_ == "x":
        yield Question("violations", thing, problem="whether rows exclude each other is not asked")


def _orphans(thing: Thing, table: Thing, before: Catalogue, after: Catalogue, definition: str) -> Question:
    key = foreign_key(definition)
    if key is None:
        return Question("orphans", thing, problem="a foreign key of this kind is not asked about")
    other = next((each for each in after.values() if each.kind == "table" and parts(each.name) == key.table), None)
    if other is None or other.key not in before:
        return Question("orphans", thing, problem="the table it refers to is new: whether rows have their parents is not asked")
    mine, theirs = [quoted(name) for name in key.columns], [quoted(name) for name in key.referenced]
    child = _rows(table, before, after, ", ".join(mine), "child")
    parent = _rows(before[other.key], before, after, ", ".join(theirs), "parent")
    meant = (" OR " if key.full else " AND ").join(f"child.{name} IS NOT NULL" for name in mine)
    match = " AND ".join(f"parent.{theirs_} = child.{mine_}" for mine_, theirs_ in zip(mine, theirs, strict=True))
    return Question(
        "orphans", thing, f"SELECT 1 FROM {child} WHERE ({meant}) AND NOT EXISTS (SELECT FROM {parent} WHERE {match})"
    )


def _of_domain(change: Change, before: Catalogue) -> Iterator[Question]:
    """What the columns of that type hold that it takes no more."""
    thing, former = change.thing, change.before
    assert former is not None, "asked for changed domains only"
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


def _rows(table: Thing, before: Catalogue, after: Catalogue, read: str, alias: str = "rows") -> str:
    """The table with the columns that are read, called as after the migration."""
    names = columns(read)
    chosen = []
    for key, now in after.items():
        if now.kind == "column" and now.of == table.key and key in before and parts(now.name)[-1] in names:
            column = quoted(parts(before[key].name)[-1])
            cast = "" if before[key].facts.get("type") == now.facts.get("type") else f"::{now.facts.get('type')}"
            chosen.append(f"{column}{cast} AS {quoted(parts(now.name)[-1])}")
    return f"(SELECT {', '.join(chosen)} FROM {table.name}) AS {alias}"
