"""Somebody else touches Caddy while a release is being watched."""

from bluegreen.app.requests import PlanRequest
from bluegreen.demo import colour as colours
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stack import SERVICES, Stack
from bluegreen.demo.stage import Stage
from tests.e2e.cast import colours_served, deploy, ended, reached
from tests.e2e.conftest import MakeStage

WATCH = Pace(window="6s", standby="1s")


async def test_a_reload_of_the_same_caddyfile_changes_nothing_for_users(make_stage: MakeStage) -> None:
    stage = await _watching(make_stage)
    await stage.caddy.reload(stage.caddyfile)
    assert await colours_served(stage) == {"green"}, "the snippet files were kept in step"
    live = await ended(stage, "current")
    assert live.phase == "LIVE", live.reason


async def test_traffic_that_was_moved_to_the_old_colour_outside_ends_the_watch_there(make_stage: MakeStage) -> None:
    stage = await _watching(make_stage)
    _point_snippets_at(stage, "blue")
    await stage.caddy.reload(stage.caddyfile)
    back = await ended(stage, "current")
    assert (back.phase, back.cause) == ("REVERTED", "moved-outside"), back.reason
    assert await colours_served(stage) == {"blue"}
    async with stage.client as client:
        plan = await client.plan(PlanRequest(release="1.1.0"))
    assert plan.value.live == "blue", "what was moved outside is not quarantined"


async def test_a_fix_goes_live_while_the_live_colour_is_down(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="2s", standby="0s"))
    await stage.set_up()
    await stage.start_daemon()
    await colours.down(stage.sample, "blue")
    async with stage.client as client:
        plan = (await client.plan(PlanRequest(release="1.1.0", live_is_down=True, reason="the shop is down"))).value
        id = (await client.deploy(plan.id)).value.id
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    assert await colours_served(stage) == {"green"}


async def test_without_saying_so_nothing_is_deployed_while_the_live_colour_is_down(stage: Stage) -> None:
    await colours.down(stage.sample, "blue")
    given_up = await ended(stage, await deploy(stage, "1.1.0"))
    assert given_up.phase == "ABANDONED"
    assert "blue" in given_up.reason


async def _watching(make_stage: MakeStage) -> Stage:
    stage = make_stage(pace=WATCH)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    return stage


def _point_snippets_at(stage: Stage, colour: str) -> None:
    stack = Stack.load(stage.sample)
    for service in SERVICES:
        (stage.snippets / f"{service}.caddy").write_text(f"to {stack.address(colour, service)}\n")
