"""`bluegreen cutback --offline`: the way back with the daemon dead, hung or crash-looping, on a real Caddy."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from bluegreen.app.requests import PlanRequest
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.processes import Ran, environment, run_command
from tests.e2e.cast import colours_served, deploy, ended, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="120s", caddy_timeout="500ms")


async def watched(make_stage: MakeStage, **wishes: str) -> tuple[Stage, str]:
    """A stage on which a release is being watched."""
    stage = make_stage(pace=LONG, **wishes)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    assert await colours_served(stage) == {"green"}
    return stage, id


async def offline(stage: Stage, *words: str, config: Path | None = None) -> Ran:
    """The command as an operator, or the failsafe unit, runs it."""
    argv = [sys.executable, "-m", "bluegreen", "cutback", "--offline", "--config", str(config or stage.config), *words]
    return await run_command(argv, timeout=90.0, env=environment({"PYTHONPATH": ":".join(sys.path)}))


def snippets(stage: Stage) -> set[str]:
    """What a restarted Caddy would read."""
    return {file.read_text() for file in stage.snippets.iterdir()}


def mark_of(stage: Stage) -> Path:
    return stage.directory / "state" / "cutback-done.json"


async def test_with_the_daemon_dead_users_are_back_and_the_next_daemon_makes_it_its_own(make_stage: MakeStage) -> None:
    stage, id = await watched(make_stage)
    on_green = snippets(stage)
    await stage.kill_daemon()
    first = await offline(stage, "--reason", "the daemon is dead")
    assert (first.code, f"taken from {id}" in first.output) == (0, True), first.output
    assert await colours_served(stage) == {"blue"}
    assert snippets(stage) != on_green
    left = json.loads(mark_of(stage).read_text())
    assert (left["deployment"], left["colour"], left["reason"]) == (id, "blue", "the daemon is dead")
    second = await offline(stage)
    assert (second.code, "already" in second.output) == (0, True), second.output
    assert json.loads(mark_of(stage).read_text()) == left
    await stage.start_daemon()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert "the daemon is dead" in back.reason
    assert await colours_served(stage) == {"blue"}
    async with asyncio.timeout(10.0):
        while mark_of(stage).exists():
            await asyncio.sleep(0.05)


async def test_beside_a_daemon_that_hangs_it_works_and_the_daemon_finds_out_when_it_goes_on(
    make_stage: MakeStage,
) -> None:
    stage, id = await watched(make_stage)
    assert stage.daemon is not None
    os.kill(stage.daemon.pid, signal.SIGSTOP)
    try:
        ran = await offline(stage, "-o", "json")
        assert ran.code == 0, ran.output
        told = json.loads(ran.output)
        assert told["end"] == "back"
        assert told["next"][0] == "systemctl reset-failed bluegreen; systemctl restart bluegreen"
        assert await colours_served(stage) == {"blue"}
    finally:
        os.kill(stage.daemon.pid, signal.SIGCONT)
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert await colours_served(stage) == {"blue"}


async def test_a_broken_configuration_is_no_hindrance(make_stage: MakeStage) -> None:
    stage, _ = await watched(make_stage)
    await stage.kill_daemon()
    broken = stage.directory / "broken.toml"
    broken.write_text('[daemon]\nstate_dir = "state"\nnonsense = 1\n')
    ran = await offline(stage, config=broken)
    assert ran.code == 0, ran.output
    assert "the configuration cannot be used" in ran.output
    assert await colours_served(stage) == {"blue"}


async def test_with_caddy_hanging_the_snippets_are_back_and_the_command_to_type_is_named(make_stage: MakeStage) -> None:
    stage, id = await watched(make_stage)
    await stage.kill_daemon()
    stage.caddy.pause()
    try:
        ran = await offline(stage)
    finally:
        stage.caddy.unpause()
    assert ran.code == 23, ran.output
    assert "systemctl restart caddy" in ran.output
    await stage.caddy.restart()
    assert await colours_served(stage) == {"blue"}, "it came up from the snippets"
    await stage.start_daemon()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason


async def test_the_failsafe_sends_users_back_when_no_daemon_runs_and_tells_people(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    receiver = f'\n[[notify]]\nname = "pager"\nkind = "command"\ncommand = ["sh", "-c", "cat >> {told}"]\n'
    stage, id = await watched(make_stage, extra=receiver)
    alive = await offline(stage, "--if-watched")
    assert (alive.code, "a daemon runs" in alive.output) == (0, True), alive.output
    assert await colours_served(stage) == {"green"}
    for _ in range(2):  # it crash-loops
        await stage.kill_daemon()
        await stage.start_daemon()
    await stage.kill_daemon()
    acted = await offline(stage, "--if-watched")
    assert (acted.code, f"taken from {id}" in acted.output) == (0, True), acted.output
    assert await colours_served(stage) == {"blue"}
    assert "the failsafe acted" in told.read_text()
    again = await offline(stage, "--if-watched")
    assert again.code == 0
    await stage.start_daemon()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "failsafe"), back.reason
    over = await offline(stage, "--if-watched")
    assert (over.code, "daemon runs" in over.output or "closed" in over.output) == (0, True), over.output
    async with stage.client as client:
        await client.plan(PlanRequest(release="1.1.0"))  # the release is not to blame: it is not quarantined
