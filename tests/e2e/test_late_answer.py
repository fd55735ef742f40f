"""A change that got no answer in time may still take effect later; users stay where they were put."""

import asyncio

from bluegreen.demo.scenery import Pace
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.cast import colours_served, deploy, ended
from tests.e2e.conftest import MakeStage


async def test_a_switch_that_arrives_after_the_way_back_fits_nothing_any_more(
    make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage = make_stage(pace=Pace(window="10s", caddy_timeout="500ms"), admin=proxy.url)
    await stage.set_up()
    await stage.start_daemon()
    proxy.mode = Mode.LATE
    id = await deploy(stage, "1.1.0")
    back = await ended(stage, id)
    assert (back.phase, back.cause, back.moved) == ("REVERTED", "step-failed", True), back.reason
    proxy.given_up.set()
    async with asyncio.timeout(10.0):
        assert await proxy.landed.get() == 412
    assert await colours_served(stage) == {"blue"}
