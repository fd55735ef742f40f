"""A good release goes live, by exactly the path of the table."""

import asyncio

import pytest

from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import outcomes, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

PATH = (
    "PREPARING BACKING_UP REHEARSING EXPANDING PROVING STARTING TESTING AWAITING CANARYING SWITCHING WATCHING"
    " STANDING_BY RETIRING CONTRACTING LIVE"
).split()


@pytest.fixture
async def outside() -> Outside:
    return Outside()


async def test_a_good_release_goes_live_by_exactly_the_path_of_the_table(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy()
        ended = await daemon.end()
    assert [phase.value for phase in ended.path] == PATH
    assert (ended.phase, ended.cause, ended.reason) == (Phase.LIVE, None, "")
    print(ended, outside.told, outcomes(outside), pages(outside), BLUE, GREEN, MigrationPhase)
    assert 0
