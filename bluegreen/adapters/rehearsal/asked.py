"""What production is asked by the version that runs: from pg_stat_statements, and from the operator's own file."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path

import asyncpg

from bluegreen.adapters.postgres.connections import Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.scripts import SqlRefused
from bluegreen.adapters.postgres.sql_inserts import split, stand_ins

MOST = 2000
"""Queries that are looked at, the most called first."""

HIDDEN = "<insufficient privilege>"
GET_THEM = "queries of the running version are not known"

own = questions(__package__, "live_queries.sql")


@dataclass(frozen=True, slots=True)
class Asked:
    """One query: its text, what to prepare for it, how often it was called (None: nobody counted), as which role and
    with which search_path ("": ours), and its id in the statistics."""

    text: str
    stand_ins: tuple[str, ...]
    calls: int | None = None
    role: str = ""
    path: str = ""
    queryid: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one source gave, and in words what it did not."""

    queries: tuple[Asked, ...] = ()
    not_seen: tuple[str, ...] = ()
    statistics: "Statistics | None" = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where pg_stat_statements lies, as SQL, and the columns of its view."""

    schema: str
    columns: frozenset[str] = field(default_factory=frozenset)

    def question(self, name: str) -> str:
        """The text of a question of ours for this version of the extension."""
        toplevel = "toplevel" if "toplevel" in self.columns else "true"
        since = "stats_since" if "stats_since" in self.columns else "NULL::timestamptz"
        return own(name).format(schema=self.schema, toplevel=toplevel, since=since)


async def from_file(path: Path) -> Heard:
    """The statements of a file. What cannot be read is said, not raised."""
    try:
        text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        texts = await asyncio.to_thread(split, text)
    except (OSError, UnicodeError) as exc:
        return Heard(not_seen=(f"the file of queries {path} cannot be read: {exc}",))
    except SqlRefused as exc:
        return Heard(not_seen=(f"the file of queries {path} cannot be read: line {exc.line}: {exc.why}",))
    return Heard(await _preparable(dict.fromkeys(texts, (None, "", None))))


async def from_statistics(production: Connection) -> Heard:
    """The most called statements of this database. What is missing is said, not raised."""
    found = await production.fetchrow(own("extension"))
    if found is None or found["schema"] is None:
        return Heard(not_seen=(_no_extension(bool(found and found["preloaded"])),))
    statistics = Statistics(found["schema"], frozenset(found["columns"] or ()))
    try:
        rows = await production.fetch(statistics.question("statistics"), MOST)
        evicted = await _evicted(production, statistics)
    except asyncpg.PostgresError as exc:
        return Heard(not_seen=(f"pg_stat_statements gives nothing ({describe(exc)}): {GET_THEM}",))
    texts = {
        row["query"]: (row["calls"], row["role"] or "", row["queryid"])
        for row in sorted(rows, key=itemgetter("calls"))
        if row["query"]
    }
    hidden = texts.pop(HIDDEN, None) is not None
    asked = await _preparable(texts)
    return Heard(await _at_home(production, asked), (*_left_out(len(rows), hidden), *evicted), statistics)


async def calls_by_now(
    production: Connection, statistics: Statistics, queries: Iterable[Asked]
) -> Mapping[int, tuple[int, datetime | None]]:
    """How often each was called by now, and since when it is in the statistics, by its id."""
    ids = [asked.queryid for asked in queries if asked.queryid is not None]
    rows = await production.fetch(statistics.question("calls"), ids)
    return {row["queryid"]: (row["calls"], row["since"]) for row in rows}


async def _preparable(texts: Mapping[str, tuple[int | None, str, int | None]]) -> tuple[Asked, ...]:
    def read() -> tuple[Asked, ...]:
        found = ((text, stand_ins(text), *rest) for text, rest in texts.items())
        return tuple(
            Asked(text, prepared, calls, role, "", queryid)
            for text, prepared, calls, role, queryid in found
            if prepared
        )

    return await asyncio.to_thread(read)


async def _at_home(production: Connection, asked: tuple[Asked, ...]) -> tuple[Asked, ...]:
    """With the search_path of their roles: it is set per database, and the copy is another one."""
    roles = list({one.role for one in asked})
    paths = {row["role"]: row["path"] for row in await production.fetch(own("paths"), roles)}
    return tuple(Asked(o.text, o.stand_ins, o.calls, o.role, paths.get(o.role, ""), o.queryid) for o in asked)


async def _evicted(production: Connection, statistics: Statistics) -> tuple[str, ...]:
    try:
        times = await production.fetchval(statistics.question("evicted"))
    except asyncpg.UndefinedTableError:  # an extension of before 1.9, which does not count them
        return ()
    if not times:
        return ()
    return (f"pg_stat_statements dropped the least called statements {times} times: raise pg_stat_statements.max",)


def _no_extension(preloaded: bool) -> str:
    if preloaded:
        return f"pg_stat_statements is loaded but not created here: {GET_THEM} (CREATE EXTENSION pg_stat_statements)"
    return (
        f"no pg_stat_statements: {GET_THEM} (shared_preload_libraries = 'pg_stat_statements', then"
        " CREATE EXTENSION pg_stat_statements; or give them in a file: [rehearsal] queries)"
    )


def _left_out(rows: int, hidden: bool) -> tuple[str, ...]:
    said = []
    if hidden:
        said.append("queries of other roles are hidden in pg_stat_statements (GRANT pg_read_all_stats TO our role)")
    if rows >= MOST:
        said.append(f"only the {MOST} most called statements of pg_stat_statements were looked at")
    return tuple(said)
