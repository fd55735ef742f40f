"""CREATE INDEX CONCURRENTLY, interrupted again and again in whatever it was doing: nothing INVALID stays."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import MigrationFailed
from tests.adapters.migrations.nursery import Nursery, nursery
from tests.adapters.sites import Site, until_true

pytestmark = pytest.mark.real

SCHEMA = "CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 50000) AS g"
TIMES = 20
INDEXES = 20
FILE = "-- bluegreen: no-transaction\n" + "".join(
    f"CREATE {'UNIQUE ' * (number % 2)}INDEX CONCURRENTLY i{number} ON t (a, b);\n" for number in range(INDEXES)
)
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
        await until_true(site, f"SELECT count(*) > 0 FROM pg_stat_activity WHERE {BUILD}")
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        await until_true(site, f"SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE {BUILD}")
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


@pytest.mark.timeout(300)
async def test_interrupted_twenty_times_no_invalid_index_stays(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    chance = random.Random(20)
    async with nursery(postgres, tmp_path, SCHEMA) as daemons, daemons.site() as site:
        site.write("0001_indexes.expand.sql", FILE)
        left = []
        for number in range(TIMES):
            async with held_up(site, HELD_UP_BY[number % 3]):
                cut = await (_killed(daemons, site, chance) if number % 2 else _cut_off(site, chance))
            assert cut, f"all indexes were built before interruption {number + 1}"
            left.append(await site.value(INVALID))
        assert any(left), "no interruption left an INVALID index: the test shows nothing"
        await site.apply()
        assert await site.value(INVALID) == 0
        assert (
            await site.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid") == INDEXES
        )
        row = await site.ledger("0001_indexes")
        assert (row["state"], row["statements_done"], row["in_flight"]) == ("done", INDEXES, False)
