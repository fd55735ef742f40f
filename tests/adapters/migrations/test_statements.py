"""Files without a transaction: statement by statement, resumed where they were cut off, and no INVALID index stays."""

import asyncio

import pytest

from bluegreen.domain.errors import MigrationFailed
from tests.adapters.sites import RELEASE, Site, until_true

pytestmark = pytest.mark.real

HEADER = "-- bluegreen: no-transaction\n"
INDEX = "0001_index.expand.sql"
BUILD = HEADER + "CREATE INDEX CONCURRENTLY by_a ON t (a);"
BUILDING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND state = 'active'"
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
async def table(site: Site) -> Site:
    await site.execute("CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, 1 FROM generate_series(1, 1000) AS g")
    return site


async def _stop_at(site: Site, version: str, done: int, *, in_flight: bool) -> None:
    """Put the ledger where a daemon that was killed left it."""
    await site.execute(
        f"UPDATE bluegreen.migration SET state = 'running', finished_at = NULL, statements_done = {done},"
        f" in_flight = {in_flight} WHERE version = '{version}'"
    )


async def _invalid_index(site: Site, name: str = "by_b", columns: str = "(b)") -> None:
    """What a broken build leaves: unique where it cannot be."""
    with pytest.raises(Exception, match="could not create unique index"):
        await site.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON t {columns}")
    assert await site.value(INVALID) == 1


async def test_statements_outside_a_transaction_are_counted(table: Site) -> None:
    table.write(INDEX, BUILD + "ALTER TABLE t ADD c int; VACUUM t")
    await table.apply()
    row = await table.ledger("0001_index")
    assert (row["mode"], row["state"], row["statements_done"], row["statements_total"]) == ("statements", "done", 3, 3)
    assert await table.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_a'::regclass")


async def test_what_was_done_before_a_failure_is_not_done_again(table: Site) -> None:
    table.write(
        INDEX, HEADER + "INSERT INTO t VALUES (-1, -1);\nALTER TABLE t ADD c int;\nINSERT INTO later VALUES (1);"
    )
    with pytest.raises(MigrationFailed, match=r"0001_index\.expand\.sql:4.*later"):
        await table.apply()
    row = await table.ledger("0001_index")
    assert (row["state"], row["statements_done"]) == ("failed", 2)
    await table.execute("CREATE TABLE later (id int)")
    await table.apply(deployment="d2")
    row = await table.ledger("0001_index")
    assert (row["state"], row["statements_done"], row["attempts"], row["error"]) == ("done", 3, 2, "")
    assert await table.value("SELECT count(*) FROM t WHERE a = -1") == 1


async def test_settings_of_the_session_are_made_again_when_it_is_resumed(table: Site) -> None:
    table.write(
        INDEX, HEADER + "CREATE SCHEMA s; SET search_path = s; CREATE TABLE inside (id int); SELECT 1 FROM nowhere"
    )
    with pytest.raises(MigrationFailed):
        await table.apply()
    await table.execute("CREATE TABLE s.nowhere (id int); DROP TABLE s.inside")
    await _stop_at(table, "0001_index", 2, in_flight=False)
    await table.apply()
    assert await table.value("SELECT to_regclass('s.inside') IS NOT NULL AND to_regclass('public.inside') IS NULL")


async def test_a_half_applied_file_that_was_changed_is_refused(table: Site) -> None:
    path = table.write(INDEX, HEADER + "ALTER TABLE t ADD c int; SELECT 1 FROM nowhere")
    with pytest.raises(MigrationFailed):
        await table.apply()
    path.write_text(HEADER + "ALTER TABLE t ADD d int; SELECT 1")
    with pytest.raises(MigrationFailed, match="changed after a part of it was applied"):
        await table.apply()


async def test_an_invalid_index_of_that_name_is_replaced_even_with_if_not_exists(table: Site) -> None:
    await _invalid_index(table)
    table.write(INDEX, HEADER + "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_b ON t (b)")
    await table.apply()
    assert await table.value(INVALID) == 0
    assert await table.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_b'::regclass")


async def test_a_build_that_fails_leaves_no_invalid_index(table: Site) -> None:
    # With UNIQUE it would even go on refusing rows of users.
    table.write(INDEX, HEADER + "CREATE UNIQUE INDEX CONCURRENTLY by_b ON t (b)")
    with pytest.raises(MigrationFailed, match="could not create unique index"):
        await table.apply()
    assert await table.value("SELECT to_regclass('by_b')") is None
    row = await table.ledger("0001_index")
    assert (row["state"], row["in_flight"]) == ("failed", False)


async def test_a_build_that_builds_nothing_is_noticed(table: Site) -> None:
    await table.execute("CREATE TABLE by_a (id int)")
    table.write(INDEX, HEADER + "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_a ON t (a)")
    with pytest.raises(MigrationFailed, match="there is no index by_a after it"):
        await table.apply()


async def test_an_index_that_somebody_else_made_is_not_taken_for_ours(table: Site) -> None:
    await table.execute("CREATE INDEX by_a ON t (b)")
    table.write(INDEX, BUILD)
    with pytest.raises(MigrationFailed, match=r"there is an index public\.by_a already"):
        await table.apply()


async def test_a_build_that_was_finished_while_nobody_looked_counts_as_done(table: Site) -> None:
    table.write(INDEX, BUILD)
    await table.apply()
    made = await table.value("SELECT 'by_a'::regclass::oid")
    await _stop_at(table, "0001_index", 0, in_flight=True)
    await table.apply()
    assert await table.value("SELECT 'by_a'::regclass::oid") == made
    assert (await table.ledger("0001_index"))["state"] == "done"


async def test_a_drop_that_was_finished_while_nobody_looked_counts_as_done(table: Site) -> None:
    table.write("0001_index.expand.sql", HEADER + "CREATE INDEX by_a ON t (a); DROP INDEX CONCURRENTLY by_a")
    await table.apply()
    await _stop_at(table, "0001_index", 1, in_flight=True)
    await table.apply()
    assert (await table.ledger("0001_index"))["state"] == "done"


@pytest.mark.parametrize(("applied", "rows"), [(True, 1), (False, 2)])
async def test_what_nobody_can_tell_is_settled_by_a_person_with_a_verb(table: Site, applied: bool, rows: int) -> None:
    await table.execute("CREATE PROCEDURE twice() LANGUAGE sql AS 'INSERT INTO t VALUES (0, 0)'")
    table.write(INDEX, HEADER + "CALL twice(); ALTER TABLE t ADD c int")
    await table.apply()
    await table.execute("ALTER TABLE t DROP c")
    await _stop_at(table, "0001_index", 0, in_flight=True)
    with pytest.raises(MigrationFailed, match=r"nothing here can tell.*CALL twice") as caught:
        await table.apply()
    assert [line.partition(": ")[2] for line in caught.value.next] == [
        "bluegreen migrate repair --applied app/0001_index.expand",
        "bluegreen migrate repair --not-applied app/0001_index.expand",
    ]
    database = table.database()
    async with database.locked():
        await database.settle("app/0001_index.expand", applied=applied, by="somebody")
    await table.apply()
    assert await table.value("SELECT count(*) FROM t WHERE a = 0") == rows
    assert (await table.ledger("0001_index"))["state"] == "done"


async def test_leftovers_of_a_broken_reindex_are_removed(table: Site) -> None:
    await table.execute("CREATE INDEX by_a ON t (a)")
    await _invalid_index(table, "by_a_ccnew")
    table.write(INDEX, HEADER + "REINDEX INDEX CONCURRENTLY by_a; REINDEX TABLE CONCURRENTLY t")
    await table.apply()
    assert await table.value(INVALID) == 0


async def test_a_build_of_a_killed_daemon_that_still_runs_is_waited_for(table: Site) -> None:
    table.write(INDEX, BUILD)
    await table.apply()
    await table.execute("DROP INDEX by_a")
    await _stop_at(table, "0001_index", 0, in_flight=True)
    blocker = await table.connect()
    await blocker.execute("BEGIN; UPDATE t SET b = 2 WHERE a = 1")
    former = await table.connect()
    await former.execute("SET application_name = 'bluegreen app/0001_index.expand'")
    async with asyncio.TaskGroup() as group:
        build = group.create_task(former.execute("CREATE INDEX CONCURRENTLY by_a ON t (a)"), name="former")
        await until_true(table, BUILDING)
        resumed = group.create_task(table.apply(), name="resumed")
        await until_true(table, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%application_name = $1%'")
        assert not resumed.done()
        await blocker.close(timeout=10.0)
        await build
        made = await table.value("SELECT 'by_a'::regclass::oid")
        await former.close(timeout=10.0)
        await resumed
    assert await table.value("SELECT 'by_a'::regclass::oid") == made
    assert await table.value(INVALID) == 0


async def test_cancelled_in_a_build_it_is_finished_first(table: Site) -> None:
    table.write(INDEX, BUILD + "ALTER TABLE t ADD never int")
    blocker = await table.connect()
    await blocker.execute("BEGIN; UPDATE t SET b = 2 WHERE a = 1")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(table.apply(), name="apply")
        await until_true(table, BUILDING)
        task.cancel()
        await asyncio.sleep(0)
        assert await table.value(BUILDING)
        await blocker.close(timeout=10.0)
        with pytest.raises(asyncio.CancelledError):
            await task
    row = await table.ledger("0001_index")
    assert (row["state"], row["statements_done"], row["in_flight"]) == ("interrupted", 1, False)
    assert await table.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_a'::regclass")
    await table.apply()
    assert (await table.ledger("0001_index"))["state"] == "done"


async def test_a_build_that_cannot_get_through_names_who_is_in_the_way(table: Site) -> None:
    # Who is in the way of the build is in the way of dropping what it left: the next attempt does that.
    table.gently(lock_budget=3.0)
    table.write(INDEX, BUILD)
    blocker = await table.connect()
    await blocker.execute("SET application_name = 'nightly job'; BEGIN; UPDATE t SET b = 2 WHERE a = 1")
    try:
        with pytest.raises(MigrationFailed, match=r"nightly job.*removed by the next attempt"):
            await table.apply()
    finally:
        await blocker.close(timeout=10.0)
    await table.apply()
    assert await table.value(INVALID) == 0
    assert await table.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_a'::regclass")


async def test_a_build_whose_connection_breaks_stays_open_in_the_ledger_and_is_resumed(table: Site) -> None:
    table.write(INDEX, BUILD)
    blocker = await table.connect()
    await blocker.execute("BEGIN; UPDATE t SET b = 2 WHERE a = 1")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_failure(table), name="apply")
        await until_true(table, BUILDING)
        await table.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CON%'"
        )
    assert "terminating connection" in task.result().detail
    assert (await table.ledger("0001_index"))["in_flight"]
    await blocker.close(timeout=10.0)
    await table.apply(release=RELEASE)
    assert await table.value(INVALID) == 0
    assert await table.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_a'::regclass")


async def _failure(site: Site) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as caught:
        await site.apply()
    return caught.value
