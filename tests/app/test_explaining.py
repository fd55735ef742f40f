"""The arithmetic of a verdict: while a release is watched, and long after."""

import asyncio
from typing import Any

import pytest

from bluegreen.domain.errors import NotFound
from bluegreen.domain.phases import Phase
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Colour
from tests.app.daemons import ANN, outcomes, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase


async def test_while_a_release_is_watched_the_numbers_are_of_now(outside: Outside) -> None:
    outside.change(window=600.0)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        deployment = await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(10)
        found = await daemon.service.explain("current")
        assert (found.deployment, found.phase, found.current) == (deployment.id, P.WATCHING, True)
        assert found.odds_needed == pytest.approx(1000.0)
        assert found.odds == pytest.approx(sum(line.odds for line in found.signals))
        line = next(line for line in found.signals if line.signal == "5xx")
        assert (line.bad, line.rate) == (0, 0.0)
        assert line.n == pytest.approx(1000, abs=50)
        assert line.more_bad is not None
        outside.users.failing[GREEN] = 1.0
        ended = await daemon.end()
    assert ended.cause == "regressed"


async def test_after_the_end_it_is_the_verdict_that_led_to_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.users.failing[GREEN] = 0.5
        ended = await daemon.end()
    async with running(outside) as daemon:
        found = await daemon.service.explain(ended.id)
    assert (found.current, found.phase, found.verdict) == (False, P.WATCHING, "regressed")
    assert found.reason == ended.reason
    assert found.signals[0].more_bad == 0
    assert found.odds >= found.odds_needed


async def test_what_is_answered_while_users_go_back_does_not_change_the_verdict_that_is_explained(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = outside.balancer.switch

    async def switch(colour: Colour, generation: int, **rest: Any) -> None:
        if colour is BLUE:
            outside.log.emit(Counted("access_log", "5xx", GREEN, 100_000, 0))
        await back(colour, generation, **rest)

    monkeypatch.setattr(outside.balancer, "switch", switch)
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.users.failing[GREEN] = 0.5
        ended = await daemon.end()
        found = await daemon.service.explain(ended.id)
    assert (found.verdict, found.reason) == ("regressed", ended.reason)
    assert found.odds >= found.odds_needed


async def test_a_cutback_by_hand_keeps_the_verdict_of_that_moment_too(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        await daemon.cutback()
        await daemon.end()
        found = await daemon.service.explain("current")
    assert (found.phase, found.current) == (P.STANDING_BY, False)


async def test_the_messages_to_people_stay_short(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "judgement" in ended.facts
    assert "judgement" not in outcomes(outside)[-1].facts


async def test_what_holds_it_is_part_of_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.service.pause(ANN, "lunch")
        await asyncio.sleep(60)
        found = await daemon.service.explain("current")
    assert found.paused == f"paused by {ANN.who}: lunch"
    assert found.held.endswith("the time of WATCHING is over")


async def test_where_nothing_was_judged_it_says_why(outside: Outside) -> None:
    outside.smoke.failures[GREEN] = "login: HTTP 500"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        with pytest.raises(NotFound, match="is ABANDONED: users have not met the release") as refused:
            await daemon.service.explain("current")
    assert refused.value.next == (f"bluegreen show {ended.id}",)
