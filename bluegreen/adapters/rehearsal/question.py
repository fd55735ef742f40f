"""A question to production's rows, and how it is put to tables as production has them.

It is put in the words of the changed definition: a subquery gives columns the names and types that the migration gives
them. What the migration itself adds cannot be asked about.
"""

# ruff: noqa: S608 - names and expressions stand here as Postgres itself printed them

from dataclasses import dataclass

from bluegreen.adapters.postgres.sql_definitions import columns, parts, quoted
from bluegreen.domain.catalogue import Catalogue, Thing

ENOUGH = 1000
"""Rows after which nobody counts on."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one thing. `sql` gives a row for each that is looked for; "" where nothing can be asked,
    which `problem` says. `calls` are the functions in it: a volatile one could do anything. `works_out`: `sql` gives
    values, and rows are looked for on which that fails."""

    kind: str
    thing: Thing
    sql: str = ""
    limit: int = ENOUGH
    calls: tuple[str, ...] = ()
    problem: str = ""
    works_out: bool = False


def rows_of(table: Thing, before: Catalogue, after: Catalogue, read: str, alias: str = "rows") -> str:
    """The table with the columns that are read, called as after the migration."""
    names = columns(read)
    chosen = []
    for key, now in after.items():
        if now.kind == "column" and now.of == table.key and key in before and parts(now.name)[-1] in names:
            column = quoted(parts(before[key].name)[-1])
            cast = "" if before[key].facts.get("type") == now.facts.get("type") else f"::{now.facts.get('type')}"
            chosen.append(f"{column}{cast} AS {quoted(parts(now.name)[-1])}")
    return f"(SELECT {', '.join(chosen)} FROM {table.name}) AS {alias}"
