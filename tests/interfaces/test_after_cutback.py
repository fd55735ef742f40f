"""What people read of a comparison after a cutback, of a canary, and of a way back that is lost."""

from dataclasses import replace
from datetime import UTC, datetime

from bluegreen.app.requests import Status, WatchStatus
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import CanaryStep
from bluegreen.domain.traffic import Split, Traffic
from bluegreen.interfaces.models import Status as Shown
from bluegreen.interfaces.render import headline, status_lines, watch_lines
from bluegreen.interfaces.reports import deployment_lines, outcome_lines, promoted_lines
from tests.domain.examples import BLUE, GREEN, deployment, plan, terms, traffic
from tests.virtual_time import EPOCH

FOUND = "the release is to blame: 5xx 12 of 12 (100 %) on green before the cutback, 0 of 9 (0 %) on blue after it"

TAKEN_BACK = deployment(
    Phase.REVERTED,
    moved=True,
    cause=Cause.REGRESSED,
    reason="5xx 12 of 12",
    ended_at=EPOCH,
    facts={"aftermath": {"finding": "release", "text": FOUND}},
)

SHARED = Traffic(tuple(replace(each, split=Split(GREEN, 0.05)) for each in traffic(None, 3).services))


def status(**changes: object) -> Status:
    """Blue serves, and nothing runs."""
    usual = Status(
        project="olympus",
        version="0.1.0",
        started_at=EPOCH,
        now=datetime(2026, 1, 5, 13, tzinfo=UTC),
        traffic=traffic(BLUE),
        traffic_error="",
        releases={BLUE: "1.0.0"},
        deployment=None,
        phase_seconds_left=None,
        watch=None,
        troubles=(),
    )
    return replace(usual, **changes)  # type: ignore[arg-type] # the tests name fields that there are


def text(lines: list[str]) -> str:
    """On one line: where it is broken is of no interest here."""
    return " ".join(" ".join(lines).split())


def test_the_status_says_that_it_is_being_compared() -> None:
    comparing = status(aftermath="comparing, 34 s left: cannot tell yet")
    assert "aftermath comparing, 34 s left: cannot tell yet" in text(status_lines(comparing))
    assert Shown.model_validate(comparing).aftermath.startswith("comparing")
    assert "aftermath" not in text(status_lines(status()))


def test_a_deployment_that_was_taken_back_says_what_was_found() -> None:
    assert FOUND in text(outcome_lines(TAKEN_BACK))
    assert FOUND in text(deployment_lines(TAKEN_BACK, ()))
    assert FOUND in text(status_lines(status(deployment=TAKEN_BACK)))


def test_users_who_are_shared_out_are_no_failure() -> None:
    sharing = status(traffic=SHARED)
    assert "5 % of the users on green, the others on blue" in headline(sharing)
    split = Shown.model_validate(sharing).traffic
    assert split is not None
    assert split.split is not None
    assert (split.split.colour, split.split.share) == (GREEN, 0.05)
    assert "journalctl" not in text(status_lines(sharing))


def test_a_promotion_says_that_it_ended_the_canary() -> None:
    sharing = deployment(Phase.CANARYING, plan=plan(terms=terms(canary=(CanaryStep(0.05, 60.0),))))
    assert "the canary of d-1 is over: all users go to 1.1.0 on green" in text(promoted_lines(sharing))


def test_a_way_back_that_is_lost_says_why() -> None:
    watch = WatchStatus("healthy", "", (), 60.0, "lost", way_back_why="blue fails its smoke checks: login: HTTP 500")
    assert "way back lost: blue fails its smoke checks: login: HTTP 500" in text(watch_lines(watch))
