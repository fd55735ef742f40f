"""The truth about a migration: what becomes of the old version when it is really run on its populated database.

Never written by hand, and with nothing of the rehearsal: a copy of the shop is migrated as EXPANDING does it, then the
old version goes through its day on it, as its own role, and its answers and its rows are compared with a day on an
unchanged copy.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg

from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.scripts import Script, SqlRefused
from bluegreen.adapters.postgres.sql_text import read
from bluegreen.domain.migrations import MigrationKind
from bluegreen.processes import environment, run_command
from tests.adapters.rehearsal.cases import Case, Query, queries
from tests.adapters.rehearsal.servers import Connection, Shops
from tests.adapters.sites import Site

APPLICATION = "shop_app"
MANY = 500
"""Rows of old tables, changed in one go, that are no lookup table any more: their writers wait until it is done."""


class Truth(StrEnum):
    """`heavy`: it holds row locks on a whole old table at once; `escapes`: it changes another database than the one
    it was told."""

    SAFE = "safe"
    HEAVY = "heavy"
    BREAKS = "breaks"
    FAILS = "fails"
    ESCAPES = "escapes"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query got: rows and the command's tag, or an SQLSTATE and its message."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    tag: str = ""
    sqlstate: str = ""
    message: str = ""

    def differs(self, before: "Answer") -> str:
        """In words, how this would be noticed by who got `before`; "" where it would not. New columns are not."""
        if self.sqlstate:
            return f"{self.sqlstate} {self.message}"
        if self.tag != before.tag:
            return f"{before.tag} became {self.tag}"
        lost = [name for name in before.columns if name not in self.columns]
        if lost:
            return f"its result lacks {', '.join(lost)}"
        places = [self.columns.index(name) for name in before.columns]
        now = tuple(tuple(row[place] for place in places) for row in self.rows)
        return "" if now == before.rows else f"{before.rows[:3]} became {now[:3]}"


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the old version: an answer to each query, and what its tables hold in the evening, by their name."""

    answers: tuple[Answer, ...]
    tables: dict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """The truth, and why."""

    truth: Truth
    why: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()


@dataclass
class Verifier:
    """Runs migrations on copies of the shop, once it knows a `quiet` day."""

    shops: Shops
    home: Path
    tables: dict[str, str] = field(default_factory=dict)
    quiet: Day | None = None

    async def prepare(self) -> None:
        """The day on an unchanged copy. Queries that fail even there would prove nothing."""
        async with self.shops.copy() as name:
            async with self.shops.connected(name) as connection:
                rows = await connection.fetch(TABLES)
                self.tables = {row["name"]: row["columns"] for row in rows}
            self.quiet = await self.day(name)
        failed = [
            f"{query.text}: {answer.message}"
            for query, answer in zip(queries(), self.quiet.answers, strict=True)
            if answer.sqlstate
        ]
        assert not failed, failed

    async def truth(self, case: Case) -> Found:
        """Run it and look."""
        assert self.quiet is not None
        async with self.shops.copy() as name:
            if case.command and await self._escapes(case, name):
                return Found(Truth.ESCAPES, ("it changed a database that it was not told",))
            async with self.shops.connected(name) as connection:
                old = await connection.fetch(PHYSICAL)
            if failure := await self._run(case, name):
                return Found(Truth.FAILS, (failure,))
            day = await self.day(name)
            why = self._broken(self.quiet, day)
            async with self.shops.connected(name) as connection:
                await self._until_alone(connection)
                changed = await connection.fetchval(CHANGED, [row["oid"] for row in old])
                now = {row["oid"]: row for row in await connection.fetch(PHYSICAL)}
        rewritten = tuple(
            row["name"] for row in old if row["oid"] in now and now[row["oid"]]["filenode"] != row["filenode"]
        )
        if why:
            return Found(Truth.BREAKS, why, rewritten)
        if changed > MANY:
            return Found(Truth.HEAVY, (f"{changed} rows of an old table changed at once",), rewritten)
        return Found(Truth.SAFE, (), rewritten)

    async def _run(self, case: Case, name: str) -> str:
        """Run it as EXPANDING does; what failed, in words."""
        if case.command:
            told = {"DATABASE_URL": self.shops.server.dsn(name)}
            ran = await run_command(["sh", "-c", self._script(case, name)], timeout=60.0, env=environment(told))
            return f"exit {ran.code}: {ran.output}" if ran.code else ""
        try:
            script = read(case.text)
            async with self.shops.connected(name) as connection:
                if script.transactional:
                    async with connection.transaction():
                        await _execute(connection, script)
                else:
                    await _execute(connection, script)
        except (asyncpg.PostgresError, SqlRefused) as exc:
            return f"{type(exc).__name__}: {exc}"
        return ""

    def site(self, case: Case, production: str) -> Site:
        """A directory with this migration alone, and that copy as production."""
        home = self.home / f"{case.name}-{production}"
        home.mkdir()
        site = Site(self.shops.server.dsn(production), home, self.shops.server.bin_dir)
        site.gently(lock_budget=5.0)
        if not case.command:
            site.write("0001_case.expand.sql", case.text)
            return site
        tool = home / "tool"
        tool.write_text(self._script(case, production))
        tool.chmod(0o700)
        site.source = Source("tool", MigrationKind.COMMAND, up=(str(tool),), dsn_env="DATABASE_URL", timeout=60.0)
        return site

    def _script(self, case: Case, production: str) -> str:
        text = case.text.replace("{production}", self.shops.server.dsn(production))
        return f'#!/bin/sh\nset -e\nPATH="{self.shops.server.bin_dir}:$PATH"\n{text}'

    async def _escapes(self, case: Case, production: str) -> bool:
        """Whether it changes `production` when it was told another database."""
        async with self.shops.copy() as decoy, self.shops.connected(production) as connection:
            before = await connection.fetchval(CATALOGUE)
            told = {"DATABASE_URL": self.shops.server.dsn(decoy)}
            await run_command(["sh", "-c", self._script(case, production)], timeout=60.0, env=environment(told))
            return bool(before != await connection.fetchval(CATALOGUE))

    async def day(self, name: str) -> Day:
        """One day of the old version on that database."""
        async with self.shops.connected(name, APPLICATION) as connection:
            answers = tuple([await ask(connection, query) for query in queries()])
        async with self.shops.connected(name) as connection:
            tables = {table: await self._content(connection, table) for table in self.tables}
        return Day(answers, tables)

    async def _content(self, connection: Connection, table: str) -> Counter[str]:
        try:
            rows = await connection.fetch(f"SELECT row::text FROM (SELECT {self.tables[table]} FROM {table}) AS row")
        except asyncpg.PostgresError as exc:
            return Counter({f"cannot be read: {exc}": -1})
        return Counter(row["row"] for row in rows)

    @staticmethod
    def _broken(before: Day, after: Day) -> tuple[str, ...]:
        asked = [
            f"{query.filled}: {how}"
            for query, was, now in zip(queries(), before.answers, after.answers, strict=True)
            if (how := now.differs(was))
        ]
        lost = [
            f"{table}: {sum(gone.values())} rows lost or changed, e.g. {next(iter(gone))}"
            for table, rows in before.tables.items()
            if (gone := rows - after.tables[table])
        ]
        return (*asked, *lost)

    @staticmethod
    async def _until_alone(connection: Connection) -> None:
        # A backend adds its counts to the statistics before it leaves pg_stat_activity.
        while await connection.fetchval(OTHERS):
            await connection.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")


async def _execute(connection: Connection, script: Script) -> None:
    for statement in script.statements:
        await connection.execute(statement.text)


async def ask(connection: Connection, query: Query) -> Answer:
    """Run one query of the old version."""
    try:
        statement = await connection.prepare(query.filled)
        rows = await statement.fetch()
    except asyncpg.PostgresError as exc:
        return Answer(sqlstate=str(exc.sqlstate), message=str(exc))
    columns = tuple(attribute.name for attribute in statement.get_attributes())
    return Answer(columns, tuple(tuple(row.values()) for row in rows), statement.get_statusmsg() or "")


TABLES = """
SELECT c.oid::regclass::text AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)
GROUP BY c.oid ORDER BY 1
"""

PHYSICAL = """
SELECT oid, oid::regclass::text AS name, relfilenode AS filenode FROM pg_class
WHERE relkind IN ('r', 'm') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""

CHANGED = "SELECT coalesce(max(n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables WHERE relid = ANY ($1::oid[])"

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

CATALOGUE = """
SELECT md5(string_agg(concat_ws(' ', attrelid::regclass, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE relnamespace = 'public'::regnamespace
"""
