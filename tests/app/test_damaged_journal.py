"""A journal that cannot even be read moves no traffic, and ends no daemon."""

import asyncio

from bluegreen.domain.phases import Phase
from tests.app.daemons import running
from tests.app.outside import Outside


async def test_a_good_release_that_is_watched_stays_and_goes_live(outside: Outside) -> None:
    async with running(outside) as daemon:
        deployment = await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.journal.damaged = True
        await asyncio.sleep(60)
        assert daemon.engine.run is not None
        assert (await outside.balancer.observe()).colour is deployment.new
        outside.journal.damaged = False
        assert (await daemon.end()).phase is Phase.LIVE


async def test_an_operators_cutback_works(outside: Outside) -> None:
    async with running(outside) as daemon:
        deployment = await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.journal.damaged = True
        await daemon.cutback()
        await asyncio.sleep(60)
        assert (await outside.balancer.observe()).colour is deployment.old
        outside.journal.damaged = False
        assert (await daemon.end()).phase is Phase.REVERTED


async def test_an_idle_daemon_lives_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.journal.damaged = True
        await asyncio.sleep(60)
        assert daemon.news.unwritten
        outside.journal.damaged = False
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE
