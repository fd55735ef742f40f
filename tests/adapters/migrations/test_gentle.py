"""Locks that others hold: short tries, again and again, until the budget is spent; and who was in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bluegreen.adapters.migrations import gentle
from bluegreen.domain.errors import LockBusy, MigrationFailed
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.sites import RELEASE, Site, until_true

pytestmark = pytest.mark.real


@asynccontextmanager
async def _reader(site: Site, name: str = "long report") -> AsyncIterator[None]:
    """A transaction that has read table busy and goes on."""
    connection = await site.connect()
    try:
        await connection.execute(f"SET application_name = '{name}'; BEGIN; SELECT count(*) FROM busy")
        yield
    finally:
        await connection.close(timeout=10.0)


@pytest.fixture
async def busy(site: Site) -> Site:
    await site.execute("CREATE TABLE busy (id int)")
    site.write("0001_a.expand.sql", "CREATE TABLE before_it (id int);\nALTER TABLE busy ADD a int")
    return site


@pytest.fixture
async def opaque(busy: Site) -> Site:
    """The text does not say which table it locks, so that nobody can look for who is in the way."""
    busy.write(
        "0001_a.expand.sql",
        "CREATE TABLE before_it (id int);\nDO $$ BEGIN EXECUTE 'ALTER TABLE ' || 'busy ADD a int'; END $$",
    )
    return busy


async def test_a_migration_that_cannot_look_waits_for_a_reader_in_short_tries_and_then_goes_through(
    opaque: Site,
) -> None:
    busy = opaque
    async with asyncio.TaskGroup() as group:
        async with _reader(busy):
            task = group.create_task(busy.apply(), name="apply")
            # Two tries that were given up: a first one, and another after the pause.
            await until_true(busy, "SELECT xact_rollback >= 2 FROM pg_stat_database WHERE datname = current_database()")
            assert not task.done()
            assert await busy.value("SELECT to_regclass('before_it')") is None
        await task
    assert (await busy.ledger("0001_a"))["attempts"] == 1
    assert await busy.value("SELECT to_regclass('before_it') IS NOT NULL")


async def test_users_do_not_queue_behind_a_waiting_migration_for_longer_than_lock_timeout(opaque: Site) -> None:
    busy = opaque
    async with asyncio.TaskGroup() as group:
        async with _reader(busy):
            task = group.create_task(busy.apply(), name="apply")
            await until_true(busy, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
            # This read queues behind the ALTER; with no timeout on that it would hang as long as the reader does.
            async with asyncio.timeout(20.0):
                assert await busy.value("SELECT count(*) FROM busy") == 0
            assert not task.done()
        await task


async def test_when_the_budget_is_spent_nothing_is_applied_and_the_blocker_is_named(opaque: Site) -> None:
    busy = opaque
    busy.gently(lock_budget=3.0)
    async with _reader(busy):
        with pytest.raises(MigrationFailed) as caught:
            await busy.apply()
    for word in ("0001_a.expand.sql:2", "long report", "user postgres", "idle in transaction", "count(*) FROM busy"):
        assert word in caught.value.detail
    assert "long report" in (await busy.ledger("0001_a"))["error"]
    assert await busy.value("SELECT to_regclass('before_it')") is None


async def test_cancelled_while_it_waits_for_a_lock_it_ends_at_once_and_leaves_nothing(opaque: Site) -> None:
    busy = opaque
    async with _reader(busy), asyncio.TaskGroup() as group:
        task = group.create_task(busy.apply(), name="apply")
        await until_true(busy, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await busy.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0
    assert await busy.value("SELECT to_regclass('before_it')") is None


async def test_a_second_session_gets_lock_busy_which_names_the_first(site: Site) -> None:
    async with site.database().locked():
        with pytest.raises(LockBusy) as caught:
            async with site.database(project="somebody else's").locked():
                pytest.fail("two at once")
        assert "(bluegreen, user postgres) from 127.0.0.1" in caught.value.detail
    async with site.database().locked():
        pass


async def test_the_key_of_the_lock_is_the_same_in_every_daemon_of_every_version(site: Site) -> None:
    other = await site.connect()
    await other.execute("SELECT pg_advisory_lock(x'626c756567726565'::bigint)")
    with pytest.raises(LockBusy):
        async with site.database().locked():
            pytest.fail("two at once")
    await other.close()


async def test_a_lock_that_becomes_free_in_time_is_had(site: Site) -> None:
    async with asyncio.TaskGroup() as group:
        async with site.database().locked():
            task = group.create_task(_lock_once(site), name="second")
            tries = "SELECT count(*) = 2 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'"
            await until_true(site, tries)
            assert not task.done()
        await task


async def test_waiting_for_the_lock_holds_no_snapshot(site: Site) -> None:
    # A blocking pg_advisory_lock() would: CREATE INDEX CONCURRENTLY under the lock would wait for it for ever.
    await site.execute("CREATE TABLE busy (id int)")
    site.write("0001_i.expand.sql", "-- bluegreen: no-transaction\nCREATE INDEX CONCURRENTLY i ON busy (id)")
    database = site.database()
    async with asyncio.TaskGroup() as group:
        async with database.locked():
            second = group.create_task(_lock_once(site), name="second")
            (migration,) = await database.pending(MigrationPhase.EXPAND, RELEASE)
            await database.apply(migration, "d1", RELEASE)
        await second


async def _lock_once(site: Site) -> None:
    async with site.database(lock_wait=60.0).locked():
        pass


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "200ms"), (3.0, "3000ms"), (0.0001, "1ms"), (0.0, "0ms")])
def test_a_short_duration_never_becomes_no_limit(seconds: float, text: str) -> None:
    assert gentle.milliseconds(seconds) == text
