"""One real database with a directory of migrations, as the tests of this adapter use it."""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg

from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from tests.adapters.waiting import LONG

RELEASE = Release("1.1.0")


@dataclass
class Site:
    """`source` and `rules` may be replaced before `database()` is called."""

    dsn: str
    home: Path
    bin_dir: Path
    source: Source = field(init=False)
    rules: BackupRules = field(init=False)

    def __post_init__(self) -> None:
        self.migrations.mkdir(exist_ok=True)
        self.source = Source("app", MigrationKind.SQL, self.migrations, lock_budget=20.0, timeout=60.0)
        self.rules = BackupRules(self.backups, bin_dir=self.bin_dir, min_free=0, timeout=60.0)

    @property
    def migrations(self) -> Path:
        return self.home / "migrations"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    def database(self, **changes: Any) -> PostgresDatabase:
        given: dict[str, Any] = {"project": "test", "sources": [self.source], "backup": self.rules, "lock_wait": 0.3}
        return PostgresDatabase("main", self.dsn, **given | changes)

    def write(self, name: str, sql: str) -> Path:
        path = self.migrations / name
        path.write_text(sql)
        return path

    def tool(self, script: str, **changes: Any) -> None:
        """The source becomes a command: a shell script that finds the DSN in $DATABASE_URL."""
        path = self.home / "tool"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        self.source = Source(
            **{"name": "tool", "kind": MigrationKind.COMMAND, "up": (str(path),), "dsn_env": "DATABASE_URL"} | changes
        )

    def gently(self, **changes: Any) -> None:
        self.source = replace(self.source, **changes)

    async def apply(
        self,
        database: PostgresDatabase | None = None,
        deployment: str = "d1",
        release: Release = RELEASE,
        phase: MigrationPhase = MigrationPhase.EXPAND,
    ) -> tuple[Migration, ...]:
        """Apply everything that is pending, as the app does."""
        database = database or self.database()
        async with database.locked():
            pending = await database.pending(phase, release)
            for migration in pending:
                await database.apply(migration, deployment, release)
        return pending

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self.dsn, timeout=10.0)

    async def value(self, sql: str, *arguments: object) -> Any:
        """The first value of the first row."""
        connection = await self.connect()
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close(timeout=10.0)

    async def execute(self, sql: str) -> None:
        connection = await self.connect()
        try:
            await connection.execute(sql)
        finally:
            await connection.close(timeout=10.0)

    async def break_the_lock(self) -> None:
        """End the session that holds the migration lock."""
        await self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )

    async def ledger(self, version: str) -> asyncpg.Record:
        connection = await self.connect()
        try:
            row = await connection.fetchrow("SELECT * FROM bluegreen.migration WHERE version = $1", version)
        finally:
            await connection.close(timeout=10.0)
        assert row is not None, f"the ledger has no {version}"
        return row

    async def scratch_databases(self) -> list[str]:
        connection = await self.connect()
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'bluegreen_scratch_%'")
        finally:
            await connection.close(timeout=10.0)
        return [row["datname"] for row in rows]


async def until_true(site: Site, question: str) -> None:
    """Return as soon as the database answers the question with true."""
    connection = await site.connect()
    try:
        async with asyncio.timeout(LONG):
            while not await connection.fetchval(question):
                await asyncio.sleep(0.02)
    finally:
        await connection.close(timeout=10.0)


def command_lines() -> str:
    """The argv of every process of this machine, as every user sees them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return os.linesep.join(found)
