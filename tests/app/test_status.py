"""Where is the traffic, is anything moving, and how does the watch stand: in one answer."""

import asyncio

import pytest

from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.domain.errors import NotFound
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase


async def test_when_nothing_was_ever_deployed_it_says_where_the_traffic_is(outside: Outside) -> None:
    async with running(outside) as daemon:
        status = await daemon.service.status()
        with pytest.raises(NotFound):
            await daemon.service.deployment("current")
        with pytest.raises(NotFound):
            await daemon.service.deployment("d-none")
    assert status.traffic is not None
    assert status.traffic.colour is BLUE
    assert (status.deployment, status.watch, status.phase_seconds_left) == (None, None, None)
    assert status.releases == {BLUE: "1.0.0", GREEN: ""}
    assert status.troubles == ()


async def test_while_it_waits_for_a_person_it_says_for_how_long(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(600)
        status = await daemon.service.status()
    assert status.deployment is not None
    assert (status.deployment.id, status.deployment.phase) == (deployed.id, P.AWAITING)
    assert status.phase_seconds_left == pytest.approx(3000, abs=1)
    assert status.watch is None
    assert status.releases == {BLUE: "1.0.0", GREEN: "1.1.0"}


async def test_while_it_watches_it_gives_the_arithmetic_of_every_signal_and_the_time_to_the_end_of_the_window(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(5)
        watch = (await daemon.service.status()).watch
    assert watch is not None
    signals = {signal.signal: signal for signal in watch.signals}
    assert signals["5xx"].n == pytest.approx(500, abs=20)
    assert "against tolerated" in signals["5xx"].text
    assert (watch.verdict, watch.way_back, watch.held) == ("undecided", "ready", "")
    assert watch.seconds_left == pytest.approx(15, abs=0.5)


async def test_a_caddy_that_cannot_be_read_is_a_trouble_and_an_answer_all_the_same(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.balancer.reachable = False
        status = await daemon.service.status()
        assert status.traffic is None
        assert status.traffic_error
        assert any("caddy-unreachable" in trouble for trouble in status.troubles)
        outside.balancer.reachable = True
        assert (await daemon.service.status()).troubles == ()


async def test_a_log_that_stands_still_is_a_trouble(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        outside.users.silent = True
        await asyncio.sleep(10)
        assert await daemon.service.troubles() == ("signals-silent: access_log has said nothing for 10 s",)


async def test_deployments_are_listed_latest_first_and_their_events_can_be_read(outside: Outside) -> None:
    async with running(outside) as daemon:
        first = await daemon.deploy("1.1.0")
        await daemon.end()
        second = await daemon.deploy("1.2.0")
        await daemon.end()
        assert [found.id for found in await daemon.service.deployments(9)] == [second.id, first.id]
        assert [found.id for found in await daemon.service.deployments(9, second.id)] == [first.id]
        told = await daemon.service.events(0, first.id)
    assert {event.deployment for event in told} == {first.id}
    assert [event.phase for event in told if event.name == "deployment.ended"] == [P.LIVE]
    assert [event.facts["previous"] for event in told if event.name == "phase.entered"][:2] == [
        "PREPARING",
        "BACKING_UP",
    ]


async def test_the_log_of_a_colour_can_be_read_at_any_time(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.deploy(DeployRequest(release=PlanRequest("1.1.0")), ANN)
        await daemon.reach(P.WATCHING)
        assert await daemon.service.environment_logs(GREEN, 10) == "up 1.1.0"
