"""An operator at the command line, against a real daemon: what is typed, what comes back, how it ends."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.processes import environment, run_command
from tests.e2e.cast import begun, colours_served, deploy, ended, eventually, reached
from tests.e2e.conftest import MakeStage

QUICK = Pace(window="1s", standby="1s")


@dataclass
class Typed:
    """What a command printed, and its exit code."""

    code: int
    text: str

    @property
    def document(self) -> Any:
        """What `-o json` printed."""
        return json.loads(self.text)


async def bluegreen(stage: Stage, *words: str) -> Typed:
    """Type a command off a terminal."""
    argv = [sys.executable, "-m", "bluegreen", "--socket", str(stage.socket), *words]
    ran = await run_command(argv, timeout=60.0, env=environment({"PYTHONPATH": ":".join(sys.path)}))
    return Typed(ran.code, ran.output)


async def test_deploy_returns_when_the_way_back_is_instant_and_rollback_returns_to_the_release_before(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(pace=Pace(window="1s", standby="3s"))
    await stage.set_up()
    await stage.start_daemon()
    deployed = await bluegreen(stage, "deploy", "1.1.0", "-y")
    assert deployed.code == 0, deployed.text
    assert "STANDING_BY" in deployed.text
    assert (await ended(stage, "current")).phase == "LIVE"
    status = await bluegreen(stage, "status")
    assert status.text.splitlines()[0].startswith("● green serves 1.1.0"), status.text
    rolled_back = await bluegreen(stage, "rollback", "--reason", "the greeting is wrong", "--wait-final")
    assert rolled_back.code == 0, rolled_back.text
    assert await colours_served(stage) == {"blue"}
    history = (await bluegreen(stage, "history", "-o", "json")).document
    assert [item["plan"]["kind"] for item in history] == ["rollback", "deploy"]


async def test_the_exit_code_tells_how_a_deployment_ended(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="60s"))
    await stage.set_up()
    await stage.start_daemon()
    assert (await bluegreen(stage, "deploy", "1.1.0-smoke-fails", "-y")).code == 20
    async with asyncio.TaskGroup() as group:
        deploying = group.create_task(bluegreen(stage, "deploy", "1.1.0", "-y"), name="deploy")
        await reached(stage, await begun(stage, "1.1.0"), "WATCHING")
        second = await bluegreen(stage, "deploy", "1.1.1", "-y")
        assert second.code == 5, second.text
        assert (await bluegreen(stage, "cutback", "--reason", "looks odd")).code == 0
    assert deploying.result().code == 22, deploying.result().text
    refused = await bluegreen(stage, "deploy", "1.1.0", "-y")
    assert refused.code == 6, refused.text
    assert "--force" in refused.text, "what to type instead"
    assert await colours_served(stage) == {"blue"}


async def test_a_second_daemon_is_refused_and_touches_nothing(stage: Stage) -> None:
    second = await bluegreen(stage, "serve", "--config", str(stage.config))
    assert second.code == 75, second.text
    assert (await bluegreen(stage, "status")).code == 0


async def test_a_daemon_that_cannot_listen_says_why_without_a_traceback(make_stage: MakeStage) -> None:
    stage = make_stage()
    await stage.set_up()
    stage.socket.write_text("somebody's notes")
    refused = await bluegreen(stage, "serve", "--config", str(stage.config))
    assert refused.code == 78, refused.text
    assert "Traceback" not in refused.text
    assert str(stage.socket) in refused.text
    assert stage.socket.read_text() == "somebody's notes"


async def test_without_a_daemon_every_verb_says_so(stage: Stage) -> None:
    await stage.stop_daemon()
    for verb in (["status"], ["cutback"], ["deploy", "1.1.0", "-y"], ["history"]):
        typed = await bluegreen(stage, *verb)
        assert typed.code == 3, typed.text
        assert "next:" in typed.text


async def test_people_are_told_once_how_a_deployment_ended(make_stage: MakeStage, tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    async with _receiver() as (url, received):
        extra = f"""
[[notify]]
name = "chat"
kind = "webhook"
url = "{url}"

[[notify]]
name = "file"
kind = "command"
command = ["sh", "-c", "cat >> {told}; echo >> {told}"]
"""
        stage = make_stage(pace=QUICK, extra=extra)
        await stage.set_up()
        await stage.start_daemon()
        await ended(stage, await deploy(stage, "1.1.0"))
        await eventually(lambda: len(received) >= 1 and told.exists(), 20.0)
        await stage.stop_daemon()
        await stage.start_daemon()
    lines = [json.loads(line) for line in told.read_text().splitlines() if line]
    for notices in (received, lines):  # at least once: a daemon stopped while it sends sends again, under the same key
        outcomes = {notice["key"]: notice for notice in notices if notice["event"] == "deployment.live"}
        (outcome,) = outcomes.values()
        assert "1.1.0 is live on green" in outcome["text"]


@asynccontextmanager
async def _receiver() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        received.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", received
    finally:
        await runner.cleanup()
