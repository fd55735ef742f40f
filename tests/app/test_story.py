"""The log of a deployment reads as one story: every line knows its deployment, each phase has one line, and what a
person should know is a warning."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from bluegreen.app.log_lines import OUTPUT_LOGGED, lines
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

BEGAN = datetime(2026, 11, 20, 20, 4, 11, tzinfo=UTC)
STORY = "deployment.started", "phase.ended", "traffic.switched", "traffic.returned", "deployment.ended", "gate.reached"


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


def of(log: list[Any], name: str) -> list[Any]:
    return [line for line in log if line["event"] == name]


async def test_a_good_deployment_is_told_phase_by_phase_and_only_warns_of_what_it_could_not_see(
    outside: Outside, log: list[Any]
) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        await daemon.deploy()
        live = await daemon.end()
    phases = of(log, "phase.ended")
    assert [line["phase"] for line in phases] == [phase for phase in live.path if not phase.final]
    assert [line["then"] for line in phases] == list(live.path[1:])
    assert {(line["outcome"], line["attempt"], line["log_level"]) for line in phases} == {("done", 1, "info")}
    assert all(line["reason"] and line["seconds"] >= 0 for line in phases)
    assert {line["deployment"] for line in log} == {live.id}
    told = [line["event"] for line in log if line["event"] in STORY]
    assert told[0], told[-1] == ("deployment.started", "deployment.ended")
    assert told.index("traffic.switched") == told.index("phase.ended") + [line["phase"] for line in phases].index(
        "SWITCHING"
    )
    (switched,) = of(log, "traffic.switched")
    assert switched["generation"] == 1
    assert switched["seconds"] >= 0
    assert switched["failed"] == 0
    (end,) = of(log, "deployment.ended")
    assert (end["outcome"], end["log_level"], end["moved"], end["kind"]) == ("LIVE", "info", True, "deploy")
    assert end["phase_seconds"] == {line["phase"]: line["seconds"] for line in phases}
    assert end["requests"] > 0
    assert "bad" not in end, "nothing bad, nothing said"
    assert {line["event"] for line in log if line["log_level"] != "info"} <= {"deployment.warned"}


async def test_a_release_that_is_taken_back_says_how_fast_and_how_many_users_it_hurt(
    outside: Outside, log: list[Any]
) -> None:
    outside.change(window=300.0, standby=300.0)
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.users.failing[GREEN] = 0.5
        back = await daemon.end()
    (watched,) = [line for line in of(log, "phase.ended") if line["phase"] == "WATCHING"]
    assert (watched["outcome"], watched["log_level"], watched["then"]) == ("failed", "warning", "REVERTING")
    assert watched["reason"] == back.reason
    (returned,) = of(log, "traffic.returned")
    assert returned["log_level"] == "warning"
    assert (returned["to"], returned["generation"]) == (BLUE, 2)
    assert 0 <= returned["detect_seconds"] < 60
    assert 0 <= returned["seconds"] < 5
    assert 0 < returned["bad"]["5xx"] <= outside.users.got_bad[GREEN]
    assert returned["bad"]["5xx"] < returned["requests"]
    (end,) = of(log, "deployment.ended")
    assert (end["outcome"], end["cause"], end["log_level"]) == ("REVERTED", "regressed", "warning")
    assert end["reason"] == back.reason
    assert end["bad"] == returned["bad"]
    assert end["next"]


async def test_what_never_moved_says_so_and_warns(outside: Outside, log: list[Any]) -> None:
    outside.runners[GREEN].failing["up"] = "no such image"
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    warned = [(line["event"], line.get("phase")) for line in log if line["log_level"] == "warning"]
    assert ("phase.ended", "STARTING") in warned
    (end,) = of(log, "deployment.ended")
    assert (end["outcome"], end["moved"], end["log_level"]) == ("ABANDONED", False, "warning")
    assert "requests" not in end
    assert end["phase_seconds"].keys() >= {"STARTING", "ABANDONING"}


async def test_the_gate_is_a_warning_with_the_command_to_type(outside: Outside, log: list[Any]) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        waiting = await daemon.deploy()
        await daemon.reach(Phase.AWAITING)
        await asyncio.sleep(1)
    (gate,) = of(log, "gate.reached")
    assert (gate["log_level"], gate["next"]) == ("warning", [f"bluegreen promote {waiting.id}"])


async def test_a_restart_in_the_middle_is_told_and_the_numbers_go_on(outside: Outside, log: list[Any]) -> None:
    outside.change(window=60.0)
    async with running(outside) as daemon:
        await asyncio.sleep(600)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        await asyncio.sleep(10)
    async with running(outside) as daemon:
        await daemon.end()
    (resumed,) = of(log, "deployment.resumed")
    assert (resumed["log_level"], resumed["attempt"]) == ("warning", 2)
    phases = of(log, "phase.ended")
    assert len({line["phase"] for line in phases}) == len(phases), "one line for each phase, also for the resumed one"
    (end,) = of(log, "deployment.ended")
    assert end["phase_seconds"].keys() == {line["phase"] for line in phases}
    assert end["requests"] > 10, "what users got before the restart counts"


def test_the_log_has_the_end_of_a_long_output_and_no_field_that_says_nothing() -> None:
    long = "x" * 5 * OUTPUT_LOGGED + "the end"
    facts = {"command": "up green", "output": long, "reason": "", "next": [], "severity": "warning", "n": 0}
    ((level, name, fields),) = lines(Event("command.finished", BEGAN, "d-1", "STARTING", facts))
    assert (level, name) == ("warning", "command.finished")
    assert set(fields) == {"deployment", "phase", "command", "output", "n"}
    assert fields["output"].endswith("the end")
    assert len(fields["output"]) < OUTPUT_LOGGED + 10


SECRET = "correct-horse-battery"


async def test_a_secret_in_what_others_say_leaves_the_app_nowhere(
    outside: Outside, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: the reason of a failed attempt at the way back was told as it came."""
    world = outside.world
    monkeypatch.setattr(outside, "world", lambda: replace(world(), redact=lambda text: text.replace(SECRET, "***")))
    outside.runners[GREEN].failing["up"] = f"login with {SECRET} was refused"
    async with running(outside) as daemon:
        await daemon.deploy()
        given_up = await daemon.end()
        status = await daemon.service.status()
        events = await daemon.events()
    assert "login with ***" in given_up.reason
    for shown in (given_up, status, events, log, outside.notifier.sent, await outside.journal.deployments(10)):
        assert SECRET not in str(shown)
    assert "***" in str(outside.notifier.sent)
