"""Running backfills in tests, as the app does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.migrations import Migration, MigrationPhase
from tests.adapters.sites import RELEASE, Site

T = TypeVar("T")

USERS = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, display text, n int NOT NULL DEFAULT 0)"
FILE = "0001_display.backfill.sql"
UPDATE = (
    "-- bluegreen: backfill table=users key=id\nUPDATE users SET display = upper(name), n = n + 1 WHERE display IS NULL"
)
EVERY_ROW_ONCE = "SELECT count(*) FROM users WHERE n <> 1 OR display IS DISTINCT FROM upper(name)"


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Do something beside what stands in the block, and wait for its end."""
    async with asyncio.TaskGroup() as group:
        yield group.create_task(work, name="meanwhile")


def nobody() -> str:
    """No user is hurt."""
    return ""


@dataclass
class Ear:
    """Hears how far a backfill is; `after` so many batches it is asked to stop as `wanted`."""

    after: int | None = None
    wanted: BackfillState = BackfillState.PAUSED
    heard: list[Progress] = field(default_factory=list)
    on_batch: Callable[[Progress], None] = lambda progress: None

    def __call__(self, progress: Progress) -> None:
        self.heard.append(progress)
        self.on_batch(progress)

    def halt(self) -> BackfillState | None:
        """What a person wants."""
        batches = len([progress for progress in self.heard if progress.rows_done])
        return self.wanted if self.after is not None and batches >= self.after else None

    @property
    def brakes(self) -> list[str]:
        """Why it was slowed down."""
        return [progress.brake for progress in self.heard if progress.brake]


async def users(site: Site, rows: int) -> None:
    """A table to be filled, and the file that fills it."""
    await site.execute(f"{USERS}; INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, {rows}) AS g")
    site.write(FILE, UPDATE)


async def due(database: PostgresDatabase) -> Migration:
    """The one backfill that has rows to do."""
    (migration,) = await database.unfilled()
    assert migration.phase is MigrationPhase.BACKFILL
    return migration


async def fill(
    site: Site,
    ear: Ear | None = None,
    *,
    database: PostgresDatabase | None = None,
    migration: Migration | None = None,
    deployment: str = "d1",
    brake: Callable[[], str] = nobody,
) -> Progress:
    """Run the backfill that is due."""
    database, ear = database or site.database(), ear or Ear()
    async with database.locked():
        migration = migration or await due(database)
        return await database.backfill(migration, deployment, RELEASE, brake, ear, ear.halt)
