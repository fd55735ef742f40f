"""Backfills on a real Postgres: no row missed or repeated, whatever the key, whoever writes, however it is stopped."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bluegreen.adapters.migrations import backfill_questions
from bluegreen.domain.backfills import BackfillState
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.migrations.fills import EVERY_ROW_ONCE, FILE, UPDATE, USERS, Ear, due, fill, meanwhile, users
from tests.adapters.sites import RELEASE, Site, until_true

pytestmark = pytest.mark.real
ROWS = 3_000
OURS = "FROM pg_stat_activity WHERE application_name LIKE 'bluegreen app/%' AND datname = current_database()"


@pytest.fixture(params=["site", "site18"])
def either(request: pytest.FixtureRequest) -> Site:
    """On both versions of Postgres."""
    site: Site = request.getfixturevalue(request.param)
    return site


async def test_every_row_is_filled_once_and_the_ledger_says_so(either: Site) -> None:
    await users(either, ROWS)
    ear = Ear()
    done = await fill(either, ear)
    assert (done.state, done.rows_done, done.rows_total, done.table) == (BackfillState.DONE, ROWS, ROWS, "users")
    assert await either.value(EVERY_ROW_ONCE) == 0
    assert ear.heard[1].rows_done == 500, "it begins gently"
    assert (await either.ledger("0001_display"))["state"] == "done"
    assert (await either.ledger("0001_display"))["mode"] == "batches"
    (kept,) = await either.database().backfills()
    assert (kept.state, kept.rows_done, kept.deployment) == (BackfillState.DONE, ROWS, "d1")
    assert await either.database().pending(MigrationPhase.BACKFILL, RELEASE) == ()
    assert await either.database().unfilled() == ()


KEYS = {
    "uuid": ("id uuid PRIMARY KEY DEFAULT gen_random_uuid()", "", ""),
    "text in the database's collation": ("id text PRIMARY KEY", "id", "'Ünï-' || md5(g::text)"),
    "text in a collation of its own": ('id text COLLATE "C" PRIMARY KEY', "id", "chr(65 + g % 60) || md5(g::text)"),
    "composite, of an index's own order": (
        'tenant int, "At" timestamptz, id smallint, PRIMARY KEY ("At", tenant, id)',
        'tenant, "At", id',
        "g % 7, timestamptz '1887-01-01 00:00:00+00' + (g / 14) * interval '17.000001 days', g % 14 / 7",
    ),
    "numeric": ("id numeric PRIMARY KEY", "id", "g * 12345678901234567890.123456789"),
    "double precision": ("id float8 PRIMARY KEY", "id", "g / 3.0::float8"),
    "bytea": ("id bytea PRIMARY KEY", "id", "decode(md5(g::text), 'hex')"),
    "char(n)": ("id char(40) PRIMARY KEY", "id", "md5(g::text)"),
    "date": ("id date PRIMARY KEY", "id", "date '0044-03-15 BC' + g"),
    "a domain": ("id key PRIMARY KEY", "id", "g"),
    "array": ("id int[] PRIMARY KEY", "id", "ARRAY[g % 3, g]"),
    "an enum and a boolean": (
        "id size, b bool, i int, PRIMARY KEY (id, b, i)",
        "id, b, i",
        "(enum_range(NULL::size))[1 + g % 3], g % 2 = 0, g",
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
async def test_it_goes_along_any_key(site: Site, key: str) -> None:
    columns, names, values = KEYS[key]
    await site.execute("CREATE DOMAIN key AS bigint CHECK (value > 0); CREATE TYPE size AS ENUM ('s', 'l', 'm')")
    await site.execute(f"CREATE TABLE users ({columns}, name text, display text, n int NOT NULL DEFAULT 0)")
    into, chosen = (f"{names}, name", f"{values}, 'n' || g") if names else ("name", "'n' || g")
    await site.execute(f"INSERT INTO users ({into}) SELECT {chosen} FROM generate_series(1, {ROWS}) AS g")
    site.write(FILE, "UPDATE users SET display = upper(name), n = n + 1 WHERE display IS NULL")
    ear = Ear(after=2)
    assert (await fill(site, ear)).state is BackfillState.PAUSED
    done = await fill(site)
    assert (done.state, done.rows_done) == (BackfillState.DONE, ROWS)
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_quoted_names_an_alias_and_a_joined_table(either: Site) -> None:
    await either.execute(
        'CREATE SCHEMA "My Schema";'
        'CREATE TABLE "My Schema"."Ünï ""ts" ("I d" int, "select" int UNIQUE NOT NULL, b int);'
        "CREATE TABLE other (i int, b int);"
        'INSERT INTO "My Schema"."Ünï ""ts" SELECT g % 5, g FROM generate_series(1, 1500) AS g;'
        "INSERT INTO other SELECT g, g * 2 FROM generate_series(1, 1000) AS g"
    )
    either.write(
        FILE,
        "-- bluegreen: backfill key=select\nWITH x AS (SELECT * FROM other)\n"
        'UPDATE "My Schema"."Ünï ""ts" AS u SET b = x.b FROM x WHERE u.b IS NULL AND x.i = u."select"',
    )
    done = await fill(either)
    assert (done.state, done.rows_done, done.table) == (BackfillState.DONE, 1000, 'My Schema.Ünï "ts')
    wrong = 'b IS DISTINCT FROM CASE WHEN "select" <= 1000 THEN "select" * 2 END'
    assert await either.value(f'SELECT count(*) FROM "My Schema"."Ünï ""ts" WHERE {wrong}') == 0


async def test_a_delete_and_a_partitioned_table(either: Site) -> None:
    await either.execute(
        "CREATE TABLE visits (id int, at date, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);"
        "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
        "CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM ('2021-01-01') TO ('2026-01-01');"
        "INSERT INTO visits SELECT g, date '2020-01-01' + g % 700 FROM generate_series(1, 2000) AS g"
    )
    either.write(FILE, "DELETE FROM visits WHERE at < '2021-06-01'")
    before = await either.value("SELECT count(*) FROM visits WHERE at < '2021-06-01'")
    assert (await fill(either)).rows_done == before
    assert await either.value("SELECT count(*) FILTER (WHERE at < '2021-06-01') FROM visits") == 0


@pytest.mark.parametrize(
    ("table", "header", "update", "reason"),
    [
        ("id int", "", "n = 1", r"users has no primary key: .*ADD PRIMARY KEY USING INDEX"),
        ("id int UNIQUE", "-- bluegreen: backfill key=id\n", "n = 1", "no unique index on exactly id, all NOT NULL"),
        ("id int PRIMARY KEY, j int", "-- bluegreen: backfill key=j\n", "n = 1", "no unique index on exactly j"),
        ("id int PRIMARY KEY", "", "id = id + 1, n = 1", "it sets id, of the key it goes along"),
    ],
)
async def test_without_a_key_to_go_along_nothing_is_changed_and_the_remedy_is_named(
    site: Site, table: str, header: str, update: str, reason: str
) -> None:
    await site.execute(f"CREATE TABLE users ({table}, n int); INSERT INTO users (id) VALUES (1)")
    site.write(FILE, f"{header}UPDATE users SET {update} WHERE n IS NULL")
    with pytest.raises(MigrationFailed, match=reason):
        await fill(site)
    assert await site.value("SELECT n FROM users") is None


async def test_without_the_lock_it_is_refused(site: Site) -> None:
    await users(site, 1)
    database = site.database()
    with pytest.raises(MigrationFailed, match="lock is not held"):
        await database.backfill(await due(database), "d1", RELEASE, str, Ear())


async def test_a_table_that_is_not_there_and_a_column_that_is_not_there_are_named_with_the_line(site: Site) -> None:
    site.write(FILE, "\n\nUPDATE users SET display = 'x' WHERE display IS NULL")
    with pytest.raises(MigrationFailed, match=r"0001_display\.backfill\.sql:3: there is no table users"):
        await fill(site)
    await site.execute("CREATE TABLE users (id int PRIMARY KEY)")
    with pytest.raises(MigrationFailed, match=r'backfill\.sql.*column "display" .*does not exist'):
        await fill(site)
    (kept,) = await site.database().backfills()
    assert (kept.state, "display" in kept.error) == (BackfillState.FAILED, True)


async def test_a_where_that_goes_on_finding_what_was_changed_is_refused_and_a_corrected_file_runs(site: Site) -> None:
    await site.execute(f"{USERS}; ALTER TABLE users ALTER name DROP NOT NULL")
    await site.execute("INSERT INTO users SELECT g, nullif('n' || g, 'n700') FROM generate_series(1, 1000) AS g")
    site.write(FILE, UPDATE)
    with pytest.raises(MigrationFailed, match="its WHERE still finds 1 after they were changed"):
        await fill(site)
    assert await site.value("SELECT count(*) FROM users WHERE n > 0") == 500, "the batch before it stays"
    site.write(FILE, f"{UPDATE} AND name IS NOT NULL")
    assert (await fill(site)).state is BackfillState.DONE
    assert await site.value("SELECT count(*) FROM users WHERE n = 1") == 999


async def test_rows_that_a_trigger_keeps_as_they_are_are_found_out(site: Site) -> None:
    await users(site, 10)
    await site.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.id = 7) EXECUTE FUNCTION no()"
    )
    with pytest.raises(MigrationFailed, match=r"in 3 passes its WHERE finds rows that the statement does not change"):
        await fill(site)
    assert await site.value("SELECT count(*) FROM users WHERE n = 1") == 9


async def _one_after_the_other(connection: Any, statement: str, lock: asyncio.Lock) -> None:
    async with lock:
        await connection.execute(statement)


async def test_a_policy_that_hides_rows_is_an_error_and_no_end(site: Site) -> None:
    role, name = f"filler_{uuid4().hex[:8]}", await site.value("SELECT current_database()")
    await users(site, 10)
    await site.execute(
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role};"
        f"GRANT SELECT, UPDATE ON users TO {role}; ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY half ON users TO {role} USING (id < 6)"
    )
    try:
        with pytest.raises(MigrationFailed, match="row-level security policy"):
            await fill(Site(site.dsn.replace("postgres@", f"{role}@"), site.home, site.bin_dir))
    finally:
        await site.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


async def test_rows_written_behind_the_cursor_are_found_by_another_pass(site: Site) -> None:
    await users(site, ROWS)
    old = await site.connect()
    late: list[int] = []
    try:
        async with asyncio.TaskGroup() as group:

            def write(_: object) -> None:
                if len(late) < 3:
                    late.append(-len(late) - 1)
                    insert = f"INSERT INTO users VALUES ({late[-1]}, 'late')"
                    writes.append(group.create_task(_one_after_the_other(old, insert, lock), name=insert))

            writes: list[asyncio.Task[None]] = []
            lock = asyncio.Lock()
            done = await fill(site, Ear(on_batch=write))
    finally:
        await old.close()
    assert (done.state, done.passes > 1, done.rows_done) == (BackfillState.DONE, True, ROWS + 3)
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_rows_that_come_without_end_are_said_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_questions, "PASSES", 3)
    await users(site, 1)
    await site.execute(
        "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        " INSERT INTO users VALUES (NEW.id - 1, ''x''); RETURN NULL; END';"
        "CREATE TRIGGER more AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION more()"
    )
    with pytest.raises(MigrationFailed, match="after 3 passes its WHERE still finds rows"):
        await fill(site)


async def test_beside_writers_no_row_is_missed_or_repeated(either: Site) -> None:
    await users(either, 20_000)
    over = asyncio.Event()

    async def write(number: int) -> int:
        """The old version: it inserts, changes and deletes as it always did."""
        connection, written = await either.connect(), 0
        try:
            while not over.is_set():
                written += 1
                id = 1_000_000 * number + written
                await connection.execute("INSERT INTO users (id, name) VALUES ($1, 'new')", id)
                await connection.execute("UPDATE users SET name = name WHERE id = $1", (written * 37) % 20_000)
                await connection.execute("DELETE FROM users WHERE id = $1", 20_000 - written)
        finally:
            await connection.close()
        return written

    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(write(number), name=f"writer {number}") for number in (-1, 1)]
        await until_true(either, "SELECT count(*) > 0 FROM users WHERE id < 0")
        first = await fill(either, Ear(after=4))
        over.set()
    assert first.state is BackfillState.PAUSED
    assert sum(writer.result() for writer in writers) > 10
    assert (await fill(either)).state is BackfillState.DONE
    assert await either.value(EVERY_ROW_ONCE) == 0


@pytest.mark.parametrize("wanted", [BackfillState.PAUSED, BackfillState.CANCELLED])
async def test_stopped_by_a_person_it_says_so_holds_nothing_and_goes_on_from_there(
    site: Site, wanted: BackfillState
) -> None:
    await users(site, ROWS)
    stopped = await fill(site, Ear(after=2, wanted=wanted))
    assert (stopped.state, 0 < stopped.rows_done < ROWS) == (wanted, True)
    (kept,) = await site.database().backfills()
    assert (kept.state, kept.rows_done) == (wanted, stopped.rows_done)
    assert (await site.ledger("0001_display"))["state"] == "interrupted"
    async with site.database().locked():
        assert await site.value(f"SELECT count(*) {OURS}") == 0
    ear = Ear()
    assert (await fill(site, ear, deployment="d2")).rows_done == ROWS
    assert ear.heard[0].rows_done == stopped.rows_done
    assert ear.heard[1].rows_done > stopped.rows_done, "the first batch begins where the last one ended"
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_a_paused_one_can_be_cancelled(site: Site) -> None:
    await users(site, ROWS)
    await fill(site, Ear(after=1))
    await site.database().cancel_backfill("app", "0001_display")
    (kept,) = await site.database().backfills()
    assert kept.state is BackfillState.CANCELLED


async def test_a_daemon_that_ends_leaves_it_interrupted_between_two_batches(site: Site) -> None:
    await users(site, ROWS)
    begun = asyncio.Event()
    ear = Ear(on_batch=lambda progress: begun.set() if progress.rows_done else None)
    async with meanwhile(fill(site, ear)) as task:
        await begun.wait()
        task.cancel()
    assert task.cancelled()
    (kept,) = await site.database().backfills()
    assert kept.state is BackfillState.INTERRUPTED
    assert await site.value("SELECT count(*) FROM users WHERE n = 1") == kept.rows_done
    assert (await fill(site)).rows_done == ROWS
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_a_connection_that_breaks_is_replaced_and_counts_nothing_twice(site: Site) -> None:
    await users(site, ROWS)
    breaking = f"SELECT pg_terminate_backend(pid) {OURS}"
    breaks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:

        def cut(progress: object) -> None:
            if len(ear.heard) in (2, 4):
                breaks.append(group.create_task(site.execute(breaking), name="cut"))

        ear = Ear(on_batch=cut)
        done = await fill(site, ear)
    assert (len(breaks), done.state, done.rows_done) == (2, BackfillState.DONE, ROWS)
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_a_lost_migration_lock_ends_it(site: Site) -> None:
    await users(site, 200_000)
    broken = asyncio.Event()

    async def break_it() -> None:
        await broken.wait()
        await site.break_the_lock()

    async with meanwhile(break_it()):
        with pytest.raises(MigrationFailed, match="lock was lost"):
            await fill(site, Ear(on_batch=lambda _: broken.set()))


async def test_done_before_and_rows_again_it_runs_again_while_its_contract_waits(site: Site) -> None:
    await users(site, 100)
    await fill(site)
    await site.execute("INSERT INTO users VALUES (101, 'old version')")
    assert await site.database().unfilled() == (), "nobody waits for it"
    site.write("0001_display.contract.sql", "ALTER TABLE users ALTER display SET NOT NULL")
    assert (await fill(site, deployment="d2")).rows_done == 101
    assert await site.value(EVERY_ROW_ONCE) == 0
    assert await site.database().unfilled() == ()


async def test_a_file_that_changed_after_it_was_done_is_refused(site: Site) -> None:
    await users(site, 10)
    migration = await due(site.database())
    await fill(site)
    path = site.write(FILE, f"{UPDATE} AND true")
    assert isinstance(path, Path)
    with pytest.raises(MigrationFailed, match="was changed"):
        await fill(site, migration=migration)
    with pytest.raises(MigrationFailed, match="was changed"):
        await site.database().pending(MigrationPhase.BACKFILL, RELEASE)


@pytest.mark.parametrize(
    ("table", "update", "reason"),
    [
        ("id int", "n = 1 WHERE n IS NULL", "users has no primary key"),
        ("id int PRIMARY KEY", "id = id + 1, n = 1 WHERE n IS NULL", "it sets id, of the key"),
        ("id int PRIMARY KEY", "n = 1 WHERE n IS NULL", ""),
    ],
)
async def test_its_rehearsal_finds_out_whether_it_could_be_run_in_batches(
    site: Site, table: str, update: str, reason: str
) -> None:
    await site.execute(f"CREATE TABLE users ({table}, n int); INSERT INTO users (id) VALUES (1)")
    site.write(FILE, f"UPDATE users SET {update}")
    rehearsal = await site.database().rehearse(RELEASE, (MigrationPhase.BACKFILL,), "d1")
    (verdict,) = rehearsal.files
    assert (reason == "") is (verdict.gate is not Gate.REFUSE), verdict
    assert reason in " ".join(finding.message for finding in verdict.findings)
    assert await site.value("SELECT n FROM users") is None
