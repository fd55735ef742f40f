"""A journal that cannot even be read moves no traffic, and ends no daemon; one that was begun anew knows no past, and
nothing begins before a person said that it may."""

import asyncio

import pytest

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.domain.errors import GateRefused, NotFound, WrongPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, pages, running
from tests.app.outside import Journal, Outside
from tests.domain.examples import GREEN

COPY = "/state/journal.sqlite.damaged-20260105T120000Z"


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


# --- begun anew


async def begun_anew(outside: Outside) -> None:
    """What the adapter leaves of a journal that it found damaged."""
    outside.journal = Journal(outside)
    await MemoryJournal.keep(outside.journal, "journal", "damaged", {"copy": COPY, "at": "2026-01-05T12:00:00+00:00"})


async def test_nothing_is_deployed_before_somebody_said_that_it_may_and_then_it_is(outside: Outside) -> None:
    await begun_anew(outside)
    async with running(outside) as daemon:
        with pytest.raises(GateRefused, match=COPY) as refused:
            await daemon.deploy()
        assert "--force --reason" in refused.value.next[-1]
        with pytest.raises(GateRefused):
            await daemon.deploy(force=True)  # no reason
        assert any(COPY in trouble for trouble in await daemon.service.troubles())
        assert any(COPY in trouble for trouble in (await daemon.service.status()).troubles)
        await daemon.deploy(force=True, reason="the journal was lost, and we know what runs")
        assert (await daemon.end()).phase is Phase.LIVE
        assert not await daemon.service.troubles()
        await daemon.service.deploy(DeployRequest(release=PlanRequest("1.2.0")), ANN)
        assert (await daemon.end()).phase is Phase.LIVE


async def test_it_is_told_to_people_once_and_to_every_daemon(outside: Outside) -> None:
    await begun_anew(outside)
    for _ in range(2):
        async with running(outside) as daemon:
            await asyncio.sleep(5)
            assert any("damaged" in trouble for trouble in await daemon.service.troubles())
    assert pages(outside) == ["state.damaged"]


async def test_a_release_that_was_being_watched_has_its_way_back_by_the_card(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    await begun_anew(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        assert outside.serving() == {GREEN}, "nothing is moved by itself"
        with pytest.raises(WrongPhase, match="by its card d-") as told:
            await daemon.cutback()
    assert told.value.next == ("bluegreen cutback --offline",)
    (notice,) = [notice for notice in outside.notifier.sent if notice.event == "state.damaged"]
    assert "bluegreen cutback --offline" in notice.text


async def test_without_a_card_there_is_nothing_to_cut_back(outside: Outside) -> None:
    await begun_anew(outside)
    async with running(outside) as daemon:
        with pytest.raises(NotFound):
            await daemon.cutback()


async def test_generations_go_on_above_those_of_the_card(outside: Outside) -> None:
    """Caddy may have forgotten ours as well: a late write of before must still fit nothing."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    outside.balancer.forget()
    await begun_anew(outside)
    known = outside.cards.written[-1].generation
    async with running(outside) as daemon:
        await daemon.deploy(force=True, reason="begin again")
        await daemon.end()
    assert outside.balancer.written[-1][1] > known
