"""On real parts: the way back that is lost and comes again, and what is said of a release that was taken back."""

import asyncio

import asyncpg
import pytest

from bluegreen.demo import colour as colours
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.domain.deployments import Deployment
from bluegreen.interfaces.client import ClientError
from tests.e2e.cast import baseline, colours_served, crowd, deploy, deployment, ended, events, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="90s", standby="1s")


async def started(make_stage: MakeStage, pace: Pace) -> Stage:
    stage = make_stage(pace=pace)
    await stage.set_up()
    await stage.start_daemon()
    return stage


async def the_orders(stage: Stage, now: str, then: str) -> None:
    """Take the table of orders away from both colours, or give it back."""
    connection = await asyncpg.connect(stage.dsn)
    try:
        await connection.execute(f"ALTER TABLE {now} RENAME TO {then}")
    finally:
        await connection.close()


async def way_back(stage: Stage, wanted: str, seconds: float = 30.0) -> None:
    """Wait until the old colour is what is wanted: ready, degraded or lost."""
    seen = None
    async with asyncio.timeout(seconds), stage.client as client:
        while seen != wanted:
            watch = (await client.status()).value.watch
            seen = watch.way_back if watch else None
            await asyncio.sleep(0.1)


async def paged(stage: Stage, id: str, *words: str) -> None:
    """Wait until somebody was called with these words."""
    async with asyncio.timeout(30.0):
        while not any(
            event.name == "human.paged" and all(word in str(event.facts["text"]) for word in words)
            for event in await events(stage, id)
        ):
            await asyncio.sleep(0.1)


async def compared(stage: Stage, id: str, seconds: float = 60.0) -> Deployment:
    """The deployment once it is told whether the release was to blame."""
    async with asyncio.timeout(seconds):
        while "aftermath" not in (found := await deployment(stage, id)).facts:
            await asyncio.sleep(0.1)
    return found


async def test_a_release_that_fails_alone_is_to_blame(make_stage: MakeStage) -> None:
    stage = await started(make_stage, LONG)
    async with crowd(stage, seconds=240.0) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0-errors-0.5")
        assert (await ended(stage, id)).phase == "REVERTED"
        found = (await compared(stage, id)).facts["aftermath"]
    print(f"\n{found['seconds']} s: {found['text']}")
    assert found["finding"] == "release"
    assert "the release is to blame: " in found["text"]
    with pytest.raises(ClientError, match="Compared afterwards: the release is to blame"):
        await deploy(stage, "1.1.0-errors-0.5")


async def test_without_a_way_back_nobody_is_moved_until_there_is_one_and_a_shared_cause_is_called_so(
    make_stage: MakeStage,
) -> None:
    stage = await started(make_stage, LONG)
    async with crowd(stage, seconds=240.0) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        await way_back(stage, "ready")
        await colours.down(stage.sample, "blue")
        await way_back(stage, "lost")
        await the_orders(stage, "orders", "lost_orders")
        await paged(stage, id, "green is worse", "there is no way back")
        await asyncio.sleep(2.0)  # long enough for a flip into the dark, were there one
        assert (await deployment(stage, id)).phase == "WATCHING"
        assert await colours_served(stage) == {"green"}
        await colours.up(stage.sample, "blue", "1.0.0")
        back = await ended(stage, id)
        assert (back.phase, back.cause) == ("REVERTED", "regressed")
        assert await colours_served(stage) == {"blue"}
        found = (await compared(stage, id)).facts["aftermath"]
        await the_orders(stage, "lost_orders", "orders")
    print(f"\n{found['seconds']} s: {found['text']}")
    assert found["finding"] == "shared-cause"
    moves = [event.name for event in await events(stage, id) if event.name in ("traffic.switched", "traffic.returned")]
    assert moves == ["traffic.switched", "traffic.returned"], "once there and once back"
    with pytest.raises(ClientError, match="the release is not to blame"):
        await deploy(stage, "1.1.0")
