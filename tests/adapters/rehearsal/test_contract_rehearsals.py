"""What every Rehearsals keeps, whether it runs on a Postgres or lies in memory."""

from dataclasses import dataclass

import pytest

from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.domain.findings import Finding, Gate
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.ports_database import Database
from tests.adapters.sites import RELEASE, Site

EXPAND, CONTRACT = MigrationPhase.EXPAND, MigrationPhase.CONTRACT


@dataclass
class Bench:
    """A database, and files for it: ones that only add, and ones that drop a column that is in use."""

    database: Database
    site: Site | None

    async def open(self) -> None:
        if self.site is not None:
            await self.site.execute("CREATE TABLE users (id int, email text)")

    def adds(self, version: str, phase: MigrationPhase = EXPAND) -> None:
        if self.site is not None:
            self.site.write(f"{version}.{phase}.sql", f"ALTER TABLE users ADD c_{version} int;")
        elif isinstance(self.database, MemoryDatabase):
            self.database.add(version, phase)

    def drops(self, version: str) -> None:
        if self.site is not None:
            self.site.write(f"{version}.expand.sql", "ALTER TABLE users DROP COLUMN email;")
        elif isinstance(self.database, MemoryDatabase):
            self.database.add(version, EXPAND)
            self.database.found[version] = (Finding("column-dropped", Gate.REFUSE, "email is dropped"),)


@pytest.fixture(params=["memory", pytest.param("postgres 16", marks=pytest.mark.real)])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return Bench(MemoryDatabase(), None)
    site = request.getfixturevalue("site")
    assert isinstance(site, Site)
    return Bench(site.database(), site)


async def test_each_pending_migration_of_the_phases_has_its_verdict_in_order(bench: Bench) -> None:
    await bench.open()
    bench.adds("0001_a")
    bench.drops("0002_b")
    bench.adds("0003_c", CONTRACT)
    said = await bench.database.rehearse(RELEASE, (EXPAND,), "test")
    assert [(file.version, file.gate) for file in said.files] == [("0001_a", Gate.ALLOW), ("0002_b", Gate.REFUSE)]
    assert (said.gate, [file.label for file in said.refused], said.copied) == (
        Gate.REFUSE,
        ["app/0002_b.expand"],
        "schema",
    )
    both = await bench.database.rehearse(RELEASE, (EXPAND, CONTRACT), "test")
    assert [file.version for file in both.files] == ["0001_a", "0002_b", "0003_c"]


async def test_what_is_done_is_not_rehearsed_again(bench: Bench) -> None:
    await bench.open()
    bench.adds("0001_a")
    async with bench.database.locked():
        for migration in await bench.database.pending(EXPAND, RELEASE):
            await bench.database.apply(migration, "d1", RELEASE)
    said = await bench.database.rehearse(RELEASE, (EXPAND,), "test")
    assert (said.files, said.gate, said.copied) == ((), Gate.ALLOW, "")


async def test_a_rehearsal_leaves_nothing_to_sweep_and_nothing_applied(bench: Bench) -> None:
    await bench.open()
    bench.adds("0001_a")
    await bench.database.rehearse(RELEASE, (EXPAND,), "test")
    assert await bench.database.sweep() == ()
    assert len(await bench.database.pending(EXPAND, RELEASE)) == 1
