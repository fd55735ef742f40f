"""The verbs against a real API on a real socket: what they ask, print and end with."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen
from bluegreen.app.requests import Caller, PlanRequest
from bluegreen.domain import errors
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import (
    ABORTED,
    BEGAN,
    DONE,
    NO_WAY_BACK,
    NOT_READY,
    QUARANTINED,
    WORSE,
    a_deployment,
    a_plan,
    a_status,
    at,
    refusal,
    then,
    until,
)


def invoke(served: Served, *words: str, **environment: str) -> Result:
    """Run a verb in this process; its output goes to no terminal."""
    return CliRunner().invoke(bluegreen, words, env={"BLUEGREEN_SOCKET": str(served.path), **environment})


def orders(served: Served) -> list[tuple[Any, ...]]:
    """What the daemon was told, without who told it."""
    return [tuple(part for part in call if not isinstance(part, Caller)) for call in served.service.calls]


# --- looking


def test_status_prints_its_lines(served: Served) -> None:
    result = invoke(served, "status")
    assert result.exit_code == 0
    assert result.stdout == "● blue serves 1.0.0 (accounts, shop); nothing is moving\n"


def test_quiet_status_is_one_line(served: Served) -> None:
    served.service.play(at(Phase.AWAITING))
    assert len(invoke(served, "status", "-q").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "json", "status"],
        ["status", "-o", "json"],
        ["-o", "text", "status", "--output", "json"],
        ["-o", "json", "--no-color", "-v", "status"],
    ],
)
def test_global_options_work_before_and_after_the_verb(served: Served, words: list[str]) -> None:
    result = invoke(served, *words)
    assert json.loads(result.stdout)["project"] == "olympus"


@pytest.mark.parametrize("before", [True, False])
def test_the_socket_is_the_options_before_it_is_the_environments(served: Served, before: bool) -> None:
    socket = ["--socket", str(served.path)]
    words = [*socket, "status"] if before else ["status", *socket]
    assert invoke(served, *words, BLUEGREEN_SOCKET="/nowhere").exit_code == 0


@pytest.mark.parametrize("words", [["--version"], ["status", "--version"]])
def test_the_version_is_told_anywhere(served: Served, words: list[str]) -> None:
    assert invoke(served, *words).stdout.startswith("bluegreen 0.")


def test_json_escapes_what_a_terminal_would_obey(served: Served) -> None:
    served.service.picture = a_status(traffic=None, traffic_error="\x1b[2J\x9b\u202e")
    out = invoke(served, "-o", "json", "status").stdout
    assert json.loads(out)["traffic_error"] == "\x1b[2J\x9b\u202e"
    assert all(character.isprintable() or character == "\n" for character in out)


def test_history_asks_for_as_many_pages_as_it_needs(served: Served) -> None:
    served.service.past = [at(Phase.LIVE, id=f"d-{number}") for number in range(250)]
    assert len(invoke(served, "history").stdout.splitlines()) == 21
    assert len(invoke(served, "history", "-n", "230").stdout.splitlines()) == 231
    found = json.loads(invoke(served, "history", "-n", "1000", "-o", "json").stdout)
    assert [item["id"] for item in found] == [f"d-{number}" for number in range(250)]


def test_show_tells_the_whole_story_of_one(served: Served) -> None:
    served.service.past = [then(at(Phase.WATCHING), WORSE, DONE)]
    out = invoke(served, "show", "d-1").stdout
    assert out.startswith("✖ d-1: deploy of 1.1.0 to green, REVERTED")
    assert "✔ PREPARING" in out
    assert "users are on blue (1.0.0) again" in out
    assert "5xx 38 of 1,204" in out


def test_logs_print_what_commands_printed_and_can_be_narrowed(served: Served) -> None:
    service = served.service
    service.play(at(Phase.STARTING))
    service.told.clear()
    served.run(service.tell(Event("phase.entered", BEGAN, "d-1", "STARTING", {"previous": "PROVING"})))
    output = {"command": "up green", "output": "pulling\x1b[2J\nstarted"}
    served.run(service.tell(Event("command.finished", BEGAN, "d-1", "STARTING", output)))
    served.run(service.tell(Event("phase.entered", BEGAN, "d-1", "TESTING", {})))
    lines = invoke(served, "logs", "--phase", "starting").stdout.splitlines()
    assert lines[1].endswith("STARTING     command.finished up green")
    assert lines[2:] == ["    pulling�[2J", "    started"]
    assert len(json.loads(invoke(served, "logs", "d-1", "-o", "json").stdout)) == 3


def test_logs_can_be_followed_to_the_end(served: Served) -> None:
    service = served.service
    service.play(*until(Phase.LIVE))
    lines = invoke(served, "logs", "-f", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(service.told) + 1))
    assert json.loads(lines[-1])["name"] == "deployment.ended"


# --- going forward


def test_plan_says_what_would_be_done_and_ends_with_the_command(served: Served) -> None:
    result = invoke(served, "plan", "1.1.0", "--auto-promote", "--contract", "--reason", "because\n of  it")
    assert result.exit_code == 0
    assert result.stdout.startswith("deploy of 1.1.0 to green; blue serves 1.0.0 now")
    assert result.stdout.endswith("next: bluegreen deploy --plan p-1\n")
    wanted = PlanRequest("1.1.0", auto_promote=True, contract=True, reason="because of it")
    assert orders(served) == [("plan", wanted)]


def test_a_plan_that_nobody_may_carry_out_ends_with_what_would_allow_it(served: Served) -> None:
    served.service.made = a_plan(warnings=(errors.OBSERVED,))
    assert invoke(served, "plan", "1.1.0").stdout.endswith('next: set automation = "act", then: bluegreen reload\n')


@pytest.mark.parametrize(("live", "code"), [("1.0.0", 10), ("1.1.0", 0)])
def test_plan_tells_scripts_whether_anything_would_change(served: Served, live: str, code: int) -> None:
    served.service.made = a_plan(live_release=live)
    assert invoke(served, "plan", "1.1.0", "--exit-code").exit_code == code
    assert invoke(served, "plan", "1.1.0").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy"], "either a RELEASE or a plan"),
        (["deploy", "1.1.0", "--plan", "p-1", "-y"], "either a RELEASE or a plan"),
        (["deploy", "--plan", "p-1", "-y", "--contract"], "plan again"),
        (["deploy", "1.1.0"], "add -y"),
        (["deploy", "1.1.0", "-y", "--force"], "needs a --reason"),
        (["deploy", "1.1.0", "-y", "--live-is-down"], "needs a --reason"),
        (["deploy", "1.1.0", "-y", "--timeout", "soon"], "no duration"),
        (["resolve", "d-1"], "--reason"),
        (["explode"], "No such command"),
    ],
)
def test_wrong_usage_starts_nothing_and_ends_with_two(served: Served, words: list[str], said: str) -> None:
    result = invoke(served, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert orders(served) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["plan", "1.0;rm"],
            (
                "✖ release: must be a name of letters, digits, dots, _ and -, at most 64, that begins with no dot and "
                "no -\n  next: bluegreen plan --help\n"
            ),
        ),
        (["pause", "--reason", " "], "✖ reason: must not be empty\n  next: bluegreen pause --help\n"),
        (
            ["pause", "--reason", "lunch", "--for", "0"],
            "✖ seconds: must be more than 0.0\n  next: bluegreen pause --help\n",
        ),
        (
            ["abort", "--reason", "\x1b[2J"],
            "✖ reason: must be one line, without control characters\n  next: bluegreen abort --help\n",
        ),
    ],
    ids=["release", "reason", "pause", "control"],
)
def test_what_the_daemon_refuses_to_read_is_said_without_a_pattern_and_with_what_to_type(
    served: Served, words: list[str], said: str
) -> None:
    result = invoke(served, *words)
    assert (result.exit_code, result.stderr) == (2, said)


STANDING_BY = until(Phase.STANDING_BY)


@pytest.mark.parametrize(
    ("states", "words", "code", "said"),
    [
        pytest.param(STANDING_BY, [], 0, "✔ 1.1.0 serves all users on green", id="standing-by"),
        pytest.param(until(Phase.LIVE), ["--wait-final"], 0, "✔ LIVE: 1.1.0 is live", id="wait-final"),
        pytest.param(
            [a_deployment(), then(a_deployment(), QUARANTINED)], [], 6, "■ ABANDONED: 1.1.0 was not deployed", id="gate"
        ),
        pytest.param(
            [*until(Phase.STARTING), then(at(Phase.STARTING), NOT_READY), then(at(Phase.STARTING), NOT_READY, DONE)],
            [],
            20,
            "users never left blue",
            id="failed",
        ),
        pytest.param(
            [*until(Phase.WATCHING), then(at(Phase.WATCHING), WORSE), then(at(Phase.WATCHING), WORSE, DONE)],
            [],
            21,
            "users are on blue (1.0.0) again",
            id="regressed",
        ),
        pytest.param(
            [*until(Phase.WATCHING), then(at(Phase.WATCHING), ABORTED), then(at(Phase.WATCHING), ABORTED, DONE)],
            [],
            22,
            "abort by uid 0 (root) (operator)",
            id="cut-back-by-hand",
        ),
        pytest.param(
            [*until(Phase.WATCHING), then(at(Phase.WATCHING), WORSE), then(at(Phase.WATCHING), WORSE, NO_WAY_BACK)],
            [],
            23,
            "STRANDED: 1.1.0 needs you",
            id="stranded",
        ),
    ],
)
def test_deploy_follows_to_the_end_and_tells_it_by_words_and_code(
    served: Served, states: list[Deployment], words: list[str], code: int, said: str
) -> None:
    served.service.play(*states)
    result = invoke(served, "deploy", "1.1.0", "-y", *words)
    assert result.exit_code == code, result.output
    lines = result.stdout.splitlines()
    assert any(line.startswith("deploy of 1.1.0 to green") for line in lines)
    assert said in result.stdout
    assert orders(served)[0][0] == "plan"
    assert orders(served)[1][1].plan == "p-1"
    followed = [line[9:] for line in lines if line[2:3] == ":" and line[5:6] == ":"]
    assert followed[0].startswith("▶ deployment d-1")
    entered = [phase for state in states[1:] for phase in state.path[-2:-1]]
    for phase in entered:
        assert any(phase in line for line in followed), phase


def test_deploy_of_a_plan_shows_that_plan_and_starts_it(served: Served) -> None:
    served.service.play(*STANDING_BY)
    result = invoke(served, "deploy", "--plan", "p-1", "-y")
    assert result.exit_code == 0
    assert [order[0] for order in orders(served)] == ["deploy"]


def test_a_deployment_may_be_left_to_itself(served: Served) -> None:
    served.service.play(a_deployment())
    result = invoke(served, "deploy", "1.1.0", "-y", "--no-watch")
    assert result.exit_code == 0
    assert "next: bluegreen watch d-1" in result.stdout


def test_a_deployment_for_programs_is_one_document_and_the_rest_goes_aside(served: Served) -> None:
    served.service.play(*STANDING_BY)
    result = invoke(served, "deploy", "1.1.0", "-y", "-o", "json")
    assert json.loads(result.stdout)["phase"] == "STANDING_BY"
    assert "PREPARING" in result.stderr


def test_a_quiet_deployment_says_how_it_ended_and_nothing_else(served: Served) -> None:
    served.service.play(*STANDING_BY)
    result = invoke(served, "deploy", "1.1.0", "-y", "-q")
    assert result.stdout.startswith("✔ 1.1.0 serves all users on green")


def test_the_time_to_wait_ends_and_the_deployment_goes_on(served: Served) -> None:
    served.service.play(at(Phase.AWAITING))
    result = invoke(served, "deploy", "1.1.0", "-y", "--timeout", "1s")
    assert result.exit_code == 124
    assert "Deployment d-1 goes on" in result.stderr
    assert "next: bluegreen watch d-1" in result.stderr


def test_at_the_gate_it_says_what_to_type(served: Served) -> None:
    given_up = then(at(Phase.AWAITING), ABORTED)
    served.service.play(*until(Phase.AWAITING), given_up, then(given_up, DONE))
    result = invoke(served, "watch")
    assert "waiting for you: bluegreen promote d-1" in result.stdout


def test_what_the_stream_did_not_bring_is_told_before_the_end(served: Served) -> None:
    async def deaf(after: int, deployment: str = "") -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event("never", BEGAN)

    served.service.follow = deaf  # type: ignore[method-assign]
    served.service.play(*until(Phase.LIVE))
    lines = invoke(served, "watch", "--wait-final").stdout.splitlines()
    assert any("✔ RETIRING" in line for line in lines)
    assert lines[-1].startswith("✔ LIVE")


@pytest.mark.parametrize(
    ("deployment", "code"),
    [(at(Phase.LIVE), 0), (at(Phase.RETIRING), 0), (then(at(Phase.WATCHING), WORSE, DONE), 21)],
)
def test_watch_ends_as_deploy_does(served: Served, deployment: Deployment, code: int) -> None:
    served.service.play(deployment)
    assert invoke(served, "watch").exit_code == code
    assert invoke(served, "watch", "d-1").exit_code == code


def test_watch_of_nothing_says_what_to_do(served: Served) -> None:
    result = invoke(served, "watch")
    assert result.exit_code == 1
    assert "next: bluegreen history" in result.stderr


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["rollback"], ("rollback", "", "")),
        (["rollback", "1.0.0", "--reason", "x"], ("rollback", "1.0.0", "x")),
        (["retry"], ("retry", "current")),
        (["retry", "d-1"], ("retry", "d-1")),
    ],
)
def test_rollback_and_retry_are_followed_like_a_deployment(
    served: Served, words: list[str], order: tuple[str, ...]
) -> None:
    served.service.play(*STANDING_BY)
    result = invoke(served, *words)
    assert result.exit_code == 0, result.output
    assert orders(served) == [order]


# --- steering


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["promote"], ("promote", "current", "")),
        (["promote", "d-1", "--reason", "seen"], ("promote", "d-1", "seen")),
        (["resolve", "d-1", "--reason", "restarted  caddy"], ("resolve", "d-1", "restarted caddy")),
    ],
)
def test_an_order_that_is_done_at_once_ends_with_zero(served: Served, words: list[str], order: tuple[str, ...]) -> None:
    served.service.play(at(Phase.AWAITING))
    result = invoke(served, *words)
    assert result.exit_code == 0
    assert orders(served) == [order]
    assert "next: " in result.stdout


def test_a_second_promote_says_that_there_was_nothing_to_do(served: Served) -> None:
    served.service.play(at(Phase.WATCHING))
    assert "promoted already" in invoke(served, "promote").stdout


BACK = [at(Phase.WATCHING), then(at(Phase.WATCHING), ABORTED), then(at(Phase.WATCHING), ABORTED, DONE)]
GIVEN_UP = [at(Phase.STARTING), then(at(Phase.STARTING), ABORTED), then(at(Phase.STARTING), ABORTED, DONE)]
LOST = [at(Phase.WATCHING), then(at(Phase.WATCHING), ABORTED), then(at(Phase.WATCHING), ABORTED, NO_WAY_BACK)]


@pytest.mark.parametrize(
    ("words", "states", "code", "said"),
    [
        pytest.param(["cutback"], BACK, 0, "✔ REVERTED", id="cutback-proved"),
        pytest.param(["cutback", "--force", "--reason", "bad"], BACK, 0, "✔ REVERTED", id="cutback-forced"),
        pytest.param(["cutback"], GIVEN_UP, 0, "✔ ABANDONED", id="cutback-before-the-switch"),
        pytest.param(["cutback"], LOST, 23, "✖ STRANDED", id="cutback-stranded"),
        pytest.param(["cutback"], [at(Phase.RETIRING), at(Phase.LIVE)], 5, "LIVE", id="cutback-too-late"),
        pytest.param(["abort"], GIVEN_UP, 0, "✔ ABANDONED", id="abort"),
        pytest.param(["abort", "d-1"], BACK, 0, "✔ REVERTED", id="abort-after-the-switch"),
        pytest.param(["abort"], [at(Phase.CONTRACTING), at(Phase.LIVE)], 0, "LIVE", id="abort-of-contracting"),
        pytest.param(["abort"], LOST, 23, "✖ STRANDED", id="abort-stranded"),
    ],
)
def test_going_back_is_waited_for(
    served: Served, words: list[str], states: list[Deployment], code: int, said: str
) -> None:
    served.service.play(*states)
    result = invoke(served, *words)
    assert result.exit_code == code, result.output
    assert said in result.stdout


def test_going_back_tells_only_what_happens_from_now_on(served: Served) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    served.service.play(BACK[0], *(replace(state, phase_since=later) for state in BACK[1:]))
    lines = invoke(served, "cutback").stdout.splitlines()
    assert "REVERTING" in lines[1]
    assert not any("SWITCHING" in line for line in lines)


# --- failures


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.WrongPhase, 5),
        (errors.DeploymentInProgress, 5),
        (errors.PlanStale, 5),
        (errors.GateRefused, 6),
        (errors.NotPermitted, 4),
        (errors.JournalUnwritable, 1),
        (errors.ConfigurationError, 78),
    ],
)
def test_a_refusal_is_told_with_what_to_type_and_its_code(
    served: Served, error: type[errors.BluegreenError], code: int
) -> None:
    served.service.play(at(Phase.WATCHING))
    served.service.refusal = refusal(error, "not\x1b[2J now")
    result = invoke(served, "promote")
    assert result.exit_code == code
    assert result.stderr.splitlines() == ["✖ not�[2J now", "  next: bluegreen status"]


def test_a_daemon_that_does_not_run_is_told_with_what_to_type(served: Served) -> None:
    result = invoke(served, "--socket", "/nowhere/api.sock", "status")
    assert result.exit_code == 3
    assert "does not run: nobody listens on /nowhere/api.sock" in result.stderr
    assert "next: systemctl status bluegreen" in result.stderr


def test_a_release_name_that_is_a_path_is_wrong_usage(served: Served) -> None:
    assert invoke(served, "plan", "../1.1.0").exit_code == 2
