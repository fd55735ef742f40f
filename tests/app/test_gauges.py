"""What stands now, as numbers: right while things go well, and above all while they do not."""

import asyncio

import pytest

from bluegreen.app.gauges import JOURNAL_BUDGET, Gauges, measure
from bluegreen.domain.evidence import Verdict
from bluegreen.domain.phases import Phase
from tests.app.daemons import Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN


async def now(daemon: Daemon) -> Gauges:
    return await measure(daemon.engine, daemon.reconciler, daemon.outside.clock.now())


async def test_with_nothing_running_it_says_where_traffic_is(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        idle = await now(daemon)
    assert (idle.live, idle.wanted, idle.drift, idle.phase, idle.judgement) == (BLUE, None, False, "", None)
    assert idle.ready
    assert idle.caddy_answers
    assert idle.journal_read
    assert idle.counted["5xx", BLUE][0] > 0
    age, heard = idle.sources["access_log"]
    assert heard
    assert age is not None
    assert age < 5


async def test_a_release_on_trial_shows_how_it_stands(outside: Outside) -> None:
    outside.change(window=300.0)
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        await asyncio.sleep(10)
        watched = await now(daemon)
    assert (watched.live, watched.phase, watched.held, watched.stranded) == (GREEN, Phase.WATCHING, False, False)
    assert watched.elapsed >= 9
    assert watched.judgement is not None
    assert watched.judgement.verdict in (Verdict.UNDECIDED, Verdict.HEALTHY)


async def test_drift_is_traffic_elsewhere_with_nothing_running(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        assert not (await now(daemon)).drift
        await outside.balancer.switch(BLUE, 99)
        await asyncio.sleep(2)
        drifted = await now(daemon)
    assert (drifted.live, drifted.wanted, drifted.drift) == (BLUE, GREEN, True)


async def test_a_journal_that_hangs_or_fails_is_said_in_time(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(2)

        async def hang(kind: str, key: str) -> None:
            await asyncio.sleep(3600)

        monkeypatch.setattr(outside.journal, "fact", hang)
        began = asyncio.get_running_loop().time()
        blind = await now(daemon)
    assert asyncio.get_running_loop().time() - began <= JOURNAL_BUDGET
    assert (blind.journal_read, blind.wanted, blind.live) == (False, None, BLUE)
