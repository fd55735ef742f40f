"""A rehearsal runs what is pending on a copy, says what it saw and what it could not, and leaves nothing behind."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import RehearsalFailed
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.rehearsal.stages import PHASES, kinds, leftovers, owned, rehearse
from tests.adapters.sites import RELEASE, Site, until_true
from tests.debian_postgres import DebianPostgres, debian_postgres
from tests.real_parts import execute

SCHEMA = """
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, age text);
CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, by bigint NOT NULL REFERENCES users);
INSERT INTO users (email, age) VALUES ('a@b', '41'), ('c@d', '42');
INSERT INTO posts (by) SELECT id FROM users;
"""

ADD = "ALTER TABLE users ADD COLUMN name text;"


@pytest.fixture(scope="module")
def debian() -> Iterator[DebianPostgres]:
    with debian_postgres() as server:
        yield server


async def test_what_adds_is_allowed_and_what_drops_is_refused(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_name.expand.sql", ADD)
    site.write("0002_gone.expand.sql", "ALTER TABLE users ADD COLUMN x int;\nALTER TABLE users DROP COLUMN age;")
    said = await rehearse(site)
    added, dropped = said.files
    assert (added.gate, dropped.gate, said.gate) == (Gate.ALLOW, Gate.REFUSE, Gate.REFUSE)
    (finding,) = [finding for finding in dropped.findings if finding.gate is Gate.REFUSE]
    assert (finding.kind, finding.line, finding.object) == ("column-dropped", 2, "public.users.age")
    assert (said.copied, said.seconds > 0) == ("schema", True)


async def test_each_migration_is_judged_on_what_the_ones_before_it_made(site18: Site) -> None:
    await site18.execute(SCHEMA)
    site18.write("0001_tags.expand.sql", "CREATE TABLE tags (id int, word text);")
    site18.write("0002_word.expand.sql", "ALTER TABLE tags DROP COLUMN word;")
    _, second = (await rehearse(site18)).files
    assert kinds(second) == {"column-dropped"}  # by then 0001 may have been in use for a while


async def test_nothing_pending_makes_no_copy(site: Site) -> None:
    said = await rehearse(site)
    assert (said.files, said.copied) == ((), "")


async def test_after_a_failure_the_rest_of_its_source_is_not_tried_and_says_so(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_wrong.expand.sql", "SELECT 1;\nSELECT nothing_of_this_name();")
    site.write("0002_name.expand.sql", ADD)
    said = await rehearse(site)
    wrong, later = said.files
    (error,) = [finding for finding in wrong.findings if finding.kind == "error"]
    assert (error.gate, error.line, "42883" in error.message) == (Gate.REFUSE, 2, True)
    assert ("not-rehearsed" in kinds(later), later.gate) == (True, Gate.WARN)
    assert any("app/0002_name.expand" in text and "not tried" in text for text in said.not_seen)


async def test_what_is_done_half_without_a_transaction_is_told(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write(
        "0001_half.expand.sql",
        "-- bluegreen: no-transaction\nCREATE INDEX CONCURRENTLY users_age ON users (age);\nSELECT 1 / (SELECT 0);",
    )
    (half,) = (await rehearse(site)).files
    assert "half-done" in kinds(half)


async def test_concurrently_works_on_the_copy(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write(
        "0001_index.expand.sql", "-- bluegreen: no-transaction\nCREATE INDEX CONCURRENTLY users_age ON users (age);"
    )
    (index,) = (await rehearse(site)).files
    assert index.gate is Gate.ALLOW


async def test_a_statement_that_reaches_beyond_its_database_is_not_run(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_role.expand.sql", "ALTER TABLE users ADD COLUMN y int; CREATE ROLE intruder;")
    (role,) = (await rehearse(site)).files
    assert "cluster-statement" in kinds(role)
    assert not await site.value("SELECT count(*) FROM pg_roles WHERE rolname = 'intruder'")


ABOUT_ROWS = {
    "a check that our row may break": "ALTER TABLE users ADD CONSTRAINT grown CHECK (age::int > 40);",
    "the same without a transaction": (
        "-- bluegreen: no-transaction\nALTER TABLE users ADD CONSTRAINT grown CHECK (age::int > 40);"
    ),
}


@pytest.mark.parametrize("sql", ABOUT_ROWS.values(), ids=ABOUT_ROWS)
async def test_an_error_on_a_row_of_ours_is_no_error_of_the_migration(site: Site, sql: str) -> None:
    await site.execute(SCHEMA)
    site.write("0001_grown.contract.sql", sql)
    (file,) = (await rehearse(site, phases=(MigrationPhase.CONTRACT,))).files
    assert "error" not in kinds(file)


async def test_files_that_are_given_are_rehearsed_instead_of_the_directory(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_name.expand.sql", ADD)
    await site.apply()
    given = {"0001_name.expand.sql": ADD, "0002_age.expand.sql": "ALTER TABLE users DROP COLUMN age;"}
    (file,) = (await rehearse(site, files=given)).files
    assert (file.version, kinds(file)) == ("0002_age", {"column-dropped"})


async def test_a_contract_may_drop_what_an_expand_may_not(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_age.contract.sql", "ALTER TABLE users DROP COLUMN age;")
    (file,) = (await rehearse(site, phases=(MigrationPhase.CONTRACT,))).files
    assert file.gate is not Gate.REFUSE


async def test_sessions_on_the_copy_find_things_as_on_production(site: Site) -> None:
    name = site.dsn.rpartition("/")[2]
    await site.execute("CREATE SCHEMA app; CREATE TABLE app.mine (id int)")
    await site.execute(f"ALTER DATABASE {name} SET search_path = app")
    site.write("0001_mine.expand.sql", "ALTER TABLE mine ADD COLUMN x int;")
    (file,) = (await rehearse(site)).files
    assert file.gate is Gate.ALLOW


async def test_an_ordinary_role_that_owns_the_database_can_rehearse(site: Site, postgres: EmbeddedPostgres) -> None:
    mine = await owned(site, postgres, "CREATEDB")
    await mine.execute("CREATE SCHEMA app;" + SCHEMA)
    mine.write("0001_name.expand.sql", ADD)
    said = await rehearse(mine)
    assert (said.gate, said.copied) == (Gate.ALLOW, "schema")


async def test_without_the_right_to_make_databases_only_the_text_is_read(
    site: Site, postgres: EmbeddedPostgres
) -> None:
    mine = await owned(site, postgres, "")
    await mine.execute(SCHEMA)
    mine.write("0001_name.expand.sql", ADD)
    mine.write("0002_role.expand.sql", "CREATE ROLE intruder;")
    said = await rehearse(mine)
    assert [file.gate for file in said.files] == [Gate.WARN, Gate.REFUSE]
    assert all("not-rehearsed" in kinds(file) for file in said.files)
    assert said.not_seen == ("no CREATEDB: nothing was run; only the text of the files was read",)


async def test_without_pg_dump_only_the_text_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.execute(SCHEMA)
    site.write("0001_name.expand.sql", ADD)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("bluegreen.adapters.postgres.clients.PACKAGED", ())
    site.rules = replace(site.rules, bin_dir=None)
    said = await rehearse(site)
    assert (said.gate, "not-rehearsed" in kinds(said.files[0])) == (Gate.WARN, True)
    assert "pg_dump" in said.not_seen[0]


async def test_a_rehearsal_that_takes_too_long_has_failed_and_is_gone(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_slow.expand.sql", "SELECT pg_sleep(100);")
    with pytest.raises(RehearsalFailed, match=r"\[rehearsal\] timeout"):
        await rehearse(site, timeout=3.0)


async def test_a_statement_that_takes_too_long_is_an_error(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_slow.expand.sql", "SELECT pg_sleep(100);")
    (slow,) = (await rehearse(site, statement_timeout=0.2)).files
    assert "error" in kinds(slow)


async def test_cancelled_it_is_gone(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_slow.expand.sql", "SELECT pg_sleep(100);")
    database = site.database(rehearsal=RehearsalRules())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(database.rehearse(RELEASE, PHASES, "test"), name="rehearsal")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)%'"
                         " AND application_name LIKE 'bluegreen rehearsal%'")  # fmt: skip
        running.cancel()
    assert running.cancelled()
    assert await leftovers(site) == []


async def test_a_backup_is_rehearsed_on_with_its_rows(site: Site) -> None:
    await site.execute(SCHEMA + "INSERT INTO users (email, age) VALUES ('e@f', 'forty');")
    backup = await site.database().back_up("d1", "1.0.0")
    site.write("0001_age.contract.sql", "ALTER TABLE users ALTER age TYPE integer USING age::integer;")
    contract = (MigrationPhase.CONTRACT,)
    said = await rehearse(site, phases=contract, backup=backup, copy="backup")
    (error,) = [finding for finding in said.files[0].findings if finding.kind == "error"]
    assert (said.copied, "forty" in error.message) == ("backup", True)
    small = await rehearse(site, phases=contract, backup=backup, copy="backup", max_size=10)
    assert small.copied == "schema"
    assert any("max_size" in text for text in small.not_seen)
    none = await rehearse(site, phases=contract, copy="backup")
    assert any("there is no backup" in text for text in none.not_seen)


async def test_a_query_of_the_running_version_that_fails_afterwards_is_found(site: Site, tmp_path: Path) -> None:
    await site.execute(SCHEMA)
    asked = tmp_path / "asked.sql"
    asked.write_text("SELECT age FROM users WHERE id = $1;")
    site.write("0001_age.contract.sql", "ALTER TABLE users RENAME COLUMN age TO years;")
    (file,) = (await rehearse(site, phases=(MigrationPhase.CONTRACT,), queries=asked)).files
    assert "query-broken" in kinds(file)


async def test_rights_are_copied(site: Site) -> None:
    await site.execute(SCHEMA + "GRANT SELECT ON users TO pg_monitor;")
    site.write(
        "0001_rights.expand.sql",
        "DO $$ BEGIN ASSERT has_table_privilege('pg_monitor', 'users', 'SELECT'); END $$;",
    )
    (file,) = (await rehearse(site)).files
    assert "error" not in kinds(file)


async def test_somebody_elses_change_meanwhile_is_told_and_nobody_is_blamed(site: Site) -> None:
    await site.execute(SCHEMA)
    site.write("0001_slow.expand.sql", "SELECT pg_sleep(1.5);")
    database = site.database(rehearsal=RehearsalRules())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(database.rehearse(RELEASE, PHASES, "test"), name="rehearsal")
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1.5)%'"
                         " AND application_name LIKE 'bluegreen rehearsal%'")  # fmt: skip
        await site.execute("CREATE TABLE meanwhile (id int)")
    (finding,) = [found for found in running.result().files[0].findings if found.kind == "production-changed"]
    assert finding.gate is Gate.REFUSE
    assert "table public.meanwhile is new" in finding.message
    assert "plain SQL cannot leave its copy" in finding.message


async def test_a_trigger_that_fails_only_when_it_runs_breaks_every_write(site: Site) -> None:
    body = "CREATE OR REPLACE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN new; END $$;"
    await site.execute(SCHEMA + body.format("new.age := 1;"))
    await site.execute("CREATE TRIGGER noted BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION noted()")
    site.write("0001_fine.expand.sql", body.format("new.age := 2;"))
    site.write("0002_wrong.expand.sql", body.format("new.years := 2;"))
    fine, wrong = (await rehearse(site)).files
    assert "query-broken" not in kinds(fine)
    (finding,) = [finding for finding in wrong.findings if finding.kind == "query-broken"]
    assert [said.query.split()[0] for said in finding.evidence] == ["UPDATE", "INSERT"]
    assert "years" in finding.evidence[0].message


async def test_a_new_column_that_must_be_filled_stops_an_insert_that_does_not_know_it(site: Site) -> None:
    await site.execute(SCHEMA + "CREATE FUNCTION yes(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';")
    await site.execute("ALTER TABLE users ADD CHECK (yes(email))")
    site.write(
        "0001_name.contract.sql",
        "ALTER TABLE users ADD name text;\nUPDATE users SET name = '';\nALTER TABLE users ALTER name SET NOT NULL;",
    )
    (file,) = (await rehearse(site, phases=(MigrationPhase.CONTRACT,))).files
    assert "query-broken" in kinds(file)


async def test_a_foreign_table_of_the_copy_reaches_nobody(debian: DebianPostgres, tmp_path: Path) -> None:
    """Its server is production itself here: rows that a migration, or a trigger, puts into it stay away."""
    name, port = f"test_{uuid4().hex[:12]}", debian.port
    await execute(debian.dsn(), f'CREATE DATABASE "{name}"')
    site = Site(debian.dsn(name), tmp_path, debian.bin_dir)
    await site.execute(
        "CREATE EXTENSION postgres_fdw; CREATE TABLE real (id int);"
        "CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw"
        f" OPTIONS (host '127.0.0.1', port '{port}', dbname '{name}');"
        "CREATE USER MAPPING FOR postgres SERVER there OPTIONS (user 'postgres');"
        "CREATE FOREIGN TABLE far (id int) SERVER there OPTIONS (table_name 'real');"
        "CREATE TABLE near (id int);"
        "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO far VALUES (new.id); RETURN new; END';"
        "CREATE TRIGGER passed BEFORE INSERT ON near FOR EACH ROW EXECUTE FUNCTION pass();"
    )
    site.write("0001_pass.expand.sql", "INSERT INTO near VALUES (7);")
    said = await rehearse(site)
    assert await site.value("SELECT count(*) FROM real") == 0
    assert "error" in kinds(said.files[0])
    assert any("writes were not tried" in text and "postgres_fdw" in text for text in said.not_seen)
    await execute(debian.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')
