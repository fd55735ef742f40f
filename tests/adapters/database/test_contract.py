"""What every Database keeps, whether it is a Postgres or lies in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.domain.errors import BackupFailed, DatabaseUnreachable, LockBusy, MigrationFailed, ReleaseInvalid
from bluegreen.domain.migrations import Backup, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.ports_database import Database
from tests.adapters.sites import Site

RELEASE = Release("1.1.0")
EXPAND, CONTRACT = MigrationPhase.EXPAND, MigrationPhase.CONTRACT


@dataclass
class Bench:
    """A database, the same seen from another daemon, and how to change the world around it."""

    database: Database
    other: Database
    add: Callable[[str, MigrationPhase], None]
    break_one: Callable[[str], None]
    unreachable: Callable[[], Database]
    spoil: Callable[[Backup], None]


def _memory() -> Bench:
    database = MemoryDatabase()

    def add(version: str, phase: MigrationPhase) -> None:
        database.add(version, phase)

    def break_one(version: str) -> None:
        database.failing[version] = 'relation "nowhere" does not exist'

    def spoil(backup: Backup) -> None:
        database.spoilt[backup.id] = "its sha256 is another one"

    return Bench(database, database, add, break_one, lambda: replace(database, unreachable=True), spoil)


def _postgres(site: Site) -> Bench:
    def add(version: str, phase: MigrationPhase) -> None:
        site.write(f"{version}.{phase}.sql", f"CREATE TABLE t_{version}_{phase} (id int)")

    def break_one(version: str) -> None:
        site.write(f"{version}.expand.sql", "ALTER TABLE nowhere ADD a int")

    def unreachable() -> Database:
        host = site.dsn.partition("@")[2].partition(":")[0]
        return replace_dsn(site, f"postgresql://postgres@{host}:1/app").database(connect_timeout=2.0)

    def spoil(backup: Backup) -> None:
        Path(backup.file).write_bytes(Path(backup.file).read_bytes() + b"!")

    return Bench(site.database(), site.database(), add, break_one, unreachable, spoil)


def replace_dsn(site: Site, dsn: str) -> Site:
    """The same files, another database."""
    home = Path(site.home, "elsewhere")
    home.mkdir()
    other = Site(dsn, home, site.bin_dir)
    other.source = site.source
    return other


@pytest.fixture(
    params=[
        "memory",
        pytest.param("postgres 16", marks=pytest.mark.real),
        pytest.param("postgres 18", marks=pytest.mark.real),
    ]
)
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return _memory()
    return _postgres(request.getfixturevalue("site" if request.param == "postgres 16" else "site18"))


async def _apply(database: Database, phase: MigrationPhase = EXPAND, deployment: str = "d1") -> None:
    async with database.locked():
        for migration in await database.pending(phase, RELEASE):
            await database.apply(migration, deployment, RELEASE)


async def test_it_tells_how_it_is(bench: Bench) -> None:
    facts = await bench.database.facts()
    assert facts.major in (16, 18)
    assert facts.size > 1_000_000
    assert 0 < facts.connections < facts.max_connections
    assert facts.may_create_database


async def test_what_is_pending_is_told_by_phase_and_in_order(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    bench.add("0002_b", EXPAND)
    bench.add("0002_b", CONTRACT)
    assert [m.label for m in await bench.database.pending(EXPAND, RELEASE)] == [
        "app/0001_a.expand",
        "app/0002_b.expand",
    ]
    assert [m.label for m in await bench.database.pending(CONTRACT, RELEASE)] == ["app/0002_b.contract"]


async def test_what_comes_after_the_last_migration_of_a_release_is_not_pending_for_it(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    bench.add("0002_b", EXPAND)
    bench.add("0002_b", CONTRACT)
    earlier = Release("1.1.0", migrations={"app": "0001_a"})
    assert [m.label for m in await bench.database.pending(EXPAND, earlier)] == ["app/0001_a.expand"]
    assert await bench.database.pending(CONTRACT, earlier) == ()
    with pytest.raises(ReleaseInvalid, match="0003_c"):
        await bench.database.pending(EXPAND, Release("1.1.0", migrations={"app": "0003_c"}))


async def test_what_was_applied_is_pending_no_more_and_stands_in_the_ledger_of_its_deployment(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    bench.add("0002_b", EXPAND)
    await _apply(bench.database)
    assert await bench.database.pending(EXPAND, RELEASE) == ()
    assert [(row.label, row.state) for row in await bench.database.applied("d1")] == [
        ("app/0001_a.expand", "done"),
        ("app/0002_b.expand", "done"),
    ]
    assert await bench.database.applied("d2") == ()


async def test_it_counts_the_connections_of_its_server(bench: Bench) -> None:
    found = await bench.database.connections()
    assert found.limit > found.reserved > 0
    assert found.free == found.limit - found.reserved - found.used
    with pytest.raises(DatabaseUnreachable):
        await bench.unreachable().connections()


async def test_applying_again_does_nothing(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    (migration,) = await bench.database.pending(EXPAND, RELEASE)
    async with bench.database.locked():
        await bench.database.apply(migration, "d1", RELEASE)
        await bench.database.apply(migration, "d2", RELEASE)
    assert await bench.database.applied("d2") == ()


async def test_a_failure_is_raised_and_written_down_and_what_came_before_stays(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    bench.add("0002_b", EXPAND)
    bench.break_one("0002_b")
    with pytest.raises(MigrationFailed, match=r"0002_b.*nowhere"):
        await _apply(bench.database)
    rows = await bench.database.applied("d1")
    assert [(row.version, row.state) for row in rows] == [("0001_a", "done"), ("0002_b", "failed")]
    assert "nowhere" in rows[1].error
    assert rows[1].statements_done == 0
    assert [m.version for m in await bench.database.pending(EXPAND, RELEASE)] == ["0002_b"]


async def test_a_migration_without_the_lock_is_refused(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    (migration,) = await bench.database.pending(EXPAND, RELEASE)
    with pytest.raises(MigrationFailed, match="lock is not held"):
        await bench.database.apply(migration, "d1", RELEASE)


async def test_one_holds_the_lock_and_the_next_may_have_it_afterwards(bench: Bench) -> None:
    async with bench.database.locked():
        with pytest.raises(LockBusy, match="is held by"):
            async with bench.other.locked():
                pytest.fail("two at once")
    async with bench.other.locked():
        pass


async def test_a_verified_backup_is_told_with_its_facts(bench: Bench) -> None:
    assert await bench.database.check_backup_possible() == ()
    backup = await bench.database.back_up("d1", "1.1.0")
    assert backup.database == "main"
    assert backup.verified == "restore"
    assert len(backup.sha256) == 64
    assert backup.size > 0
    assert "d1" in backup.id
    assert backup.file.endswith(f"{backup.id}.dump")


async def test_backups_are_listed_the_latest_first_and_can_be_verified_again(bench: Bench) -> None:
    assert await bench.database.backups() == ()
    first = await bench.database.back_up("d1", "1.1.0")
    second = await bench.database.back_up("by-hand", "1.1.0")
    listed = await bench.database.backups()
    assert [backup.id for backup in listed] == sorted([first.id, second.id], reverse=True)
    assert {(backup.deployment, backup.release, backup.sha256) for backup in listed} == {
        ("d1", "1.1.0", first.sha256),
        ("by-hand", "1.1.0", second.sha256),
    }
    again = await bench.database.verify(listed[0])
    assert (again.id, again.verified, again.sha256) == (listed[0].id, "restore", listed[0].sha256)
    assert await bench.database.backups() == listed, "verifying changes nothing"


async def test_a_backup_that_is_not_what_was_taken_is_found_out(bench: Bench) -> None:
    backup = await bench.database.back_up("d1", "1.1.0")
    bench.spoil(backup)
    with pytest.raises(BackupFailed, match="is not what was taken"):
        await bench.database.verify(backup)


async def test_tidying_takes_nothing_that_is_kept(bench: Bench) -> None:
    backup = await bench.database.back_up("by-hand", "1.1.0")
    await bench.database.tidy("by-hand")
    await bench.database.tidy("by-hand")
    assert [kept.id for kept in await bench.database.backups()] == [backup.id]


async def test_every_migration_is_told_with_what_the_ledger_says_of_it(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    bench.add("0001_a", CONTRACT)
    assert [(m.label, m.state) for m in (await bench.database.schema()).migrations] == [
        ("app/0001_a.expand", "pending"),
        ("app/0001_a.contract", "pending"),
    ]
    await _apply(bench.database)
    bench.add("0002_b", EXPAND)
    bench.break_one("0002_b")
    with pytest.raises(MigrationFailed):
        await _apply(bench.database, deployment="d2")
    states = {m.label: m for m in (await bench.database.schema()).migrations}
    assert {label: (m.state, m.deployment) for label, m in states.items()} == {
        "app/0001_a.expand": ("done", "d1"),
        "app/0001_a.contract": ("pending", ""),
        "app/0002_b.expand": ("failed", "d2"),
    }
    assert states["app/0001_a.expand"].at is not None
    assert "nowhere" in states["app/0002_b.expand"].error
    assert not any(m.changed for m in states.values())


async def test_an_unreachable_database_is_said_to_be_so(bench: Bench) -> None:
    bench.add("0001_a", EXPAND)
    gone = bench.unreachable()
    questions: list[Awaitable[object]] = [gone.facts(), gone.pending(EXPAND, RELEASE), gone.applied("d1")]
    questions.append(gone.schema())
    for question in questions:
        with pytest.raises(DatabaseUnreachable, match="does not answer"):
            await question
    with pytest.raises(DatabaseUnreachable):
        async with gone.locked():
            pytest.fail("a lock of nothing")
    for question in (gone.check_backup_possible(), gone.back_up("d1", "1.1.0")):
        with pytest.raises(BackupFailed, match="does not answer"):
            await question
