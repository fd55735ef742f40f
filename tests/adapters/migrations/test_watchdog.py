"""Whoever migrates and stops users for too long is cancelled, known by his name or by the port of his process."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.adapters.migrations import tool_processes
from bluegreen.domain.errors import MigrationFailed
from tests.adapters.sites import Site, until_true
from tests.adapters.waiting import LONG, running, until

pytestmark = pytest.mark.real

TOOL = """
import asyncio, asyncpg, os, sys
async def main():
    # asyncpg knows neither PGAPPNAME nor PGOPTIONS, like the drivers of some tools
    connection = await asyncpg.connect(os.environ["DATABASE_URL"], server_settings={"application_name": "its own"})
    for sql in sys.argv[1:]:
        await connection.execute(sql)
asyncio.run(main())
"""
QUEUED = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name <> 'its own'"


@pytest.fixture
async def table(site: Site) -> Site:
    await site.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    return site


def tool(site: Site, *sql: str, before: str = "", **changes: object) -> None:
    """The tool is a program on a driver that takes none of the limits from its environment."""
    program = site.home / "program.py"
    program.write_text(TOOL)
    words = " ".join(shlex.quote(word) for word in (sys.executable, str(program), *sql))
    site.tool(f"{before}\nexec {words}", **changes)


@asynccontextmanager
async def user(site: Site, sql: str = "SELECT count(*) FROM t") -> AsyncIterator["asyncio.Task[int]"]:
    """Somebody who asks as soon as the tool holds the table."""
    connection = await site.connect()

    async def ask() -> int:
        held = "SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass AND granted AND mode LIKE 'Access%Ex%'"
        await until_true(site, held)
        return int(await connection.fetchval(sql, timeout=LONG))

    async with asyncio.TaskGroup() as group:
        yield group.create_task(ask(), name="user")
    await connection.close(timeout=10.0)


@pytest.mark.parametrize("holds", ["SELECT pg_sleep(60)", "SELECT 1"], ids=["busy", "idle in a transaction"])
async def test_a_tool_that_holds_a_lock_for_long_while_users_wait_is_cancelled(table: Site, holds: str) -> None:
    tool(table, "BEGIN", "ALTER TABLE t ADD b int", holds, "SELECT pg_sleep(60)" if holds[-1] == ")" else "COMMIT")
    if holds == "SELECT 1":
        (table.home / "program.py").write_text(
            TOOL.replace("(sql)", "(sql)\n        await asyncio.sleep(2.0 * ('ALT' in sql))")
        )
    async with user(table) as asked:
        with pytest.raises(MigrationFailed, match=r"stopped others for more than 0\.5 s.*count\(\*\) FROM t"):
            await table.apply()
        assert await asked == 1
    assert (await table.ledger("1.1.0"))["state"] == "failed"


async def test_a_tool_that_stops_nobody_may_hold_what_it_likes(table: Site) -> None:
    tool(table, "BEGIN", "ALTER TABLE t ADD b int", "SELECT pg_sleep(0.8)", "COMMIT")
    await table.apply()
    assert (await table.ledger("1.1.0"))["state"] == "done"


async def test_a_tool_that_only_waits_for_a_lock_with_users_behind_it_is_tried_again(table: Site) -> None:
    tool(table, "ALTER TABLE t ADD b int", before=f"echo x >> {table.home}/runs", lock_budget=60.0)
    reader = await table.connect()
    await reader.execute("BEGIN; SELECT FROM t")
    behind = await table.connect()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(table.apply(), name="apply")
        await until_true(table, "SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass AND NOT granted")
        assert await behind.fetchval("SELECT count(*) FROM t", timeout=LONG) == 1
        await until(lambda: (table.home / "runs").read_text().count("x") > 1)
        await reader.close(timeout=10.0)
        await task
    await behind.close(timeout=10.0)
    row = await table.ledger("1.1.0")
    assert (row["state"], row["attempts"]) == ("done", 1)


async def test_sessions_of_others_are_never_touched_whatever_they_do(table: Site) -> None:
    release = table.home / "go-on"
    table.tool(f"touch {table.home}/started; while ! test -e {release}; do sleep 0.05; done")
    holder, waiter = await table.connect(), await table.connect()
    await holder.execute("SET application_name = 'its own'; BEGIN; LOCK TABLE t")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(table.apply(), name="apply")
        await until((table.home / "started").exists)
        waiting = group.create_task(waiter.fetchval("SELECT count(*) FROM t", timeout=LONG), name="waiter")
        await asyncio.sleep(1.0)  # twice as long as a tool's session may stop somebody
        assert not waiting.done()
        assert await holder.fetchval("SELECT 1") == 1
        release.touch()
        await task
        await holder.execute("ROLLBACK")
    await holder.close(timeout=10.0)
    await waiter.close(timeout=10.0)


async def test_a_lock_timeout_of_a_tool_is_tried_again_until_the_budget_is_spent(site: Site) -> None:
    site.tool(
        f"echo x >> {site.home}/runs; echo 'ERROR: canceling statement due to lock timeout'; exit 1", lock_budget=1.5
    )
    with pytest.raises(MigrationFailed, match=r"lock timeout.*tried again and again for 1\.5 s"):
        await site.apply()
    assert (site.home / "runs").read_text().count("x") > 1
    assert (await site.ledger("1.1.0"))["state"] == "failed"


async def test_cancelled_in_the_pause_between_two_tries_it_ends_at_once(site: Site) -> None:
    site.tool(f"echo x >> {site.home}/runs; echo 'lock timeout'; exit 1", lock_budget=600.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(site.apply(), name="apply")
        await until(lambda: (site.home / "runs").exists() and (site.home / "runs").read_text().count("x") > 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await site.ledger("1.1.0"))["state"] == "interrupted"


async def test_what_a_do_block_locks_is_given_up_once_it_has_stopped_users_for_long(table: Site) -> None:
    table.gently(strong_timeout=0.5)
    table.write(
        "0001_a.expand.sql",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD b int'; PERFORM pg_sleep(60); END $$",
    )
    async with user(table) as asked:
        with pytest.raises(MigrationFailed, match=r"stopped others for more than 0\.5 s"):
            await table.apply()
        assert await asked == 1
    assert await table.value("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == 1


@pytest.fixture
def orphan(site: Site) -> Iterator[Path]:
    """While it is missing, a tool that a killed daemon left goes on."""
    path = site.home / "enough"
    yield path
    path.touch()


async def test_the_process_of_a_tool_that_a_killed_daemon_left_is_waited_for(site: Site, orphan: Path) -> None:
    site.tool(f"touch {site.home}/ran", timeout=0.5)
    where = site.dsn.partition("@")[2]
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f"while ! test -e {orphan}; do sleep 0.05; done",
        env={**os.environ, tool_processes.MARK: f"tool/1.1.0.expand {where}"},
    )  # fmt: skip
    with pytest.raises(MigrationFailed, match=r"a former attempt still runs after 0\.5 s, as process") as caught:
        await site.apply()
    assert caught.value.next == (f"kill {process.pid}",)
    assert not (site.home / "ran").exists()
    orphan.touch()
    await process.wait()
    assert not running(process.pid)
    site.gently(timeout=60.0)
    await site.apply()
    assert (site.home / "ran").exists()


async def test_limits_of_the_operators_own_are_added_to_ours(site: Site) -> None:
    site.tool('echo "$PGOPTIONS"', environment={"PGOPTIONS": "-c work_mem=1MB"})
    await site.apply()
    assert (await site.ledger("1.1.0"))["output"] == (
        "-c lock_timeout=200ms -c idle_in_transaction_session_timeout=60s -c work_mem=1MB"
    )


async def test_a_tool_whose_words_have_changed_runs_again_for_the_same_release(site: Site) -> None:
    site.tool(f"echo x >> {site.home}/runs")
    await site.apply()
    assert await site.apply() == ()
    site.gently(up=(*site.source.up, "again"))
    assert len(await site.apply(deployment="d2")) == 1
    assert await site.apply() == ()
    assert (site.home / "runs").read_text().split() == ["x", "x"]
    row = await site.ledger("1.1.0")
    assert (row["state"], row["attempts"], row["deployment"]) == ("done", 2, "d2")
