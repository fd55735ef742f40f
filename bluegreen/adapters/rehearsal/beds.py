"""Tables of the copy that wait for a row: their columns, what they must satisfy, and where their parents are."""

# ruff: noqa: S608 - names stand here as Postgres itself quotes them

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from bluegreen.adapters.postgres.sql_definitions import columns as read_by
from bluegreen.adapters.postgres.sql_definitions import quoted
from bluegreen.adapters.rehearsal.candidates import Column, candidates


@dataclass(frozen=True, slots=True)
class Condition:
    """What must not be false, and the columns (attnum) that it reads."""

    text: str
    columns: frozenset[int]


@dataclass(frozen=True, slots=True)
class Bed:
    """One empty table. `root`: the partitioned table that it is a leaf of; `parents`: the tables that its keys refer
    to; `sources`: for each column of such a key, where its value comes from, as SQL."""

    oid: int
    name: str
    root: int | None
    columns: tuple[Column, ...]
    conditions: tuple[Condition, ...]
    parents: frozenset[int]
    sources: Mapping[int, str] = field(default_factory=dict)

    def insert(self, values: Mapping[str, str]) -> str:
        """The statement that puts these values, as SQL, by column."""
        if not values:
            return f"INSERT INTO {self.name} DEFAULT VALUES"
        names = ", ".join(quoted(name) for name in values)
        return f"INSERT INTO {self.name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({', '.join(values.values())})"


def beds(rows: Iterable[asyncpg.Record]) -> list[Bed]:
    """From what `empty_tables` in seeds.sql answers."""
    return [_bed(row) for row in rows]


def in_order(unordered: Sequence[Bed]) -> list[Bed]:
    """Parents before children, as far as they do not go round in a circle."""
    ordered: list[Bed] = []
    waiting = list(unordered)
    while waiting:
        open_ = {oid for bed in waiting for oid in (bed.oid, bed.root) if oid is not None}
        free = [bed for bed in waiting if not bed.parents & (open_ - {bed.oid, bed.root})]
        chosen = free or waiting[:1]
        ordered += chosen
        waiting = [bed for bed in waiting if bed not in chosen]
    return ordered


def _bed(row: asyncpg.Record) -> Bed:
    columns = tuple(_column(item) for item in json.loads(row["columns"] or "[]"))
    by_name = {column.name: column for column in columns}
    conditions = [
        Condition(item["condition"], frozenset(item["columns"] or ())) for item in json.loads(row["checks"] or "[]")
    ]
    if row["bound"]:
        read = frozenset(by_name[name].attnum for name in read_by(row["bound"]) if name in by_name)
        conditions.append(Condition(row["bound"], read))
    keys = json.loads(row["parents"] or "[]")
    sources: dict[int, str] = {}
    for key in keys:
        for attnum, theirs in zip(key["columns"], key["theirs"], strict=True):
            sources.setdefault(attnum, _source(key, theirs, row["oid"], by_name))
    return Bed(
        row["oid"],
        row["name"],
        row["root"],
        columns,
        tuple(conditions),
        frozenset(key["parent"] for key in keys),
        sources,
    )


def _source(key: Mapping[str, Any], theirs: str, oid: int, by_name: Mapping[str, Column]) -> str:
    if key["parent"] == oid and theirs in by_name:
        # A row that refers to itself: the value that the column it refers to would get.
        return "NULL" if by_name[theirs].filled else candidates(by_name[theirs])[0]
    return f"(SELECT {theirs} FROM {key['name']} LIMIT 1)"


def _column(item: Mapping[str, object]) -> Column:
    labels = item["labels"]
    return Column(
        int(str(item["attnum"])),
        str(item["name"]),
        str(item["type"]),
        str(item["base"]),
        str(item["category"]),
        bool(item["required"]),
        bool(item["filled"]),
        None if item["domain"] is None else int(str(item["domain"])),
        tuple(labels) if isinstance(labels, list) else (),
    )
