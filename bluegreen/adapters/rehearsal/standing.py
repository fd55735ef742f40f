"""How queries stand on the copy: can they be prepared and planned, what do they return, what do their INSERTs leave
empty?

Each is planned, not only prepared: only then are rights checked, and the index that an ON CONFLICT needs.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.sql_inserts import guesses, parameters, repaired

AT_ONCE = 200
"""Queries that are tried in one round trip."""

NO_VALUE = re.compile(r"\(*NULL(::.*)?", re.DOTALL)
UNTYPED = re.compile(r"parameter \$(\d+)")
MISREAD = {"42601", "42803"}
UNDECIDED = {"42725", "42883", "42804", "42P08", "42846"}
NOT_FOUND = {"42P01", "42704", "3F000"}

TIMEOUT = 120.0
"""Seconds for a round trip in which many queries are planned; who rehearses bounds all of it."""

own = questions(__package__, "live_queries.sql")

Required = Mapping[tuple[str, str], Sequence[tuple[int, str, str]]]
"""Of each table, by schema and name, the columns that take no NULL: attnum, key, full name."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to put a query, as which role and with which search_path: the text to prepare, and the types of
    parameters that Postgres cannot tell by itself. `everywhere` is the search_path of all schemas, to be tried where a
    name is not found: applications may set theirs when they connect."""

    text: str
    role: str = ""
    path: str = ""
    types: Mapping[int, str] = field(default_factory=dict)
    untried: tuple[frozenset[int], ...] | None = None
    repaired: bool = False
    everywhere: str = ""

    def otherwise(self, state: str, message: str) -> "Wording | None":
        """Another way, after Postgres refused this one; None when there is none left."""
        untyped = UNTYPED.search(message)
        if state == "42501" and self.role:
            return replace(self, role="")
        if state in MISREAD | UNDECIDED and not self.repaired:
            return replace(self, text=repaired(self.text), repaired=True)
        if state == "42P18" and untyped and self.types.get(int(untyped[1])) != "text":
            return replace(self, types={**self.types, int(untyped[1]): "text"})
        if state in NOT_FOUND and self.everywhere:
            return replace(self, path=self.everywhere, everywhere="")
        untried = guesses(self.text) if self.untried is None else self.untried
        if state in UNDECIDED and untried:
            return replace(self, types=dict.fromkeys(untried[0], "integer"), untried=untried[1:])
        return None

    def question(self, name: str) -> dict[str, str | bool]:
        """As `stand` in live_queries.sql reads it."""
        used = parameters(self.text)
        last = max(used, default=0)
        # A number that is left out has no type that could be told from its use.
        types = [self.types.get(n, "unknown" if n in used else "text") for n in range(1, last + 1)]
        return {
            "name": name,
            "text": self.text,
            "types": f"({', '.join(types)})" if types else "",
            "nulls": nulls(last),
            "role": self.role,
            "path": self.path,
            "fills": "insert" in self.text.lower(),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a query: `state` is Postgres's SQLSTATE, "" where it can be planned; `columns` of its result,
    names and types; `unfilled` the columns that take no NULL and that its INSERTs leave empty, by key."""

    state: str = ""
    message: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    unfilled: Mapping[str, str] = field(default_factory=dict)


def nulls(count: int) -> str:
    """Arguments for an EXECUTE."""
    return f"({', '.join(['NULL'] * count)})" if count else ""


async def stand(scratch: Connection, wordings: Sequence[Wording]) -> list[Standing]:
    """How each of them stands, in their order. Nothing stays on the copy. Raises asyncpg's errors."""
    required = await _required(scratch)
    found: list[Standing] = []
    for at in range(0, len(wordings), AT_ONCE):
        found += await _stand(scratch, wordings[at : at + AT_ONCE], required)
    return found


async def _stand(scratch: Connection, wordings: Sequence[Wording], required: Required) -> list[Standing]:
    asked = [wording.question(f"bluegreen_{n}") for n, wording in enumerate(wordings)]
    transaction = scratch.transaction()
    await transaction.start()
    try:
        await scratch.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await scratch.execute("SELECT set_config('bluegreen.questions', $1, true)", json.dumps(asked))
        await scratch.execute(own("stand"), timeout=TIMEOUT)
        answers = json.loads(await scratch.fetchval("SELECT current_setting('bluegreen.answers')"))
        good = [n for n, answer in enumerate(answers) if not answer["state"]]
        columns: dict[int, tuple[tuple[str, str], ...]] = {}
        for group in _alike(wordings, good):
            columns |= await _columns(scratch, group, wordings[group[0]], asked)
    finally:
        await transaction.rollback()
        await scratch.execute(own("forget"))
    return [
        Standing(a["state"], a["message"], columns.get(n, ()), dict(_unfilled(a.get("plan"), required)))
        for n, a in enumerate(answers)
    ]


def _alike(wordings: Sequence[Wording], chosen: Iterable[int]) -> Iterable[list[int]]:
    """Those that share a role and a search_path."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for n in chosen:
        groups[wordings[n].role, wordings[n].path].append(n)
    return groups.values()


async def _columns(
    scratch: Connection, group: Sequence[int], sample: Wording, asked: Sequence[Mapping[str, str | bool]]
) -> dict[int, tuple[tuple[str, str], ...]]:
    """What they return, as a client is told before it executes."""
    found = {}
    transaction = scratch.transaction()
    await transaction.start()
    try:
        await scratch.execute(
            "SELECT CASE WHEN $1 <> '' THEN set_config('role', $1, true) END,"
            " CASE WHEN $2 <> '' THEN set_config('search_path', $2, true) END",
            sample.role,
            sample.path,
        )
        for n in group:
            # An unnamed statement needs no second round trip to be closed.
            described = await scratch.prepare(f"EXECUTE {asked[n]['name']} {asked[n]['nulls']}", name="")
            found[n] = tuple((a.name, _named(a.type)) for a in described.get_attributes())
    finally:
        await transaction.rollback()
    return found


def _named(type_: asyncpg.Type) -> str:
    return type_.name if type_.schema in ("pg_catalog", "public") else f"{type_.schema}.{type_.name}"


async def _required(scratch: Connection) -> Required:
    found: dict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for row in await scratch.fetch(own("required")):
        found[row["schema"], row["table"]].append((row["attnum"], row["key"], row["name"]))
    return found


def _unfilled(plan: Any, required: Required) -> Iterator[tuple[str, str]]:
    """Below an INSERT its plan names the value of each column of the table, in the order of attnum."""
    if isinstance(plan, list):
        for item in plan:
            yield from _unfilled(item, required)
    if not isinstance(plan, dict):
        return
    for item in (plan.get("Plan"), plan.get("Plans")):
        yield from _unfilled(item, required)
    if plan.get("Node Type") == "ModifyTable" and plan.get("Operation") == "Insert":
        values = next((below.get("Output", ()) for below in plan.get("Plans", ()) if _feeds(below)), ())
        for attnum, key, name in required.get((plan.get("Schema", ""), plan.get("Relation Name", "")), ()):
            if attnum <= len(values) and NO_VALUE.fullmatch(values[attnum - 1]):
                yield key, name


def _feeds(plan: Mapping[str, Any]) -> bool:
    return plan.get("Parent Relationship") in ("Outer", "Member")
