"""How a schema stands, as the ledger, the files and the catalogue have it; and what repairs it. On a real Postgres."""

from time import perf_counter

import pytest

from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.queries import script
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase, MigrationState, SchemaState
from tests.adapters.sites import RELEASE, Site
from tests.real_parts import execute

APPLIED_THEN = """\
INSERT INTO bluegreen.migration (source, version, phase, checksum, mode, state, statements_total, statements_done,
    in_flight, deployment, release, started_at, finished_at, attempts, error, output, owner)
VALUES ('app', '0000_old', 'expand', 'abc', 'transaction', 'done', 1, 1, false, 'd-1', '1.0.0', now(), now(), 1,
    '', '', 'h:1');
"""
"""A row as a daemon of the ledger's version 1 wrote it."""
MADE = "CREATE TABLE a (id int PRIMARY KEY, name text);"


async def schema(site: Site) -> SchemaState:
    return await site.database().schema()


async def one(site: Site, label: str) -> MigrationState:
    (found,) = [state for state in (await schema(site)).migrations if state.label == label]
    return found


async def repair(site: Site, *, indexes: bool = False) -> tuple[str, ...]:
    database = site.database()
    async with database.locked():
        return await database.repair(indexes=indexes)


async def settle(site: Site, label: str, *, applied: bool) -> str:
    database = site.database()
    async with database.locked():
        return await database.settle(label, applied=applied, by="uid 0 (ann)")


async def test_a_file_that_was_only_reformatted_is_told_and_repaired(site: Site) -> None:
    path = site.write("0001_a.expand.sql", MADE)
    await site.apply()
    path.write_text("-- what it is for\nCREATE TABLE a (\n    id int PRIMARY KEY,\n    name text\n);\n")
    state = await one(site, "app/0001_a.expand")
    assert (state.changed, state.reformatted) == (True, True)
    (done,) = await repair(site)
    assert "app/0001_a.expand: the file was only reformatted" in done
    assert not (await one(site, "app/0001_a.expand")).changed
    assert await site.database().pending(MigrationPhase.EXPAND, RELEASE) == ()


async def test_a_file_that_says_something_else_is_never_taken_as_right(site: Site) -> None:
    path = site.write("0001_a.expand.sql", MADE)
    await site.apply()
    path.write_text(MADE.replace("name text", "name text DEFAULT 'other'"))
    state = await one(site, "app/0001_a.expand")
    assert (state.changed, state.reformatted) == (True, False)
    with pytest.raises(MigrationFailed, match="does not say what was applied"):
        await repair(site)


async def test_what_was_changed_past_us_is_named_and_can_be_taken_as_it_is(site: Site) -> None:
    site.write("0001_a.expand.sql", MADE)
    await site.apply()
    assert (await schema(site)).drift is None
    await execute(site.dsn, "ALTER TABLE a ADD COLUMN hotfix int; CREATE INDEX by_hand ON a (name)")
    drift = (await schema(site)).drift
    assert drift is not None
    assert drift.since == "app/0001_a.expand"
    assert drift.things == ("column public.a.hotfix is new", "index public.by_hand is new")
    assert await repair(site) == tuple(f"taken as it is: {thing}" for thing in drift.things)
    assert (await schema(site)).drift is None


async def test_partitions_come_and_go_without_anybody_changing_the_schema(site: Site) -> None:
    site.write("0001_p.expand.sql", "CREATE TABLE p (d date NOT NULL) PARTITION BY RANGE (d);")
    await site.apply()
    await execute(site.dsn, "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')")
    assert (await schema(site)).drift is None


async def test_a_missing_file_an_earlier_number_and_a_contract_that_must_wait_are_told(site: Site) -> None:
    gone = site.write("0001_a.expand.sql", MADE)
    site.write("0003_c.expand.sql", "CREATE TABLE c (id int)")
    await site.apply()
    gone.unlink()
    site.write("0002_b.expand.sql", "CREATE TABLE b (id int)")
    site.write("0002_b.contract.sql", "DROP TABLE a")
    found = {state.label: state for state in (await schema(site)).migrations}
    assert [label for label, state in found.items() if state.missing] == ["app/0001_a.expand"]
    assert [label for label, state in found.items() if state.out_of_order] == ["app/0002_b.expand"]
    assert {label: state.held for label, state in found.items() if state.held} == {
        "app/0002_b.contract": "its expand must be done first"
    }


async def test_an_invalid_index_is_told_and_built_again(site: Site) -> None:
    site.write("0001_a.expand.sql", MADE)
    await site.apply()
    await execute(site.dsn, "INSERT INTO a VALUES (1, 'x'), (2, 'x')")
    with pytest.raises(Exception, match="could not create unique index"):
        await execute(site.dsn, "CREATE UNIQUE INDEX CONCURRENTLY odd ON a (name)")
    assert (await schema(site)).invalid_indexes == ("public.odd",)
    with pytest.raises(MigrationFailed, match=r"public\.odd is INVALID and cannot be built again") as caught:
        await repair(site, indexes=True)
    assert caught.value.next == ("correct the rows that stand against it", "or: DROP INDEX CONCURRENTLY public.odd")
    await execute(site.dsn, "DELETE FROM a WHERE id = 2")
    assert "public.odd was INVALID and was built again" in await repair(site, indexes=True)
    assert (await schema(site)).invalid_indexes == ()
    indexes = "SELECT string_agg(indexname, ', ') FROM pg_indexes WHERE indexname LIKE 'odd%'"
    assert await site.value(indexes) == "odd", "nothing stays of the attempt that failed"


async def test_what_nobody_runs_any_more_was_interrupted(site: Site) -> None:
    site.write("0001_a.expand.sql", MADE)
    await site.apply()
    await execute(site.dsn, "UPDATE bluegreen.migration SET state = 'running'")
    assert (await one(site, "app/0001_a.expand")).state == "interrupted"
    async with site.database().locked():
        assert (await one(site, "app/0001_a.expand")).state == "running"
    (done,) = await repair(site)
    assert done == "app/0001_a.expand: it was cut off; the next deployment goes on with it"
    assert await site.value("SELECT state FROM bluegreen.migration") == "interrupted"


async def test_a_person_says_that_a_pending_migration_was_done_by_hand(site: Site) -> None:
    site.write("0001_a.expand.sql", MADE)
    assert await settle(site, "app/0001_a.expand", applied=True) == (
        "app/0001_a.expand: taken as applied, it will not run"
    )
    assert await site.apply() == ()
    assert (await one(site, "app/0001_a.expand")).state == "skipped"
    with pytest.raises(MigrationFailed, match="is skipped already: there is nothing to settle"):
        await settle(site, "app/0001_a.expand", applied=False)


@pytest.mark.parametrize(("applied", "runs"), [(True, 1), (False, 2)], ids=["applied", "not applied"])
async def test_a_person_says_how_a_statement_that_was_cut_off_stands(site: Site, applied: bool, runs: int) -> None:
    call = "-- bluegreen: no-transaction\nCALL work();"
    await execute(
        site.dsn,
        "CREATE TABLE done (n int);"
        "CREATE PROCEDURE work() LANGUAGE plpgsql AS 'BEGIN INSERT INTO done VALUES (1); COMMIT; END'",
    )
    site.write("0001_w.expand.sql", call)
    await site.apply()
    await execute(site.dsn, "UPDATE bluegreen.migration SET state = 'running', in_flight = true, statements_done = 0")
    await settle(site, "app/0001_w.expand", applied=applied)
    await site.apply()
    assert await site.value("SELECT count(*) FROM done") == runs


async def test_what_is_unknown_or_not_in_flight_cannot_be_settled(site: Site) -> None:
    site.write("0001_a.expand.sql", MADE)
    with pytest.raises(MigrationFailed, match="there is no migration app/0002_b"):
        await settle(site, "app/0002_b.expand", applied=True)
    with pytest.raises(MigrationFailed, match="is not in flight"):
        await settle(site, "app/0001_a.expand", applied=False)


async def test_a_ledger_of_version_1_is_read_and_brought_to_version_2(site: Site) -> None:
    await execute(site.dsn, f"CREATE SCHEMA bluegreen; {script(ledger.__package__, 'ledger_1.sql')} {APPLIED_THEN}")
    site.write("0001_a.expand.sql", MADE)
    assert (await one(site, "app/0000_old.expand")).state == "done"
    await site.apply()
    assert await site.value("SELECT version FROM bluegreen.meta") == 2
    assert (await one(site, "app/0001_a.expand")).state == "done"
    assert (await one(site, "app/0000_old.expand")).missing


async def test_a_thousand_migrations_are_told_at_once(site: Site) -> None:
    for number in range(1000):
        site.write(f"{number:04d}_t.expand.sql", f"CREATE TABLE IF NOT EXISTS t{number} (id bigint PRIMARY KEY);")
    database = site.database()
    migrations = await database.pending(MigrationPhase.EXPAND, RELEASE)
    await settle(site, migrations[0].label, applied=True)
    rows = [(m.source, m.version, m.checksum) for m in migrations[1:]]
    connection = await site.connect()
    await connection.executemany(
        "INSERT INTO bluegreen.migration (source, version, phase, checksum, mode, state, statements_total,"
        " statements_done, in_flight, deployment, release, started_at, finished_at, attempts, error, output, owner)"
        " VALUES ($1, $2, 'expand', $3, 'transaction', 'done', 1, 1, false, 'd', '1', now(), now(), 1, '', '', '')",
        rows,
    )
    await connection.close()
    began = perf_counter()
    found = await database.schema()
    seconds = perf_counter() - began
    began = perf_counter()
    found = await database.schema()
    print(seconds, perf_counter() - began)
    assert len(found.migrations) == 1000
    assert {state.state for state in found.migrations} == {"done", "skipped"}
    assert seconds < 5.0  # measured: see docs/benchmarks.md; a busy machine must not break it
