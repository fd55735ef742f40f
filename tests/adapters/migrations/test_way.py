"""Look before you lock: no try while somebody has been in the way for long, and words about who it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.sites import RELEASE, Site, until_true
from tests.adapters.waiting import until

pytestmark = pytest.mark.real

TABLES = """
CREATE TABLE busy (id int PRIMARY KEY, a int);
CREATE TABLE child (id int REFERENCES busy);
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE apart (id int);
CREATE INDEX busy_a ON busy (a);
CREATE VIEW shown AS SELECT id FROM busy;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
"""


@asynccontextmanager
async def transaction(site: Site, sql: str, name: str = "long report") -> AsyncIterator[int]:
    """A transaction that goes on, older than what is taken for a short one; gives its backend."""
    connection = await site.connect()
    try:
        await connection.execute(f"SET application_name = '{name}'; BEGIN; {sql}; SELECT pg_sleep(0.11)")
        yield connection.get_server_pid()
    finally:
        await connection.close(timeout=10.0)


@asynccontextmanager
async def waits(site: Site) -> AsyncIterator[list[str]]:
    """Gives, at its end, whom Postgres saw waiting for a lock meanwhile."""
    connection, ended = await site.connect(), asyncio.Event()
    seen: list[str] = []

    async def watch() -> None:
        while not ended.is_set():
            records = await connection.fetch(
                "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            seen.extend(record["query"] for record in records)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch(), name="waits")
        try:
            yield seen
        finally:
            ended.set()
    await connection.close(timeout=10.0)


async def applied(site: Site, notes: list[str] | None = None) -> None:
    database = site.database()
    async with database.locked():
        for migration in await database.pending(MigrationPhase.EXPAND, RELEASE):
            await database.apply(migration, "d1", RELEASE, None, (notes if notes is not None else []).append)


@pytest.fixture
async def busy(site: Site) -> Site:
    await site.execute(TABLES)
    site.gently(lock_budget=1.0)
    return site


async def test_nothing_is_tried_while_a_reader_is_in_the_way_and_it_is_named(busy: Site) -> None:
    busy.gently(lock_budget=60.0, name_after=1.0)
    busy.write("0001_a.expand.sql", "CREATE TABLE other (id int);\nALTER TABLE busy ADD b int")
    notes: list[str] = []
    async with asyncio.TaskGroup() as group, waits(busy) as seen:
        async with transaction(busy, "SELECT count(*) FROM busy") as reader:
            task = group.create_task(applied(busy, notes), name="apply")
            await until(lambda: notes)
            assert not task.done()
            assert seen == []
        await task
    (note,) = notes
    for word in ("app/0001_a.expand waits", f"backend {reader} (long report, user postgres)", "on busy", "count(*)"):
        assert word in note
    assert (await busy.ledger("0001_a"))["attempts"] == 1


async def test_when_the_budget_is_spent_nothing_was_tried_and_the_blocker_is_named(busy: Site) -> None:
    busy.write("0001_a.expand.sql", "ALTER TABLE busy ADD b int")
    async with transaction(busy, "UPDATE busy SET a = 1") as writer, waits(busy) as seen:
        with pytest.raises(MigrationFailed, match=r"all the 1 s.*nothing of it is applied.*long report") as caught:
            await applied(busy)
    assert seen == []
    assert f"SELECT pg_terminate_backend({writer})" in caught.value.next
    assert (await busy.ledger("0001_a"))["state"] == "failed"


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("DROP TABLE child", "SELECT FROM busy"),
        ("ALTER TABLE parts ADD b int", "SELECT FROM part"),
        ("DROP INDEX busy_a", "SELECT FROM busy"),
        ("DROP VIEW shown", "SELECT FROM shown"),
        ("CREATE TABLE new (id int REFERENCES busy)", "UPDATE busy SET a = 1"),
        ("CREATE TABLE more PARTITION OF parts FOR VALUES IN (2)", "SELECT FROM parts"),
        ("ALTER TABLE apart ADD FOREIGN KEY (id) REFERENCES busy", "UPDATE busy SET a = 1"),
        ("CREATE INDEX i ON busy (id)", "UPDATE busy SET a = 1"),
        ("TRUNCATE busy CASCADE", "SELECT FROM child"),
        ("ALTER TABLE child RENAME TO kid", "SELECT FROM child"),
        ("CREATE POLICY p ON apart", "SELECT FROM apart"),
    ],
)
async def test_what_holds_a_table_that_the_statement_locks_is_in_the_way(busy: Site, sql: str, other: str) -> None:
    busy.write("0001_a.expand.sql", sql)
    async with transaction(busy, other), waits(busy) as seen:
        with pytest.raises(MigrationFailed, match="nothing was tried"):
            await applied(busy)
    assert seen == []


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("CREATE INDEX i ON busy (id)", "SELECT FROM busy"),
        ("ALTER TABLE apart ADD FOREIGN KEY (id) REFERENCES busy", "SELECT FROM apart"),
        ("CREATE TRIGGER g AFTER INSERT ON busy EXECUTE FUNCTION f()", "SELECT FROM busy"),
        ("ALTER TABLE busy ADD b int", "SELECT FROM apart"),
        ("ALTER TABLE busy SET (fillfactor = 90)", "UPDATE busy SET a = 1"),
        ("CREATE TABLE new (id int); ALTER TABLE new ADD b int", "SELECT FROM apart"),
        ("CREATE OR REPLACE VIEW seen AS SELECT id FROM busy", "SELECT FROM busy"),
    ],
)
async def test_who_is_not_in_the_way_is_not_waited_for(busy: Site, sql: str, other: str) -> None:
    busy.write("0001_a.expand.sql", sql)
    async with transaction(busy, other):
        await applied(busy)


async def test_short_transactions_that_overlap_for_ever_do_not_hold_it_up_for_ever(busy: Site) -> None:
    busy.gently(lock_budget=60.0, name_after=0.5)
    busy.write("0001_a.expand.sql", "ALTER TABLE busy ADD b int")
    ended = asyncio.Event()

    async def user() -> None:
        connection = await busy.connect()
        while not ended.is_set():
            await connection.execute("BEGIN; SELECT FROM busy; SELECT pg_sleep(0.15); COMMIT")
        await connection.close(timeout=10.0)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(user(), name=f"user {number}")
            await until_true(busy, f"SELECT count(*) > {number} FROM pg_locks WHERE relation = 'busy'::regclass")
        try:
            await applied(busy)
        finally:
            ended.set()


async def test_a_role_that_sees_nothing_of_others_still_waits_for_them(busy: Site) -> None:
    role = f"poor_{busy.dsn.rpartition('_')[2]}"
    await busy.execute(
        f"CREATE ROLE {role} LOGIN; CREATE SCHEMA bluegreen AUTHORIZATION {role}; ALTER TABLE busy OWNER TO {role}"
    )
    busy.write("0001_a.expand.sql", "ALTER TABLE busy ADD b int")
    rich, busy.dsn = busy.dsn, busy.dsn.replace("postgres@", f"{role}@")
    owner = Site(rich, busy.home, busy.bin_dir)
    try:
        async with transaction(owner, "SELECT FROM busy") as reader, waits(owner) as seen:
            with pytest.raises(MigrationFailed, match=f"backend {reader}.*its query is not visible to us"):
                await applied(busy)
        assert seen == []
        await applied(busy)
    finally:
        busy.dsn = rich
        await busy.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


async def test_on_postgres_18_too(site18: Site) -> None:
    await site18.execute(TABLES)
    site18.gently(lock_budget=1.0)
    site18.write("0001_a.expand.sql", "ALTER TABLE parts ADD b int;\nDROP TABLE child")
    for sql in ("SELECT FROM part", "SELECT FROM busy"):
        async with transaction(site18, sql) as reader, waits(site18) as seen:
            with pytest.raises(MigrationFailed, match=f"backend {reader} .long report, user postgres."):
                await applied(site18)
        assert seen == []
    await applied(site18)
    assert (await site18.ledger("0001_a"))["state"] == "done"


@pytest.fixture
async def own(short_directory: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """A server of its own, with settings that one for all tests cannot have."""
    server = EmbeddedPostgres(short_directory / "postgres")
    await server.start()
    try:
        site = Site(server.dsn(), tmp_path, server.bin_dir)
        await site.execute("ALTER SYSTEM SET autovacuum_naptime = 1")
        await site.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
        await server.stop()
        await server.start()
        yield site
    finally:
        await server.stop()


async def test_a_prepared_transaction_that_nobody_ends_is_named(own: Site) -> None:
    own.gently(lock_budget=1.0)
    own.write("0001_a.expand.sql", "ALTER TABLE busy ADD b int")
    await own.execute("CREATE TABLE busy (id int)")
    await own.execute("BEGIN; INSERT INTO busy VALUES (1); PREPARE TRANSACTION 'forgotten'")
    with pytest.raises(MigrationFailed, match="prepared transaction 'forgotten' on busy"):
        await applied(own)
    await own.execute("ROLLBACK PREPARED 'forgotten'")
    await applied(own)


async def test_autovacuum_is_made_to_yield(own: Site) -> None:
    await own.execute(
        "CREATE TABLE busy (id int) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);"
        "INSERT INTO busy SELECT generate_series(1, 100000)"
    )
    await own.execute("UPDATE busy SET id = id")
    await until_true(
        own,
        "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = 'busy'::regclass"
        " AND mode = 'ShareUpdateExclusiveLock' AND query LIKE 'autovacuum: VACUUM%'"
        " AND xact_start < clock_timestamp() - interval '0.2 s'",
    )
    own.write("0001_a.expand.sql", "ALTER TABLE busy ADD b int")
    async with waits(own) as seen:
        await applied(own)
    assert all("SHARE UPDATE EXCLUSIVE" in query for query in seen)
    assert (await own.ledger("0001_a"))["state"] == "done"
