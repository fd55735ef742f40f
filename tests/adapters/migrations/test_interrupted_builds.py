"""CREATE INDEX CONCURRENTLY, interrupted again and again in whatever it was doing: nothing INVALID stays."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.migrations.nursery import Nursery, nursery
from tests.adapters.sites import RELEASE, Site

pytestmark = pytest.mark.real

SCHEMA = "CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 50000) AS g"
TIMES = 20
INDEXES = 10
"""In one file; there is another whenever one is done."""

BUILD = "query LIKE 'CREATE%CONCURRENTLY%' AND state = 'active' AND datname = current_database()"
HELD_UP_BY = ("BEGIN; UPDATE t SET b = b WHERE a = 1", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", "SELECT 1")
"""A writer stops a build at its beginning, an old snapshot at its end; the third stops nothing."""

INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@asynccontextmanager
async def held_up(site: Site, sql: str) -> AsyncIterator[None]:
    connection = await site.connect()
    await connection.execute(sql)
    yield
    await connection.close(timeout=10.0)


async def _cut_off(site: Site, chance: random.Random) -> bool:
    """End the session that builds, from outside; whether it was in time."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_fails(site), name="apply")
        while not task.done():
            await asyncio.sleep(chance.uniform(0.0, 0.1))
            await site.value(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {BUILD}")
    return task.result()


async def _fails(site: Site) -> bool:
    try:
        await site.apply()
    except MigrationFailed:
        return True
    return False


async def _killed(daemons: Nursery, site: Site, chance: random.Random) -> bool:
    """Kill the daemon some time after it began; the server goes on by itself."""
    code, _ = await daemons.daemon(site, 0, verb="apply", later=chance.uniform(0.02, 0.2))
    return code != 0


async def _to_do(site: Site, files: list[str]) -> None:
    """See to it that there is something to build."""
    if files and await site.database().pending(MigrationPhase.EXPAND, RELEASE):
        return
    version = f"{len(files) + 1:04}_indexes"
    builds = (
        f"CREATE {'UNIQUE ' * (number % 2)}INDEX CONCURRENTLY i{len(files)}_{number} ON t (a, b);\n"
        for number in range(INDEXES)
    )
    site.write(f"{version}.expand.sql", "-- bluegreen: no-transaction\n" + "".join(builds))
    files.append(version)


@pytest.mark.timeout(300)
async def test_interrupted_twenty_times_no_invalid_index_stays(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    chance = random.Random(20)
    async with nursery(postgres, tmp_path, SCHEMA) as daemons, daemons.site() as site:
        files: list[str] = []
        left, number, interrupted = [], 0, 0
        while interrupted < TIMES:
            await _to_do(site, files)
            async with held_up(site, HELD_UP_BY[number % 3]):
                interrupted += await (_killed(daemons, site, chance) if number % 2 else _cut_off(site, chance))
            left.append(await site.value(INVALID))
            number += 1
        assert any(left), "no interruption left an INVALID index: the test shows nothing"
        await site.apply()
        assert await site.value(INVALID) == 0
        built = await site.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid")
        assert built == INDEXES * len(files)
        for version in files:
            row = await site.ledger(version)
            assert (row["state"], row["statements_done"], row["in_flight"]) == ("done", INDEXES, False)
