"""SQL files on a real Postgres: one transaction each, and a ledger that tells the truth about them."""

import asyncio
import json
from dataclasses import replace

import pytest

from bluegreen.domain.errors import DatabaseUnreachable, MigrationFailed
from bluegreen.domain.findings import FileVerdict, Finding, Gate
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.plans import Release
from tests.adapters.sites import RELEASE, Site, until_true

pytestmark = pytest.mark.real

EXPAND, CONTRACT = MigrationPhase.EXPAND, MigrationPhase.CONTRACT


async def test_looking_at_what_is_pending_makes_no_ledger(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    database = site.database()
    assert [m.version for m in await database.pending(EXPAND, RELEASE)] == ["0001_a"]
    assert await database.applied("d1") == ()
    assert await site.value("SELECT to_regnamespace('bluegreen')") is None


async def test_files_are_applied_in_the_order_of_their_numbers_and_only_in_their_phase(site: Site) -> None:
    site.write("0010_c.expand.sql", "ALTER TABLE a ADD d int")
    site.write("0002_b.expand.sql", "CREATE TABLE a (id int, b int)")
    site.write("0002_b.contract.sql", "ALTER TABLE a DROP b")
    database = site.database()
    await site.apply(database)
    assert [row.version for row in await database.applied("d1")] == ["0002_b", "0010_c"]
    assert [m.label for m in await database.pending(CONTRACT, RELEASE)] == ["app/0002_b.contract"]
    assert await database.pending(EXPAND, RELEASE) == ()
    await site.apply(database, "d2", phase=CONTRACT)
    assert await database.pending(CONTRACT, RELEASE) == ()


async def test_a_new_file_with_a_lower_number_is_applied_late(site: Site) -> None:
    site.write("0005_later.expand.sql", "CREATE TABLE later (id int)")
    await site.apply()
    site.write("0004_forgotten.expand.sql", "CREATE TABLE forgotten (id int)")
    await site.apply()
    assert [row.version for row in await site.database().applied("d1")] == ["0005_later", "0004_forgotten"]


async def test_the_ledger_says_who_did_what_and_when(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int); CREATE TABLE b (id int)")
    await site.apply(deployment="d7")
    (row,) = await site.database().applied("d7")
    assert (row.database, row.source, row.state, row.statements_done, row.statements_total) == (
        "main", "app", "done", 2, 2,
    )  # fmt: skip
    assert row.finished_at is not None
    stored = await site.ledger("0001_a")
    assert (stored["mode"], stored["release"], stored["attempts"], stored["in_flight"]) == (
        "transaction", "1.1.0", 1, False,
    )  # fmt: skip
    assert ":" in stored["owner"]


async def test_a_failed_file_leaves_nothing_of_itself_while_files_before_it_stay(site: Site) -> None:
    site.write("0001_good.expand.sql", "CREATE TABLE good (id int)")
    bad = site.write("0002_bad.expand.sql", "CREATE TABLE half (id int);\n\nALTER TABLE nowhere ADD x int;")
    database = site.database()
    with pytest.raises(MigrationFailed) as caught:
        await site.apply(database)
    assert f"{bad}:3" in caught.value.detail
    assert "nowhere" in caught.value.detail
    assert await site.value("SELECT to_regclass('good') IS NOT NULL AND to_regclass('half') IS NULL")
    rows = {row.version: row for row in await database.applied("d1")}
    assert (rows["0001_good"].state, rows["0002_bad"].state) == ("done", "failed")
    assert "nowhere" in rows["0002_bad"].error
    assert rows["0002_bad"].statements_done == 0


async def test_a_failed_file_may_be_mended_and_runs_again(site: Site) -> None:
    site.write("0001_a.expand.sql", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(MigrationFailed):
        await site.apply()
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await site.apply(deployment="d2")
    row = await site.ledger("0001_a")
    assert (row["state"], row["error"], row["attempts"], row["deployment"]) == ("done", "", 2, "d2")


async def test_an_applied_file_that_was_changed_is_refused(site: Site) -> None:
    path = site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await site.apply()
    path.write_text("CREATE TABLE a (id bigint)")
    with pytest.raises(MigrationFailed, match="was changed after it was applied"):
        await site.database().pending(EXPAND, RELEASE)


async def test_a_file_that_changes_between_plan_and_apply_is_refused(site: Site) -> None:
    path = site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    database = site.database()
    (migration,) = await database.pending(EXPAND, RELEASE)
    path.write_text("DROP SCHEMA public CASCADE")
    async with database.locked():
        with pytest.raises(MigrationFailed, match="changed since it was planned"):
            await database.apply(migration, "d1", RELEASE)


async def test_applying_what_is_done_does_nothing(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
    (migration,) = await site.apply()
    database = site.database()
    async with database.locked():
        await database.apply(migration, "d2", RELEASE)
    assert await site.value("SELECT count(*) FROM a") == 1
    assert (await site.ledger("0001_a"))["deployment"] == "d1"


async def test_nothing_is_applied_without_the_lock(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    database = site.database()
    (migration,) = await database.pending(EXPAND, RELEASE)
    with pytest.raises(MigrationFailed, match="lock is not held"):
        await database.apply(migration, "d1", RELEASE)


async def test_nothing_is_applied_once_the_lock_is_lost(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    database = site.database()
    (migration,) = await database.pending(EXPAND, RELEASE)
    async with database.locked():
        await site.break_the_lock()
        with pytest.raises(MigrationFailed, match="lock was lost"):
            await database.apply(migration, "d1", RELEASE)
    assert await site.value("SELECT to_regclass('a')") is None


async def test_a_file_that_changes_the_role_and_the_search_path_still_reaches_the_ledger(site: Site) -> None:
    role = f"owner_{site.dsn.rpartition('_')[2]}"
    site.write(
        "0001_a.expand.sql",
        f"CREATE ROLE {role}; CREATE SCHEMA theirs AUTHORIZATION {role}; SET ROLE {role};"
        " SET search_path = theirs; CREATE TABLE a (id int)",
    )
    try:
        await site.apply()
        assert await site.value("SELECT tableowner FROM pg_tables WHERE tablename = 'a'") == role
        assert (await site.ledger("0001_a"))["state"] == "done"
    finally:
        await site.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_cancelled_in_a_transaction_it_is_rolled_back_when_apply_returns(site: Site) -> None:
    site.write("0001_slow.expand.sql", "CREATE TABLE slow (id int); SELECT pg_sleep(60)")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(site.apply(), name="apply")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await site.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'") == 0
    assert await site.value("SELECT to_regclass('slow')") is None
    assert await site.database().applied("d1") == ()


async def test_a_connection_lost_in_the_middle_leaves_nothing_and_is_named(site: Site) -> None:
    site.write("0001_slow.expand.sql", "CREATE TABLE slow (id int); SELECT pg_sleep(60)")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_failure(site), name="apply")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
        await site.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
    assert "terminating connection" in task.result().detail
    assert await site.value("SELECT to_regclass('slow')") is None
    assert (await site.ledger("0001_slow"))["state"] == "failed"


async def test_a_commit_whose_answer_was_lost_counts_as_done(site: Site) -> None:
    # The row that another session writes stands for our own COMMIT that took effect; then our connection breaks.
    site.write("0001_a.expand.sql", "SELECT pg_sleep(60)")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(site.apply(), name="apply")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
        await site.execute(
            "INSERT INTO bluegreen.migration (source, version, phase, checksum, mode, state, statements_total,"
            " statements_done, in_flight, deployment, release, started_at, attempts, error, output, owner) VALUES"
            " ('app', '0001_a', 'expand', 'x', 'transaction', 'done', 1, 1, false, 'd1', '1.1.0', now(), 1, '', '', '')"
        )
        await site.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
    assert len(task.result()) == 1
    assert (await site.ledger("0001_a"))["error"] == ""


async def test_a_statement_under_a_strong_lock_is_given_up_when_it_takes_long(site: Site) -> None:
    await site.execute("CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 200000) AS g")
    site.gently(strong_timeout=0.01)
    site.write("0001_rewrite.expand.sql", "ALTER TABLE big ALTER id TYPE bigint")
    with pytest.raises(MigrationFailed, match=r"given up.*SET statement_timeout"):
        await site.apply()
    assert await site.value("SELECT pg_typeof(id)::text FROM big LIMIT 1") == "integer"


async def test_a_file_may_say_for_itself_how_long_it_may_take(site: Site) -> None:
    await site.execute("CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 200000) AS g")
    site.gently(strong_timeout=0.01)
    site.write("0001_rewrite.expand.sql", "SET statement_timeout = '60s'; ALTER TABLE big ALTER id TYPE bigint")
    await site.apply()
    assert await site.value("SELECT pg_typeof(id)::text FROM big LIMIT 1") == "bigint"


async def test_a_statement_that_stops_nobody_has_no_such_limit(site: Site) -> None:
    site.gently(strong_timeout=0.01)
    site.write("0001_slow.expand.sql", "SELECT pg_sleep(0.2)")
    assert len(await site.apply()) == 1


@pytest.mark.parametrize("sql", ["CREATE DATABASE other", "DO $$ BEGIN COMMIT; END $$"])
async def test_what_cannot_run_in_a_transaction_is_told_the_header_to_add(site: Site, sql: str) -> None:
    site.write("0001_a.expand.sql", sql)
    with pytest.raises(MigrationFailed, match=r"transaction.*make the first line of the file '-- bluegreen: no-tran"):
        await site.apply()


async def test_a_ledger_of_a_newer_program_is_left_alone(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await site.apply()
    await site.execute("UPDATE bluegreen.meta SET version = 99")
    with pytest.raises(MigrationFailed, match="newer bluegreen"):
        await site.database().pending(EXPAND, RELEASE)


async def test_a_role_that_may_not_make_the_ledger_is_told_what_to_grant(site: Site) -> None:
    role = f"poor_{site.dsn.rpartition('_')[2]}"
    await site.execute(f"CREATE ROLE {role} LOGIN")
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    rich = site.dsn
    try:
        site.dsn = rich.replace("postgres@", f"{role}@")
        with pytest.raises(MigrationFailed, match="permission denied") as caught:
            await site.apply()
        assert "CREATE SCHEMA bluegreen" in caught.value.next[0]
    finally:
        site.dsn = rich
        await site.execute(f"DROP ROLE {role}")


async def test_sources_run_one_after_the_other_and_keep_their_own_versions(site: Site) -> None:
    other = site.home / "other"
    other.mkdir()
    (other / "0001_a.expand.sql").write_text("ALTER TABLE a ADD b int")
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    sources = [site.source, replace(site.source, name="other", directory=other)]
    pending = await site.apply(site.database(sources=sources))
    assert [m.label for m in pending] == ["app/0001_a.expand", "other/0001_a.expand"]


async def test_an_unreachable_database_is_named_without_its_password(site: Site) -> None:
    host = site.dsn.partition("@")[2].partition(":")[0]
    site.dsn = f"postgresql://someone:very%2Fsecret@{host}:1/app"
    database = site.database(connect_timeout=2.0)
    for call in (database.facts(), database.applied("d"), database.pending(EXPAND, Release("1"))):
        with pytest.raises(DatabaseUnreachable) as caught:
            await call
        assert "database app at 127.0.0.1:1" in caught.value.detail
        assert "secret" not in f"{caught.value.detail} {caught.value.facts}"


async def _failure(site: Site) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as caught:
        await site.apply()
    return caught.value


async def test_slow_statements_after_a_strong_lock_share_its_time(site: Site) -> None:
    await site.execute("CREATE TABLE a (id int)")
    site.gently(strong_timeout=0.3)
    site.write("0001_a.expand.sql", "SELECT pg_sleep(0.4);\nALTER TABLE a ADD b int;\nSELECT 1;\nSELECT pg_sleep(30)")
    with pytest.raises(MigrationFailed, match=r"sql:4: .*0\.3 s were over.*lock of line 2.*a file of its own"):
        await site.apply()
    assert await site.value("SELECT count(*) FROM information_schema.columns WHERE table_name = 'a'") == 1


async def test_a_table_that_the_file_made_itself_may_be_filled_and_indexed_for_as_long_as_it_takes(site: Site) -> None:
    site.gently(strong_timeout=0.1)
    site.write(
        "0001_a.expand.sql",
        "CREATE TABLE a (id int);\nCREATE INDEX ON a (id);\nSELECT pg_sleep(0.2);\nALTER TABLE a ADD b int",
    )
    await site.apply()
    assert (await site.ledger("0001_a"))["state"] == "done"


async def test_the_catalogues_hash_before_and_after_and_the_verdict_stand_in_the_ledger(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    site.write("0002_b.expand.sql", "-- bluegreen: no-transaction\nALTER TABLE a ADD b int")
    database = site.database()
    async with database.locked():
        for migration in await database.pending(EXPAND, RELEASE):
            finding = Finding("lock", Gate.WARN, "a is locked", object="public.a", estimate_s=(0.1, 0.2))
            verdict = FileVerdict(
                "main", "app", migration.version, EXPAND, migration.kind, "f", migration.checksum, (finding,)
            )
            await database.apply(migration, "d1", RELEASE, verdict)
    first, second = await site.ledger("0001_a"), await site.ledger("0002_b")
    hashes = [first["hash_before"], first["hash_after"], second["hash_before"], second["hash_after"]]
    assert hashes[0] != hashes[1] == hashes[2] != hashes[3] != ""
    kept = json.loads(first["rehearsal"])
    assert (kept["version"], kept["findings"][0]["object"], kept["findings"][0]["gate"]) == (
        "0001_a",
        "public.a",
        "warn",
    )
    assert (await database.schema()).drift is None
    await site.execute("ALTER TABLE a ADD by_hand int")
    drift = (await database.schema()).drift
    assert drift is not None
    assert drift.since == "app/0002_b.expand"


@pytest.mark.parametrize("state", ["done", "running"])
async def test_what_a_killed_daemon_changed_is_not_taken_for_drift(site: Site, state: str) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await site.apply()
    site.write("0002_b.expand.sql", "-- bluegreen: no-transaction\nALTER TABLE a ADD b int")
    await site.apply()
    # Killed before it looked at what it had done: the stamp is that of the first file.
    await site.execute(
        "UPDATE bluegreen.catalogue SET after = 'app/0001_a.expand', things = '{}', taken_at = now() - interval '1 h';"
        f"UPDATE bluegreen.migration SET hash_after = '', state = '{state}' WHERE version = '0002_b'"
    )
    assert (await site.database().schema()).drift is None
    await site.execute("UPDATE bluegreen.migration SET hash_after = 'x'")
    assert (await site.database().schema()).drift is not None
