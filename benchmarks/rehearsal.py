"""How long a rehearsal takes: a copy of a schema, a migration on it, and the look at what it did."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

import asyncpg

from benchmarks.table import Table, milli
from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release

GOAL = 2.0
"""Seconds for 100 tables."""

TABLE = """
CREATE TABLE t{number} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mail text UNIQUE, amount numeric(12, 2)
    CHECK (amount >= 0), made_at timestamptz NOT NULL DEFAULT now(), parent bigint REFERENCES t{parent}
);
CREATE INDEX ON t{number} (made_at);
"""


@dataclass(frozen=True)
class Size:
    """Numbers of tables, and how often each is rehearsed."""

    tables: tuple[int, ...]
    runs: int


FULL = Size(tables=(10, 100, 300), runs=5)
TINY = Size(tables=(2,), runs=1)


async def measure(tiny: bool = False) -> Table:
    """A row for each number of tables."""
    size = TINY if tiny else FULL
    table = Table("rehearsal: seconds for one expand migration", ("tables", "runs", "median", "worst", "gate"))
    with tempfile.TemporaryDirectory(prefix="bluegreen-bench-") as name:
        directory = Path(name)
        server = EmbeddedPostgres(directory / "postgres", 16)
        await server.start()
        try:
            for count in size.tables:
                seconds, gate = await _rehearsed(server, directory, count, size.runs)
                worst = max(seconds)
                table.rows.append((str(count), str(size.runs), milli(median(seconds)), milli(worst), str(gate)))
        finally:
            await server.stop()
    table.notes.append(f"goal: {GOAL:g} s for 100 tables, each with 6 columns, 3 indexes, a check and a foreign key")
    return table


async def _rehearsed(server: EmbeddedPostgres, directory: Path, count: int, runs: int) -> tuple[list[float], Gate]:
    name = f"tables_{count}"
    files = directory / name
    files.mkdir()
    (files / "0001_note.expand.sql").write_text("ALTER TABLE t1 ADD note text;\nCREATE TABLE notes (id bigint)")
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    connection = await asyncpg.connect(server.dsn(name))
    await connection.execute("".join(TABLE.format(number=n, parent=max(n - 1, 1)) for n in range(1, count + 1)))
    await connection.close()
    database = PostgresDatabase(
        "main",
        server.dsn(name),
        project="bench",
        sources=[Source("app", MigrationKind.SQL, files)],
        backup=BackupRules(directory, min_free=0, bin_dir=server.bin_dir),
    )
    seconds, gate = [], Gate.ALLOW
    for number in range(runs):
        began = monotonic()
        rehearsal = await database.rehearse(Release("2.0.0"), (MigrationPhase.EXPAND,), f"bench {number}")
        seconds.append(monotonic() - began)
        gate = Gate.worst((gate, rehearsal.gate))
    return seconds, gate
