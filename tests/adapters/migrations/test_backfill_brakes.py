"""What slows a backfill down, and what stands in its way, on a real Postgres."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from bluegreen.adapters.migrations import backfill, backfill_brakes
from bluegreen.domain import pacing
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase
from tests.adapters.migrations.fills import EVERY_ROW_ONCE, Ear, fill, meanwhile, users
from tests.adapters.sites import RELEASE, Site, until_true

pytestmark = pytest.mark.real

FILLING = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'bluegreen app/%' AND query LIKE '%UPDATE%'"
)
SLOW_ROW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END';"
    "CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.id = {id}) EXECUTE FUNCTION slow()"
)


async def test_users_who_are_hurt_slow_it_down_and_the_reason_is_shown(site: Site) -> None:
    await users(site, 2_000)
    ear = Ear(after=3)
    await fill(site, ear, brake=lambda: "web takes 80 ms, 4 ms before")
    assert ear.brakes == ["web takes 80 ms, 4 ms before"] * 3
    assert [progress.batch for progress in ear.heard[:4]] == [500, 250, 125, 100]


async def test_whoever_waits_for_a_row_of_ours_slows_it_down(site: Site) -> None:
    await users(site, 1_000)
    await site.execute(SLOW_ROW.format(seconds=1, id=400))
    ear = Ear()
    async with asyncio.TaskGroup() as group:
        filling = group.create_task(fill(site, ear), name="filling")
        await until_true(site, FILLING)
        await site.execute("SET application_name = 'login'; UPDATE users SET name = name WHERE id = 1")
    assert filling.result().state is BackfillState.DONE
    assert any("(login) has waited" in brake for brake in ear.brakes), ear.brakes


async def test_whoever_holds_a_row_is_waited_for_in_short_tries_and_named(site: Site) -> None:
    await users(site, 1_500)
    site.gently(lock_timeout=0.1)
    holder = await site.connect()
    seen = asyncio.Event()

    async def let_go() -> None:
        await seen.wait()
        await holder.execute("ROLLBACK")

    ear = Ear(on_batch=lambda progress: seen.set() if progress.brake else None)
    try:
        await holder.execute("SET application_name = 'report'; BEGIN; SELECT FROM users WHERE id = 700 FOR UPDATE")
        async with meanwhile(let_go()):
            done = await fill(site, ear)
    finally:
        await holder.close()
    assert done.state is BackfillState.DONE
    assert "lock timeout" in ear.brakes[0]
    assert "(report), idle in transaction" in ear.brakes[0]
    assert await site.value(EVERY_ROW_ONCE) == 0


async def test_whoever_never_lets_go_is_named_when_the_budget_is_spent_and_what_was_done_stays(site: Site) -> None:
    await users(site, 1_500)
    site.gently(lock_timeout=0.05, lock_budget=0.3)
    holder = await site.connect()
    try:
        await holder.execute("SET application_name = 'report'; BEGIN; SELECT FROM users WHERE id = 700 FOR UPDATE")
        with pytest.raises(MigrationFailed, match=r"for 0\.3 s no batch could be done .*\(report\)"):
            await fill(site)
    finally:
        await holder.close()
    (kept,) = await site.database().backfills()
    assert (kept.state, kept.rows_done) == (BackfillState.FAILED, 500)
    assert (await fill(site)).rows_done == 1_500


async def test_batches_that_always_take_too_long_are_said_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "BATCH_TIMEOUT", 0.15)
    await users(site, 600)
    await site.execute(SLOW_ROW.format(seconds=60, id=50))
    with pytest.raises(MigrationFailed, match=r"100 rows take longer than [\d.]+ s: look at the plan"):
        await fill(site)
    assert await site.value("SELECT max(n) FROM users") == 0


async def test_dead_rows_slow_it_down(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "DEAD_ROWS", 100)
    await users(site, 1_000)
    await site.execute("ALTER TABLE users SET (autovacuum_enabled = off); UPDATE users SET name = name || '!'")
    await site.execute("UPDATE users SET name = name || '?'")
    await until_true(site, "SELECT n_dead_tup > 1500 FROM pg_stat_user_tables WHERE relname = 'users'")
    ear = Ear(after=1)
    await fill(site, ear)
    assert "of the table are dead rows" in ear.brakes[0]


async def test_a_read_of_one_row_is_its_canary(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "SLOW_FACTOR", 0.0)
    monkeypatch.setattr(pacing, "SLOW_MARGIN", -60.0)
    monkeypatch.setattr(backfill_brakes, "LOOK_EVERY", 0.001)
    await users(site, 20_000)

    def enough(progress: Progress) -> None:
        ear.after = 0 if progress.brake else None

    ear = Ear(on_batch=enough)
    await fill(site, ear)
    assert "a read of one row by its key takes" in ear.brakes[0]


async def test_an_ordinary_role_fills_and_says_what_it_cannot_see(site: Site) -> None:
    role = f"filler_{uuid4().hex[:8]}"
    name = await site.value("SELECT current_database()")
    await users(site, 1_000)
    await site.execute(
        f"CREATE ROLE {role} LOGIN; ALTER TABLE users OWNER TO {role}; GRANT CREATE ON DATABASE {name} TO {role}"
    )
    receiving = await asyncio.create_subprocess_exec(
        *(str(site.bin_dir / "pg_receivewal"), "-D", str(site.home), "-d", site.dsn, "--no-password"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until_true(site, "SELECT count(*) > 0 FROM pg_stat_replication")
        theirs = replace_role(site, role)
        done = await fill(theirs)
        assert done.state is BackfillState.DONE
        assert done.unseen == (backfill_brakes.NO_RIGHT,)
    finally:
        receiving.kill()
        await receiving.wait()
        await site.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def replace_role(site: Site, role: str) -> Site:
    """The same database and files for another role."""
    other = Site(site.dsn.replace("postgres@", f"{role}@"), site.home, site.bin_dir)
    other.source = replace(site.source)
    return other


CONTRACT = "0001_display.contract.sql"


async def _contract(site: Site) -> None:
    await site.apply(phase=MigrationPhase.CONTRACT)


@pytest.mark.parametrize("header", ["", "-- bluegreen: no-transaction\n"])
async def test_a_contract_waits_until_its_backfill_finds_no_row(site: Site, header: str) -> None:
    await users(site, 100)
    site.write(CONTRACT, f"{header}ALTER TABLE users DROP COLUMN name")
    with pytest.raises(MigrationFailed, match=r"app/0001_display\.backfill: its WHERE still finds rows") as refused:
        await _contract(site)
    assert refused.value.next == ("bluegreen migrate backfill app/0001_display.backfill",)
    assert await site.value("SELECT count(name) FROM users") == 100
    await fill(site)
    await site.execute("INSERT INTO users VALUES (101, 'old version')")
    with pytest.raises(MigrationFailed, match="still finds rows"):
        await _contract(site)
    await fill(site)
    await _contract(site)
    assert (await site.ledger("0001_display")) is not None
    assert await site.database().pending(MigrationPhase.CONTRACT, RELEASE) == ()


async def test_while_a_contract_runs_nobody_writes_rows_in_the_old_shape(site: Site) -> None:
    await users(site, 10)
    await fill(site)
    site.write(CONTRACT, "SELECT pg_sleep(0.6); ALTER TABLE users ALTER display SET NOT NULL")
    old = await site.connect()
    try:
        async with asyncio.TaskGroup() as group:
            contract = group.create_task(_contract(site), name="contract")
            await until_true(site, "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND granted")
            assert await site.value("SELECT count(*) FROM users") == 10, "who reads goes on"
            late = group.create_task(_write_late(old), name="late")
        assert contract.done()
        assert late.result() == "23502", "it waited, and then the contract held"
    finally:
        await old.close()


async def test_a_contract_gives_way_to_a_writer_and_waits_for_its_lock_like_any_other(site: Site) -> None:
    await users(site, 10)
    await fill(site)
    site.gently(lock_timeout=0.05, lock_budget=0.5)
    site.write(CONTRACT, "ALTER TABLE users ALTER display SET NOT NULL")
    old = await site.connect()
    try:
        await old.execute("BEGIN; UPDATE users SET name = name WHERE id = 1")
        with pytest.raises(MigrationFailed, match=r"lock.*In the way: .*idle in transaction"):
            await _contract(site)
    finally:
        await old.close()
    await _contract(site)


async def _write_late(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
    try:
        await connection.execute("INSERT INTO users (id, name) VALUES (99, 'late')")
    except asyncpg.PostgresError as exc:
        return str(exc.sqlstate)
    return ""
