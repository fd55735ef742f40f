"""The connections of the shared databases: in the plan, in PREPARING, and in the status without delaying it."""

import asyncio

import pytest

from bluegreen.app.gauges import measure
from bluegreen.app.requests import PlanRequest
from bluegreen.domain.migrations import DatabaseFacts
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN


def count(outside: Outside, blue: int, green: int, others: int) -> None:
    """So many are open, of 97 that anybody may have."""
    outside.database.facts_now = DatabaseFacts(160_004, 8_000_000, 100, blue + green + others, True)
    outside.database.open = {BLUE: blue, GREEN: green}


async def now(daemon: Daemon) -> str:
    """What the status says of the one database."""
    found = (await daemon.service.status()).connections.by_database
    return ", ".join(f"{name}: {each.describe() if each else 'unknown'}" for name, each in found.items())


async def test_the_plan_says_what_is_open_and_what_is_left(outside: Outside) -> None:
    outside.connection_budgets = {"main": 40}
    count(outside, 7, 5, 3)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
    assert plan.connections == ("main: blue 7, green 5, others 3; 82 of 97 free; one colour may open 40",)
    assert not any("connections" in text for text in plan.warnings)


async def test_the_plan_warns_where_there_is_no_room_and_preparing_refuses(outside: Outside) -> None:
    outside.connection_budgets = {"main": 40}
    count(outside, 40, 0, 20)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
        await daemon.deploy()
        ended = await daemon.end()
    problem = "main: green may open 40 more connections, but only 37 of 97 are free"
    assert any(problem in text for text in plan.warnings)
    assert (ended.phase, problem in ended.reason) == (Phase.ABANDONED, True)
    assert "raise max_connections" in ended.next[0]


async def test_where_both_colours_together_may_be_too_many_it_is_told(outside: Outside) -> None:
    outside.connection_budgets = {"main": 40}
    count(outside, 10, 0, 20)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert any("when both colours open all the 40 connections that they may, 3 are" in text for text in ended.warnings)


async def test_a_database_that_is_away_or_silent_holds_no_plan_up(outside: Outside) -> None:
    outside.connection_budgets = {"main": 40}
    outside.database.mute = True
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
    assert plan.connections == ()


async def test_the_status_shows_the_last_count_and_how_old_it_is(outside: Outside) -> None:
    count(outside, 7, 5, 3)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        assert await now(daemon) == "main: blue 7, green 5, others 3; 82 of 97 free"
        count(outside, 8, 5, 3)
        await asyncio.sleep(12)
        assert await now(daemon) == "main: blue 8, green 5, others 3; 81 of 97 free"
        assert (await daemon.service.status()).connections.age <= 11


async def test_nobody_who_asks_waits_for_a_database(outside: Outside) -> None:
    count(outside, 7, 5, 3)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        outside.database.mute = True
        await daemon.service.status()
        await asyncio.sleep(30)
        began = asyncio.get_running_loop().time()
        assert await now(daemon) == "main: unknown"
        assert asyncio.get_running_loop().time() == began
        outside.database.mute = False
        outside.database.unreachable = True
        await asyncio.sleep(15)
        assert await now(daemon) == "main: unknown"


async def test_a_database_is_asked_seldom_while_nobody_looks(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    counted = outside.database.connections

    async def counting() -> object:
        asked.append(1)
        return await counted()

    monkeypatch.setattr(outside.database, "connections", counting)
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        seldom = len(asked)
        for _ in range(60):
            await daemon.service.status()
            await asyncio.sleep(1)
    assert 10 <= seldom <= 12
    assert 5 <= len(asked) - seldom <= 8


async def test_the_gauges_have_the_counts(outside: Outside) -> None:
    count(outside, 7, 5, 3)
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        found = await measure(daemon.engine, daemon.reconciler, outside.clock.now())
    assert {name: each.open if each else None for name, each in found.connections.items()} == {
        "main": {BLUE: 7, GREEN: 5}
    }
