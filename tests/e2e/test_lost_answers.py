"""Everything that may become of the answer to a change, forward and back: each has its defined end."""

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.alterations import messages_to, without_databases
from tests.e2e.cast import colours_served, deploy, deployment, ended, events, eventually, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="60s", inspect="1h", caddy_timeout="500ms")

FORWARD = {
    "reset before it took effect": (Mode.RESET_BEFORE, 1, True, "did not take effect"),
    "200 without effect": (Mode.SILENT_OK, 1, True, "did not take effect"),
    "taken, and a 502 of something in between": (Mode.GATEWAY, 1, True, "something between us and Caddy"),
    "refused with 500": (Mode.SPOIL, 1, False, "refused the change with HTTP 500"),
    "refused with 400": (Mode.MISNAME, 1, False, "refused the change with HTTP 400"),
    "a foreign change three times": (Mode.FOREIGN, 3, False, "Somebody else changed"),
}


async def test_a_switch_that_does_not_get_a_plain_yes_is_taken_back_or_was_never_made(
    make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage, _ = await _stage(make_stage, proxy)
    for name, (mode, times, moved, reason) in FORWARD.items():
        proxy.meet(mode, times)
        proxy.statuses.clear()
        back = await ended(stage, await deploy(stage, "1.0.1"))
        assert (back.phase, back.moved, back.cause) == ("REVERTED", moved, "step-failed"), f"{name}: {back.reason}"
        assert reason in back.reason, name
        assert await colours_served(stage) == {"blue"}, name
        assert proxy.statuses[-1:] == ([200] if moved else [412 if times == 3 else proxy.statuses[-1]]), name
        assert moved or 200 not in proxy.statuses, f"{name}: nothing was written"


@pytest.mark.parametrize("mode", [Mode.RESET_AFTER, Mode.FOREIGN], ids=lambda mode: mode.name)
async def test_a_lost_answer_that_a_look_settles_and_one_foreign_change_do_not_end_it(
    mode: Mode, make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage, _ = await _stage(make_stage, proxy)
    proxy.meet(mode)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    assert await colours_served(stage) == {"green"}
    assert proxy.statuses == ([200] if mode is Mode.RESET_AFTER else [412, 200])
    proxy.meet(mode)
    await _cutback(stage)
    assert (await ended(stage, id)).phase == "REVERTED"
    assert await colours_served(stage) == {"blue"}


@pytest.mark.parametrize(
    "mode", [Mode.RESET_BEFORE, Mode.SILENT_OK, Mode.GATEWAY, Mode.SPOIL, Mode.MISNAME], ids=lambda mode: mode.name
)
async def test_the_way_back_is_tried_until_it_is_read_back(
    mode: Mode, make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage, messages = await _stage(make_stage, proxy)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    proxy.meet(mode, 4)
    await _cutback(stage)
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert await colours_served(stage) == {"blue"}
    await eventually(lambda: "deployment.reverted" in messages.read_text(), 10.0)
    assert [said["facts"]["next"] for said in _said(messages, "cutback-stuck")] == ["systemctl restart caddy"]


async def test_a_foreign_writer_that_wins_three_times_strands_the_way_back_and_calls_people(
    make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage, messages = await _stage(make_stage, proxy)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    proxy.statuses.clear()
    proxy.meet(Mode.FOREIGN, 3)
    await _cutback(stage)
    stranded = await ended(stage, id)
    assert stranded.phase == "STRANDED"
    assert proxy.statuses == [412, 412, 412], "after the third nothing more is written"
    assert "bluegreen cutback --force" in stranded.next
    await eventually(lambda: "deployment.stranded" in messages.read_text(), 10.0)
    (page,) = _said(messages, "deployment.stranded")
    assert page["severity"] == "critical"
    await _cutback(stage)
    assert (await reached(stage, id, "REVERTED")).phase == "REVERTED"
    assert await colours_served(stage) == {"blue"}


async def test_each_generation_reaches_caddy_at_most_once(make_stage: MakeStage, proxy: AdminProxy) -> None:
    stage, _ = await _stage(make_stage, proxy)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    proxy.meet(Mode.SILENT_OK, 3)
    await _cutback(stage)
    await ended(stage, id)
    (returned,) = [event.facts["generation"] for event in await events(stage, id) if event.name == "traffic.returned"]
    assert returned == 5, "1 forward, 2 to 4 without effect"
    assert (await deployment(stage, id)).phase == "REVERTED"


async def _stage(make_stage: MakeStage, proxy: AdminProxy) -> tuple[Stage, Path]:
    stage = make_stage(pace=LONG, admin=proxy.url)
    await stage.set_up()
    without_databases(stage)
    messages = messages_to(stage)
    await stage.start_daemon()
    return stage, messages


async def _cutback(stage: Stage) -> None:
    async with stage.client as client:
        await client.cutback("looks odd")


def _said(messages: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in messages.read_text().splitlines() if line.strip()]
    return [line for line in lines if line["event"] == event]
