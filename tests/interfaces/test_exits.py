"""The table of exit codes: a contract with every script that calls us."""

from dataclasses import replace

import pytest

from bluegreen.domain.deployments import Answer, Cause, Deployment
from bluegreen.domain.errors import AlreadyRunning, BluegreenError, ConfigurationError, JournalUnwritable
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.interfaces.cli.exits import Exit, of_deployment, of_error, of_problem
from tests.interfaces.scripts import ABORTED, DONE, NO_WAY_BACK, NOT_READY, QUARANTINED, WORSE, a_deployment, at, then


def reverted(cause: Cause, *, moved: bool = True) -> Deployment:
    watched = replace(at(Phase.WATCHING), moved=moved)
    return then(watched, Answer(Outcome.FAILED, "because", cause), DONE)


@pytest.mark.parametrize(
    ("deployment", "code"),
    [
        pytest.param(at(Phase.LIVE), 0, id="live"),
        pytest.param(then(at(Phase.RETIRING), NOT_READY), 0, id="live-with-a-reason"),
        pytest.param(at(Phase.STANDING_BY), 0, id="standing-by"),
        pytest.param(then(a_deployment(), QUARANTINED), 6, id="gate-inside"),
        pytest.param(then(at(Phase.STARTING), NOT_READY, DONE), 20, id="failed-before-the-switch"),
        pytest.param(then(a_deployment(), NOT_READY), 20, id="failed-at-once"),
        pytest.param(reverted(Cause.STEP_FAILED, moved=False), 20, id="switch-never-began"),
        pytest.param(reverted(Cause.REGRESSED), 21, id="regressed"),
        pytest.param(reverted(Cause.ALERT), 21, id="alert"),
        pytest.param(reverted(Cause.BLIND), 21, id="blind"),
        pytest.param(reverted(Cause.DEADLINE), 21, id="deadline"),
        pytest.param(reverted(Cause.MOVED_OUTSIDE), 21, id="moved-outside"),
        pytest.param(reverted(Cause.RESTARTED), 21, id="restarted"),
        pytest.param(then(at(Phase.AWAITING), ABORTED, DONE), 22, id="aborted"),
        pytest.param(then(at(Phase.WATCHING), ABORTED, DONE), 22, id="cut-back-by-an-operator"),
        pytest.param(then(at(Phase.WATCHING), WORSE, NO_WAY_BACK), 23, id="stranded"),
    ],
)
def test_how_a_deployment_stands_is_the_exit_code(deployment: Deployment, code: int) -> None:
    assert of_deployment(deployment) == code


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        ("not-running", 0, 3),
        ("no-answer", 0, 3),
        ("denied", 0, 4),
        ("not-permitted", 403, 4),
        ("peer-unmapped", 403, 4),
        ("wrong-phase", 409, 5),
        ("deployment-in-progress", 409, 5),
        ("not-possible", 409, 5),
        ("plan-stale", 412, 5),
        ("gate-refused", 409, 6),
        ("validation", 422, 2),
        ("release-invalid", 422, 1),
        ("configuration", 422, 78),
        ("not-found", 404, 1),
        ("state-unwritable", 503, 1),
        ("internal", 500, 1),
        ("timeout", 0, 124),
        ("version", 0, 1),
    ],
)
def test_what_the_daemon_refuses_is_the_exit_code(problem: str, status: int, code: int) -> None:
    assert of_problem(problem, status) == code


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError(), 78), (AlreadyRunning(), 75), (JournalUnwritable(), 1)]
)
def test_what_keeps_a_daemon_from_starting_is_the_exit_code(error: BluegreenError, code: int) -> None:
    assert of_error(error) == code


def test_the_numbers_are_those_of_the_contract() -> None:
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 4, 5, 6, 10, 20, 21, 22, 23, 75, 78, 124, 130]
