"""What every Database keeps of backfills, whether it is a Postgres or lies in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import DatabaseUnreachable, MigrationFailed
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.ports_database import Database
from tests.adapters.migrations.fills import Ear, meanwhile, users
from tests.adapters.sites import Site

RELEASE = Release("1.1.0")
BACKFILL, CONTRACT = MigrationPhase.BACKFILL, MigrationPhase.CONTRACT
ROWS = 2_500
PAUSED, CANCELLED, DONE = BackfillState.PAUSED, BackfillState.CANCELLED, BackfillState.DONE


@dataclass
class Bench:
    """A database with one backfill, and what the world around it does."""

    database: Database
    add_contract: Callable[[], None]
    come_again: Callable[[int], Awaitable[None]]
    break_it: Callable[[], None]
    unreachable: Callable[[], Database]


def _memory() -> Bench:
    database = MemoryDatabase(batch_seconds=0.001)
    database.add("0001_display", BACKFILL)
    database.rows["0001_display"] = ROWS

    async def come_again(rows: int) -> None:
        database.rows["0001_display"] = rows

    def add_contract() -> None:
        database.add("0001_display", CONTRACT)

    def break_it() -> None:
        database.failing["0001_display"] = "there is no table users"

    return Bench(database, add_contract, come_again, break_it, lambda: replace(database, unreachable=True))


async def _postgres(site: Site) -> Bench:
    await users(site, ROWS)

    async def come_again(rows: int) -> None:
        await site.execute(f"INSERT INTO users SELECT g, 'n' FROM generate_series({ROWS + 1}, {ROWS + rows}) AS g")

    def add_contract() -> None:
        site.write("0001_display.contract.sql", "ALTER TABLE users ALTER display SET NOT NULL")

    def break_it() -> None:
        site.write("0001_display.backfill.sql", "UPDATE nowhere SET a = 1 WHERE a IS NULL")

    def unreachable() -> Database:
        host = site.dsn.partition("@")[2].partition(":")[0]
        gone = Site(f"postgresql://postgres@{host}:1/app", site.home, site.bin_dir)
        return gone.database(connect_timeout=2.0)

    return Bench(site.database(), add_contract, come_again, break_it, unreachable)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("postgres 16", marks=pytest.mark.real),
        pytest.param("postgres 18", marks=pytest.mark.real),
    ]
)
def place(request: pytest.FixtureRequest) -> Site | None:
    """A real database; None in memory."""
    if request.param == "memory":
        return None
    site: Site = request.getfixturevalue("site" if request.param == "postgres 16" else "site18")
    return site


@pytest.fixture
async def bench(place: Site | None) -> Bench:
    return _memory() if place is None else await _postgres(place)


async def _fill(database: Database, ear: Ear, deployment: str = "d1") -> Progress:
    (migration,) = await database.unfilled()
    async with database.locked():
        return await database.backfill(migration, deployment, RELEASE, lambda: "", ear, ear.halt)


async def test_one_that_was_never_begun_is_due_and_stands_nowhere(bench: Bench) -> None:
    assert [m.label for m in await bench.database.unfilled()] == ["app/0001_display.backfill"]
    assert [m.label for m in await bench.database.pending(BACKFILL, RELEASE)] == ["app/0001_display.backfill"]
    assert await bench.database.backfills() == ()


async def test_it_runs_to_its_end_and_tells_how_far_it_is(bench: Bench) -> None:
    ear = Ear()
    done = await _fill(bench.database, ear)
    assert (done.label, done.state, done.rows_done, done.deployment) == ("app/0001_display.backfill", DONE, ROWS, "d1")
    told = [progress.rows_done for progress in ear.heard]
    assert told == sorted(told)
    assert {progress.rows_total for progress in ear.heard if progress.rows_done} == {ROWS}
    assert [(p.state, p.rows_done) for p in await bench.database.backfills()] == [(DONE, ROWS)]
    assert await bench.database.unfilled() == ()
    assert await bench.database.pending(BACKFILL, RELEASE) == ()


@pytest.mark.parametrize("wanted", [PAUSED, CANCELLED])
async def test_stopped_it_stays_due_and_goes_on_from_there(bench: Bench, wanted: BackfillState) -> None:
    stopped = await _fill(bench.database, Ear(after=1, wanted=wanted))
    assert stopped.state is wanted
    assert 0 < stopped.rows_done < ROWS
    assert [(p.state, p.rows_done) for p in await bench.database.backfills()] == [(wanted, stopped.rows_done)]
    assert len(await bench.database.unfilled()) == 1
    done = await _fill(bench.database, Ear(), "d2")
    assert (done.state, done.rows_done, done.deployment) == (DONE, ROWS, "d2")


async def test_a_paused_one_that_nobody_runs_can_be_cancelled_twice(bench: Bench) -> None:
    await _fill(bench.database, Ear(after=1))
    for _ in range(2):
        await bench.database.cancel_backfill("app", "0001_display")
        assert [p.state for p in await bench.database.backfills()] == [CANCELLED]


async def test_cut_off_it_is_interrupted_and_stays_due(bench: Bench) -> None:
    begun = asyncio.Event()
    ear = Ear(on_batch=lambda progress: begun.set() if progress.rows_done else None)
    async with meanwhile(_fill(bench.database, ear)) as task:
        await begun.wait()
        task.cancel()
    assert task.cancelled()
    assert [p.state for p in await bench.database.backfills()] == [BackfillState.INTERRUPTED]
    assert (await _fill(bench.database, Ear())).rows_done == ROWS


async def test_a_failure_is_raised_and_written_down(bench: Bench) -> None:
    await _fill(bench.database, Ear(after=1))
    bench.break_it()
    with pytest.raises(MigrationFailed, match="there is no table"):
        await _fill(bench.database, Ear())


async def test_without_the_lock_it_is_refused(bench: Bench) -> None:
    (migration,) = await bench.database.unfilled()
    with pytest.raises(MigrationFailed, match="lock is not held"):
        await bench.database.backfill(migration, "d1", RELEASE, lambda: "", Ear())


async def test_done_it_is_due_again_only_where_rows_came_and_its_contract_waits(bench: Bench) -> None:
    await _fill(bench.database, Ear())
    await bench.come_again(7)
    assert await bench.database.unfilled() == ()
    bench.add_contract()
    assert [m.label for m in await bench.database.unfilled()] == ["app/0001_display.backfill"]
    assert (await _fill(bench.database, Ear())).rows_done == ROWS + 7
    assert await bench.database.unfilled() == ()


async def test_a_migration_of_another_phase_is_no_backfill(bench: Bench) -> None:
    bench.add_contract()
    found: tuple[Migration, ...] = await bench.database.unfilled()
    assert {migration.phase for migration in found} == {BACKFILL}


async def test_an_unreachable_database_is_said_to_be_so(bench: Bench) -> None:
    gone = bench.unreachable()
    for question in (gone.backfills(), gone.unfilled()):
        with pytest.raises(DatabaseUnreachable, match="does not answer"):
            await question
