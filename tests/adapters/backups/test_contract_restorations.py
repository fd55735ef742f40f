"""What every Restorations keeps, whether the databases are on a Postgres or lie in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.restorations import Session, Standing
from bluegreen.ports_database import Database
from tests.adapters.backups.test_restorations import TABLE, clear
from tests.adapters.sites import Site

A, B = "20260101t000000aaaa", "20260101t000001bbbb"


@dataclass
class Bench:
    """A database; `come_in` is somebody who stays until `leave`; `spoil` keeps a backup from being restored."""

    database: Database
    come_in: Callable[[], Awaitable[None]]
    spoil: Callable[[str], None]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.real)])
def where(request: pytest.FixtureRequest) -> "MemoryDatabase | Site":
    return MemoryDatabase() if request.param == "memory" else request.getfixturevalue("site")


@pytest.fixture
async def bench(where: "MemoryDatabase | Site") -> AsyncIterator[Bench]:
    if isinstance(where, MemoryDatabase):
        yield _memory(where)
        return
    site, guests = where, []

    async def come_in() -> None:
        guests.append(await site.connect())

    def spoil(file: str) -> None:
        Path(file).write_bytes(b"nothing")

    await site.execute(TABLE)
    yield Bench(site.database(), come_in, spoil)
    for guest in guests:
        guest.terminate()
    await clear(site)


def _memory(database: MemoryDatabase) -> Bench:
    async def come_in() -> None:
        database.restorations.others.append(Session(1, "psql", "ann", "", 1.0))

    def spoil(file: str) -> None:
        database.restorations.failing["restore_beside"] = f"{file} is not what was taken"

    return Bench(database, come_in, spoil)


async def test_step_by_step_it_comes_into_service_and_each_step_is_harmless_twice(bench: Bench) -> None:
    backup = await bench.database.back_up("d1", "1.1.0")
    restorations = bench.database.restorations
    assert await restorations.standing(A) is Standing.NOTHING
    await restorations.drop_beside(A)
    assert await restorations.sessions() == ()
    await restorations.check(backup)
    present = await restorations.keep_present("1.1.0", {backup.id})
    assert present.id in [each.id for each in await bench.database.backups()]
    for _ in range(2):
        await restorations.restore_beside(backup, A)
        assert await restorations.standing(A) is Standing.BESIDE
    first = await restorations.swap(A, end_sessions=False)
    assert await restorations.standing(A) is Standing.SWAPPED
    again = await restorations.swap(A, end_sessions=False)
    assert (again.kept, again.database) == (first.kept, first.database)
    await restorations.drop_beside(A)
    assert await restorations.standing(A) is Standing.SWAPPED, "what was swapped out stays"
    assert await restorations.standing(B) is Standing.NOTHING, "another attempt knows nothing of it"


async def test_sessions_are_named_and_refused_or_ended(bench: Bench) -> None:
    backup = await bench.database.back_up("d1", "1.1.0")
    restorations = bench.database.restorations
    await bench.come_in()
    assert len(await restorations.sessions()) == 1
    assert len((await restorations.losses(backup)).sessions) == 1
    await restorations.restore_beside(backup, A)
    with pytest.raises(BackupFailed, match="somebody is in it"):
        await restorations.swap(A, end_sessions=False)
    assert await restorations.standing(A) is Standing.BESIDE
    assert (await restorations.swap(A, end_sessions=True)).ended == 1


async def test_what_cannot_be_restored_is_never_put_into_service(bench: Bench) -> None:
    backup = await bench.database.back_up("d1", "1.1.0")
    bench.spoil(backup.file)
    with pytest.raises(BackupFailed, match="is not what was taken"):
        await bench.database.restorations.restore_beside(backup, A)
    assert await bench.database.restorations.standing(A) is not Standing.SWAPPED


async def test_the_commands_name_the_file_and_explain_themselves(bench: Bench) -> None:
    backup = await bench.database.back_up("d1", "1.1.0")
    lines = await bench.database.restorations.commands(backup)
    assert any(line.startswith("#") for line in lines)
    assert any(backup.file in line for line in lines)
