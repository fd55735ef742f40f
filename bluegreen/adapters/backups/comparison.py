"""What a database holds, so that two can be compared: rows and checksums of tables, sequences, large objects.

A checksum is the sum of a hash of each row's text: no order, no sorting, exact. Both sides must write a value as the
same text, so all that shapes it is set (FORM), columns stand in the order of their names (a restored child table may
have them in another one), and generated columns are left out: a dump does not hold them. Sequences take part in no
snapshot; where one stands in the dump lies between where it stood before the dump and after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import MARK, questions

Compare = Literal["checksum", "count"]

FORM = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "search_path": "pg_catalog",  # else the name of a type or a table in a value is shortened
    "xmloption": "content",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # users need the other cores
}
"""Settings of every session that measures."""

SHOWN = 5
AT_ONCE = 100
"""Sequences that are asked for in one question."""

own = questions(__package__)

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Table:
    """Its rows, and their checksum ("": not known)."""

    rows: int
    checksum: str = ""

    def like(self, other: "Table") -> bool:
        """Whether both hold the same, as far as both know."""
        known = self.checksum and other.checksum
        return self.rows == other.rows and (not known or self.checksum == other.checksum)


@dataclass(frozen=True, slots=True)
class Contents:
    """What was measured. `sequences`: the next value, at least and at most; `large_objects` None: not looked at."""

    tables: Mapping[str, Table]
    sequences: Mapping[str, Bounds] = field(default_factory=dict)
    large_objects: Table | None = None

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    def until(self, later: Mapping[str, Bounds]) -> "Contents":
        """With the sequences' way from then to a later look at them."""
        bounds = {
            name: (min(*now, *later[name]), max(*now, *later[name]))
            for name, now in self.sequences.items()
            if name in later
        }
        return replace(self, sequences=bounds)


async def measure(connection: Connection, compare: Compare, timeout: float) -> Contents:
    """What the snapshot of this connection holds, whose session has FORM; `timeout` seconds for one table."""
    tables = {}
    for record in await connection.fetch(own("tables")):
        tables[record["name"]] = await measure_table(connection, record["name"], record["columns"], compare, timeout)
    found = await connection.fetchrow(own("large_objects"), compare == "checksum", timeout=timeout)
    objects = Table(found["objects"], found["checksum"]) if found is not None else None
    return Contents(tables, await positions(connection), objects)


async def measure_table(connection: Connection, name: str, columns: str, compare: Compare, timeout: float) -> Table:
    """One table; `name` and `columns` as the question `tables` gives them, quoted."""
    if compare == "count":
        return Table(await connection.fetchval(f"SELECT {MARK} count(*) FROM ONLY {name}", timeout=timeout))  # noqa: S608 - quoted by format('%I')
    found = await connection.fetchrow(
        f'SELECT {MARK} count(*), coalesce(sum(hashtextextended(ROW({columns})::text COLLATE "C", 0)), 0)::text'  # noqa: S608 - the same
        f" FROM ONLY {name}",
        timeout=timeout,
    )
    return Table(*found) if found is not None else Table(0)


async def positions(connection: Connection) -> dict[str, Bounds]:
    """The next value of every sequence that does not begin again at its end."""
    found = await connection.fetch(own("sequences"))
    next: dict[str, Bounds] = {}
    for first in range(0, len(found), AT_ONCE):
        some = found[first : first + AT_ONCE]
        asked = " UNION ALL ".join(
            f"SELECT {number}, last_value::numeric + CASE WHEN is_called THEN {record['step']} ELSE 0 END"  # noqa: S608 - the same
            f" FROM {record['name']}"
            for number, record in enumerate(some)
        )
        for number, value in await connection.fetch(asked):
            next[some[number]["name"]] = (int(value), int(value))
    return next


def differences(dumped: Contents, restored: Contents) -> str:
    """What is not the same on both sides, the first few by name; empty where all is."""
    wrong = [*_tables(dumped, restored), *_sequences(dumped, restored), *_large_objects(dumped, restored)]
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return "; ".join(wrong[:SHOWN]) + more


def _tables(dumped: Contents, restored: Contents) -> list[str]:
    wrong = []
    for name in sorted({*dumped.tables, *restored.tables}):
        ours, theirs = dumped.tables.get(name), restored.tables.get(name)
        if ours is None or theirs is None or ours.rows != theirs.rows:
            wrong.append(f"{name}: {_rows(ours)} in the database, {_rows(theirs)} in the dump")
        elif not ours.like(theirs):
            wrong.append(f"{name}: {ours.rows} rows on both sides, but they are not the same ones (checksum)")
    return wrong


def _rows(table: Table | None) -> str:
    return "no table" if table is None else str(table.rows)


def _sequences(dumped: Contents, restored: Contents) -> list[str]:
    wrong = []
    for name, (low, high) in sorted(dumped.sequences.items()):
        at = restored.sequences.get(name)
        if at is None:
            wrong.append(f"sequence {name}: not in the dump")
        elif not low <= at[0] <= high:
            between = str(low) if low == high else f"{low} to {high}"
            wrong.append(f"sequence {name}: next is {between} in the database, {at[0]} in the dump")
    return wrong


def _large_objects(dumped: Contents, restored: Contents) -> list[str]:
    ours, theirs = dumped.large_objects, restored.large_objects
    if ours is None or theirs is None or ours.like(theirs):
        return []
    what = "" if ours.rows != theirs.rows else ", but they are not the same ones (checksum)"
    return [f"large objects: {ours.rows} in the database, {theirs.rows} in the dump{what}"]
