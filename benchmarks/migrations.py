"""What a change of the schema costs users: written as it comes to mind, and as bluegreen does it.

One table, users who ask at a steady rate (questions.py), one change after another. What counts is what was due while a
change ran, and a second after it. The plain statements have no timeouts, as psql has none.
"""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic

import asyncpg

from benchmarks.questions import Answer, Askers
from benchmarks.table import Table, milli, p99
from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release

RELEASE = Release("2.0.0")
STOP = 70.0
"""Seconds for the users to get their last answers."""

SCHEMA = """
CREATE TABLE users (
    id bigint PRIMARY KEY, name text NOT NULL, seen integer NOT NULL DEFAULT 0, number integer NOT NULL, note text
) WITH (fillfactor = 90);
INSERT INTO users SELECT g, 'user ' || g, 0, g, repeat('x', 60) FROM generate_series(1, {rows}) AS g;
ANALYZE users;
"""


@dataclass(frozen=True)
class Size:
    """Rows, requests a second, seconds: between two changes, of a report, and for the last to be counted."""

    rows: int
    rate: float
    pause: float
    report: float
    after: float


FULL = Size(rows=2_000_000, rate=300.0, pause=10.0, report=12.0, after=1.0)
TINY = Size(rows=3_000, rate=50.0, pause=0.2, report=0.5, after=0.2)


@dataclass(frozen=True)
class Spell:
    """A stretch of time in which something was done, in monotonic seconds."""

    what: str
    began: float
    ended: float


@dataclass
class Bench:
    """The database, and what was done to it when."""

    server: EmbeddedPostgres
    directory: Path
    size: Size
    spells: list[Spell] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.directory / "migrations"

    async def plainly(self, what: str, sql: str) -> None:
        """One statement, as psql would run it."""
        async with self._counted(f"plain: {what}"):
            await self.execute(sql)

    async def gently(self, what: str, *files: tuple[str, str]) -> None:
        """Migration files, as a deployment would run them."""
        for name, sql in files:
            (self.files / name).write_text(sql)
        async with self._counted(f"ours: {what}"):
            await self._migrate()

    async def behind_a_report(self, change: Callable[[], Awaitable[None]]) -> None:
        """Begin a change while somebody has read the table in a transaction that goes on."""
        report = await asyncpg.connect(self.server.dsn())
        await report.execute("BEGIN; SELECT count(*) FROM users WHERE id < 10")
        async with asyncio.TaskGroup() as group:
            group.create_task(_later(self.size.report, report), name="report")
            await change()

    async def execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server.dsn())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def pause(self, *, tidy: bool = True) -> None:
        """Let the machine come to rest, with the dead rows of what was done before taken away."""
        if tidy:
            await self.execute("VACUUM users")
            await self.execute("CHECKPOINT")
        await asyncio.sleep(self.size.pause)

    @asynccontextmanager
    async def _counted(self, what: str) -> AsyncIterator[None]:
        began = monotonic()
        yield
        self.spells.append(Spell(what, began, monotonic()))
        await asyncio.sleep(self.size.after)

    async def _migrate(self) -> None:
        source = Source("app", MigrationKind.SQL, self.files)
        rules = BackupRules(self.directory, min_free=0)
        database = PostgresDatabase("main", self.server.dsn(), project="bench", sources=[source], backup=rules)
        async with database.locked():
            for migration in await database.pending(MigrationPhase.EXPAND, RELEASE):
                await database.apply(migration, "d1", RELEASE)
            for migration in await database.pending(MigrationPhase.BACKFILL, RELEASE):
                await database.backfill(migration, "d1", RELEASE, lambda: "", lambda _: None)


async def _later(seconds: float, report: "asyncpg.Connection[asyncpg.Record]") -> None:
    await asyncio.sleep(seconds)
    await report.close()


async def measure(tiny: bool = False) -> Table:
    """The table of all changes."""
    size = TINY if tiny else FULL
    with tempfile.TemporaryDirectory(prefix="bluegreen-bench-") as name:
        directory = Path(name)
        bench = Bench(EmbeddedPostgres(directory / "postgres", 16), directory, size)
        bench.files.mkdir()
        await bench.server.start()
        try:
            await bench.execute(SCHEMA.format(rows=size.rows))
            answers = await _all(bench)
        finally:
            await bench.server.stop()
    return _table(bench, answers)


async def _all(bench: Bench) -> Sequence[Answer]:
    askers = Askers(bench.server.dsn(), bench.size.rows, bench.size.rate, bench.directory)
    child = askers.begin()
    try:
        await bench.pause()
        began = monotonic()
        await bench.pause(tidy=False)
        bench.spells.append(Spell("nothing", began, monotonic()))
        await asyncio.sleep(bench.size.after)
        await _changes(bench)
    finally:
        await child.stop(signal.SIGTERM, STOP)
    return askers.answers()


async def _changes(bench: Bench) -> None:
    add = "ALTER TABLE users ADD mail_{} text"
    await bench.behind_a_report(lambda: bench.plainly("ADD COLUMN behind a report", add.format(1)))
    await bench.pause(tidy=False)
    gentle = ("0001_mail.expand.sql", add.format(2))
    await bench.behind_a_report(lambda: bench.gently("ADD COLUMN behind a report", gentle))
    await bench.pause()
    await bench.plainly("CREATE INDEX", "CREATE INDEX by_name ON users (name)")
    await bench.execute("DROP INDEX by_name")
    await bench.pause()
    concurrent = "-- bluegreen: no-transaction\nCREATE INDEX CONCURRENTLY by_name ON users (name)"
    await bench.gently("CREATE INDEX CONCURRENTLY", ("0002_by_name.expand.sql", concurrent))
    await bench.execute("DROP INDEX by_name")
    await bench.pause()
    await bench.plainly("ALTER COLUMN TYPE bigint", "ALTER TABLE users ALTER number TYPE bigint")
    await bench.pause()
    await bench.plainly("one UPDATE of all rows", "UPDATE users SET mail_1 = name || '@example.org'")
    await bench.pause()
    await bench.gently(
        "new column and backfill",
        ("0003_wide.expand.sql", "ALTER TABLE users ADD wide bigint"),
        (
            "0003_wide.backfill.sql",
            "-- bluegreen: backfill table=users key=id\nUPDATE users SET wide = number WHERE wide IS NULL",
        ),
    )


def _table(bench: Bench, answers: Sequence[Answer]) -> Table:
    size = bench.size
    table = Table(
        f"migrations: what {size.rate:g} requests a second wait while a table of {size.rows:,} rows is changed",
        ("", "takes", "p50", "p99", "max", "failed"),
    )
    for spell in bench.spells:
        counted = [answer for answer in answers if spell.began <= answer.due <= spell.ended + size.after]
        waited = [answer.done - answer.due for answer in counted]
        failed = sum(not answer.good for answer in counted)
        figures = (milli(median(waited)), milli(p99(waited)), milli(max(waited))) if waited else ("-", "-", "-")
        table.rows.append((spell.what, f"{spell.ended - spell.began:,.1f} s", *figures, str(failed)))
    table.notes += [
        "open model: request i is due at t0 + i / rate; four in five read, one writes, by primary key",
        f"a report: a transaction that has read the table and stays open for {size.report:g} s",
        f"counted is what was due while it ran and {size.after:g} s after; plain statements have no timeouts",
    ]
    return table
