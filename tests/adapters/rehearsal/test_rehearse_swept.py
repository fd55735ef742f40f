"""kill -9 in the middle of a rehearsal: what it leaves is found by its name and dropped, by the next or at start."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.domain.errors import RehearsalFailed
from tests.adapters.rehearsal import rehearsed_and_killed
from tests.adapters.rehearsal.stages import PHASES, leftovers
from tests.adapters.sites import RELEASE, Site, until_true
from tests.adapters.waiting import pid_in, running, until
from tests.real_parts import execute

NAMES = ["bluegreen_rehearsal_b5a7f333_rehearsal_killed", "bluegreen_scratch_b5a7f333_rehearsal_killed"]


async def _killed(site: Site) -> int:
    """A daemon that was killed while its tool ran; the pid of the tool, which goes on."""
    root, file = Path(rehearsed_and_killed.__file__).parents[3], site.home / "pid"
    script = f'echo $$ >{file}; exec {site.bin_dir}/psql "$DATABASE_URL" -c "SELECT pg_sleep(600)"'
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", rehearsed_and_killed.__name__, site.dsn, str(site.home), str(site.bin_dir), script),
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    try:
        return await pid_in(file)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_sweep_drops_what_a_killed_rehearsal_left_and_ends_its_tool(site: Site) -> None:
    tool = await _killed(site)
    try:
        assert await leftovers(site) == NAMES
        swept: set[str] = set()
        async with asyncio.timeout(30.0):
            while swept != set(NAMES):  # the server takes a moment to notice that the daemon is gone
                swept |= set(await site.database().sweep())
        assert await leftovers(site) == []
        await until(lambda: not running(tool))
    finally:
        with suppress(ProcessLookupError):
            os.kill(tool, signal.SIGKILL)
    assert await site.database().sweep() == ()


async def test_the_next_rehearsal_drops_it_too(site: Site) -> None:
    tool = await _killed(site)
    try:
        site.write("0001_t.expand.sql", "CREATE TABLE t (id int);")
        await site.database(rehearsal=RehearsalRules()).rehearse(RELEASE, PHASES, "killed")
        assert await leftovers(site) == [NAMES[0]]  # a role is dropped when one is needed again, or at the next start
        await site.database().sweep()
    finally:
        with suppress(ProcessLookupError):
            os.kill(tool, signal.SIGKILL)
    assert await leftovers(site) == []


async def test_a_rehearsal_waits_for_a_sweep_that_looks_at_its_names(site: Site) -> None:
    site.tool("exit 0")
    admin = await asyncpg.connect(f"{site.dsn.rpartition('/')[0]}/postgres", timeout=10.0)
    trying = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%try_advisory%' AND pid <> pg_backend_pid()"
    try:
        await admin.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", NAMES[0])
        async with asyncio.TaskGroup() as group:
            database = site.database(rehearsal=RehearsalRules())
            running_now = group.create_task(database.rehearse(RELEASE, PHASES, "killed"), name="rehearsal")
            await until_true(site, trying)
            await admin.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", NAMES[0])
    finally:
        await admin.close(timeout=10.0)
    assert len(running_now.result().files) == 1


async def test_a_database_that_a_prepared_transaction_keeps_stops_nobody_and_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(site.dsn, f"CREATE DATABASE {NAMES[1]}")
    really = asyncpg.Connection.execute

    async def execute_but(self: "asyncpg.Connection[asyncpg.Record]", sql: str, *rest: Any, **named: Any) -> str:
        if sql.startswith("DROP DATABASE") and NAMES[1] in sql:
            raise asyncpg.ObjectInUseError("it is being used by prepared transactions")
        return await really(self, sql, *rest, **named)

    site.write("0001_t.expand.sql", "CREATE TABLE t (id int);")
    with monkeypatch.context() as server:
        server.setattr(asyncpg.Connection, "execute", execute_but)
        assert len((await site.database(rehearsal=RehearsalRules()).rehearse(RELEASE, PHASES, "next")).files) == 1
        with pytest.raises(RehearsalFailed, match="being used by prepared transactions") as caught:
            await site.database().sweep()
    assert caught.value.next == (f'as a superuser: DROP DATABASE "{NAMES[1]}"',)
    assert await site.database().sweep() == (NAMES[1],)


async def test_a_sweep_leaves_alone_what_somebody_uses(site: Site) -> None:
    site.write("0001_t.expand.sql", "SELECT pg_sleep(2);")
    database = site.database(rehearsal=RehearsalRules())
    async with asyncio.TaskGroup() as group:
        running_now = group.create_task(database.rehearse(RELEASE, PHASES, "busy"), name="rehearsal")
        while not await leftovers(site):
            await asyncio.sleep(0.02)
        assert await site.database().sweep() == ()
    assert len(running_now.result().files) == 1
