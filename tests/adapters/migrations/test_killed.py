"""kill -9 in the middle: what the server goes on doing alone, and that the next attempt ends where it should."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.adapters.migrations import killed
from tests.adapters.sites import Site, until_true

pytestmark = pytest.mark.real

BUILDING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND state = 'active'"
SLEEPING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
DUMPING = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'bluegreen backup d1'"
    " AND wait_event_type = 'Lock' AND datname = current_database()"
)


@asynccontextmanager
async def _daemon(site: Site, verb: str) -> AsyncIterator[asyncio.subprocess.Process]:
    root = Path(killed.__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", killed.__name__, site.dsn, str(site.home), str(site.bin_dir), verb),
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _kill_when(site: Site, verb: str, question: str) -> None:
    async with _daemon(site, verb) as process:
        await until_true(site, question)
        assert process.returncode is None
        process.kill()


async def test_in_a_transaction_the_server_notices_and_lets_go_of_the_locks(site: Site) -> None:
    await site.execute("CREATE TABLE t (a int)")
    site.write("0001_slow.expand.sql", "ALTER TABLE t ADD b int; SELECT pg_sleep(600)")
    await _kill_when(site, "apply", SLEEPING)
    await until_true(site, f"SELECT NOT ({SLEEPING})")
    assert await site.value("SELECT count(*) FROM t") == 0
    assert await site.value("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == 1
    assert (await site.database().applied("d1")) == ()


async def test_in_a_build_the_server_goes_on_and_the_next_attempt_takes_what_it_made(site: Site) -> None:
    await site.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    site.write("0001_i.expand.sql", "-- bluegreen: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a)")
    writer = await site.connect()
    await writer.execute("BEGIN; UPDATE t SET a = 2")
    await _kill_when(site, "apply", BUILDING)
    assert await site.value(BUILDING)
    built = await site.value("SELECT 'i'::regclass::oid")
    async with asyncio.TaskGroup() as group:
        resumed = group.create_task(site.apply(), name="resumed")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%application_name = $1%'")
        assert not resumed.done()
        await writer.close()
    assert await site.value("SELECT indisvalid FROM pg_index WHERE indexrelid = $1::oid", built)
    row = await site.ledger("0001_i")
    assert (row["state"], row["attempts"], row["in_flight"]) == ("done", 2, False)


async def test_in_a_backup_the_next_attempt_ends_the_former_dump_and_leaves_one_file(site: Site) -> None:
    await site.execute("CREATE TABLE parent (a int) PARTITION BY LIST (a)")
    locker = await site.connect()
    await locker.execute("BEGIN; LOCK TABLE ONLY parent")  # counted are its partitions, of which there are none
    await _kill_when(site, "back_up", DUMPING)
    assert len(list(site.backups.iterdir())) == 1
    former = await site.value(DUMPING.replace("count(*) > 0", "min(pid)"))
    async with asyncio.TaskGroup() as group:
        resumed = group.create_task(site.database().back_up("d1", "1.1.0"), name="resumed")
        await until_true(site, f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {former}")
        await locker.close()
    name = Path(resumed.result().file).name
    assert sorted(path.name for path in site.backups.iterdir()) == [name, f"{name}.globals.sql", f"{name}.json"]
    assert await site.scratch_databases() == []
