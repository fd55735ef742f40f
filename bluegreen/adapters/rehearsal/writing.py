"""What any version does with a table, tried on the copy before and after a migration: a row is written over with
itself, and taken out and put in again. A trigger or a function that fails only when it runs fails here.

Only tables where something runs are tried: those with triggers or rules, and those whose defaults and checks call
functions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.catalogue import Catalogue, Thing
from bluegreen.domain.seen import QuerySeen

own = questions(__package__, "copies.sql")

LIMIT = "2s"
"""How long one write may take; what takes longer before a migration is not tried after it."""

SHOWN = 60
"""Characters of a list of columns that are shown."""

HARMLESS = (
    "plpgsql", "btree_gin", "btree_gist", "citext", "cube", "earthdistance", "fuzzystrmatch", "hstore", "intarray",
    "isn", "ltree", "pg_stat_statements", "pg_trgm", "pgcrypto", "postgis", "seg", "tablefunc", "tcn",
    "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
)  # fmt: skip
"""Extensions with which nothing can be done outside of the database."""

RUNS = frozenset({"trigger", "rule"})


@dataclass
class Writes:
    """How writes stood before the migration: by the table's key, what the server said of each ("": it went well).
    `known` is production's catalogue: the running version knows no other columns."""

    known: Catalogue = field(default_factory=dict, repr=False)
    before: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def prepare(self, copy: Connection, catalogue: Catalogue) -> tuple[str, ...]:
        """Try all on the copy as it is now, which is as production is: the baseline. Returns in words why nothing is
        tried: a trigger may reach where no rollback takes back."""
        reaching = await copy.fetch(own("reaching"), list(HARMLESS))
        if reaching and any(True for _ in _busy(catalogue)):
            why = ", ".join(record["name"] for record in reaching)
            return (f"writes were not tried on the copy, since triggers might reach beyond it: {why}",)
        self.known = catalogue
        await self._settle(copy, catalogue)
        return ()

    async def again(self, copy: Connection, after: Catalogue) -> tuple[QuerySeen, ...]:
        """Those that went well before and fail now; then this is the baseline."""
        broken = []
        for key, former in self.before.items():
            now = await self._tried(copy, after, after[key]) if key in after else []
            broken += [one for was, one in zip(former, now, strict=False) if not was and one.message]
        if self.known:
            await self._settle(copy, after)
        return tuple(broken)

    async def _settle(self, copy: Connection, catalogue: Catalogue) -> None:
        self.before = {
            table.key: tuple([one.message for one in await self._tried(copy, catalogue, table)])
            for table in _busy(catalogue)
        }

    async def _tried(self, copy: Connection, now: Catalogue, table: Thing) -> list[QuerySeen]:
        return [await _try(copy, table, *said) for said in _statements(self.known, now, table)]


def _busy(catalogue: Catalogue) -> Iterator[Thing]:
    """The tables on which something runs when they are written."""
    bare = (thing.name.partition("(")[0] for thing in catalogue.values() if thing.kind == "function")
    call = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, dict.fromkeys(bare))) or '(?!)'})\(")
    busy = {
        thing.of for thing in catalogue.values()
        if thing.kind in RUNS or any(call.search(text) for text in _code(thing))
    }  # fmt: skip
    for key in sorted(busy):
        table = catalogue.get(key)
        if table is not None and table.kind == "table" and not table.facts.get("partitioned"):
            yield table


def _code(thing: Thing) -> tuple[str, ...]:
    """What is computed when a row is written."""
    facts = thing.facts
    if thing.kind == "column":
        return tuple(str(facts[name]) for name in ("default", "generated") if facts.get(name))
    return (str(facts.get("definition")),) if thing.kind == "constraint" and facts.get("type") == "c" else ()


def _statements(known: Catalogue, after: Catalogue, table: Thing) -> Iterator[tuple[str, str]]:
    """The writes of a version that knows these columns, as they are called now; and how people say them."""
    columns = [
        thing for thing in after.values()
        if thing.kind == "column" and thing.of == table.key and thing.key in known and not thing.facts.get("generated")
    ]  # fmt: skip
    free = [_last(column.name) for column in columns if column.facts.get("identity") != "always"]
    if free:
        sets = ", ".join(f"{name} = {name}" for name in free)
        yield f"UPDATE {table.name} SET {sets}", f"UPDATE {table.name} SET …"  # noqa: S608 - quoted by the server
    if columns:
        names = ", ".join(_last(column.name) for column in columns)
        shown = names if len(names) <= SHOWN else names[: SHOWN - 1] + "…"
        gone = f"DELETE FROM {table.name} WHERE ctid = (SELECT ctid FROM {table.name} LIMIT 1) RETURNING {names}"  # noqa: S608
        again = f"INSERT INTO {table.name} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM gone"  # noqa: S608
        yield f"WITH gone AS ({gone}) {again}", f"INSERT INTO {table.name} ({shown}) …"


def _last(name: str) -> str:
    """The column of a full name: dots within quotes are none."""
    return re.split(r'\.(?=(?:[^"]*"[^"]*")*[^"]*$)', name)[-1]


async def _try(copy: Connection, table: Thing, statement: str, shown: str) -> QuerySeen:
    transaction = copy.transaction()
    await transaction.start()
    try:
        await copy.execute(f"SET LOCAL statement_timeout = '{LIMIT}'")
        await copy.execute(statement)
    except LOST:
        raise
    except asyncpg.PostgresError as exc:
        return QuerySeen(f"{shown} (any write to {table.name})", sqlstate=exc.sqlstate or "", message=describe(exc))
    finally:
        await transaction.rollback()
    return QuerySeen(shown)
