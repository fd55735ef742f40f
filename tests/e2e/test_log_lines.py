"""A release that answers as it should and fills its own log with errors is taken back by what it says there."""

import os
import signal
from pathlib import Path

from bluegreen.demo.children import Child
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import baseline, colours_served, crowd, deploy, ended, events, eventually
from tests.e2e.conftest import MakeStage

WATCHED = """
[[watch.log_lines]]
name = "errors"
pattern = '\\bERROR\\b'
"""


async def _set_up(make_stage: MakeStage, extra: str = WATCHED, window: str = "25s") -> Stage:
    """A stage whose logs are followed as an operator would follow files."""
    stage = make_stage(pace=Pace(window=window, standby="0s"), extra=extra)
    await stage.set_up()
    logs = ", ".join(f'"{stage.sample}/{{colour}}-{service}.log"' for service in ("accounts", "shop"))
    text = stage.config.read_text()
    stage.config.write_text(text.replace("\nlogs = [", f'\nfollow = ["tail", "-n", "0", "-F", {logs}]\nlogs = ['))
    await stage.start_daemon()
    return stage


async def test_a_release_that_answers_200_and_logs_errors_is_cut_back_with_the_line(make_stage: MakeStage) -> None:
    stage = await _set_up(make_stage)
    async with crowd(stage, seconds=240.0) as users:
        await baseline(stage, users, 900)
        back = await ended(stage, await deploy(stage, "1.1.0-noisy-0.5"))
        assert await colours_served(stage) == {"blue"}
        records = await users.leave()
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert "the session of this user could not be saved" in back.reason
    assert not [record for record in records if record.colour == "green" and (record.status or 500) >= 500]
    print(f"\n{back.reason}")


async def test_what_a_release_uses_that_is_deprecated_is_told_and_decides_nothing(make_stage: MakeStage) -> None:
    stage = await _set_up(make_stage, extra="", window="3s")
    async with crowd(stage) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0-deprecated")
        live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    told = live.facts["deprecations"]
    assert told["n"] == 2  # each of its two services says so at its start
    assert "the cookie format of 1.0 is deprecated" in told["first"]
    end = next(event for event in await events(stage, id) if event.name == "deployment.ended")
    assert "2 deprecation warnings, first: " in str(end.facts["deprecations"])


async def test_what_follows_the_logs_ends_with_the_daemon_also_when_it_is_killed(make_stage: MakeStage) -> None:
    stage = await _set_up(make_stage)
    await eventually(lambda: len(_following(stage)) == 2, 20.0)
    first = _following(stage)
    await stage.kill_daemon()
    await eventually(lambda: not _following(stage), 20.0)
    await stage.start_daemon()
    await eventually(lambda: len(_following(stage)) == 2, 20.0)
    assert not first & _following(stage)
    await stage.stop_daemon()
    await eventually(lambda: not _following(stage), 20.0)


async def test_a_follow_that_is_killed_is_begun_again(make_stage: MakeStage) -> None:
    stage = await _set_up(make_stage)
    await eventually(lambda: len(_following(stage)) == 2, 20.0)
    killed = _following(stage)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: len(_following(stage) - killed) == 2, 20.0)


def _following(stage: Stage) -> set[int]:
    """The pids of what follows this stage's logs."""
    here = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    commands = {child.pid: child.command for pid in here if (child := Child.of(pid)) is not None}
    logs = str(stage.sample)
    return {pid for pid, words in commands.items() if words[:1] == ["tail"] and any(logs in word for word in words)}
