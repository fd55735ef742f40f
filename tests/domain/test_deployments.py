"""How a deployment moves: by the table alone, and never forgetting why it first turned back."""

from datetime import timedelta

import pytest

from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Kind
from tests.domain.examples import BLUE, GREEN, deployment, plan
from tests.virtual_time import EPOCH

LATER = EPOCH + timedelta(seconds=90)
DONE = Answer(Outcome.DONE, "all is well")
WORSE = Answer(Outcome.FAILED, "5xx 38 of 1,204", Cause.REGRESSED, ("bluegreen show d-1",), {"verdict": "regressed"})


def test_it_moves_to_the_next_phase_of_the_table_and_its_time_there_begins_anew() -> None:
    moved = deployment(Phase.PREPARING, elapsed=12.5).advance(DONE, LATER)
    assert (moved.phase, moved.phase_since, moved.elapsed) == (Phase.BACKING_UP, LATER, 0.0)
    assert moved.path == (Phase.PREPARING, Phase.BACKING_UP)


def test_what_a_phase_says_when_it_is_done_is_no_reason_of_the_deployment() -> None:
    moved = deployment(Phase.PREPARING).advance(DONE, LATER)
    assert (moved.reason, moved.cause) == ("", None)


def test_a_failure_leaves_its_cause_reason_facts_and_next_commands() -> None:
    moved = deployment(Phase.WATCHING).advance(WORSE, LATER)
    assert moved.phase is Phase.REVERTING
    assert (moved.cause, moved.reason) == (Cause.REGRESSED, "5xx 38 of 1,204")
    assert moved.next == ("bluegreen show d-1",)
    assert moved.facts == {"verdict": "regressed"}


def test_the_first_cause_is_kept_and_what_follows_is_told_after_it() -> None:
    worse = deployment(Phase.WATCHING).advance(WORSE, LATER)
    stuck = worse.advance(Answer(Outcome.FAILED, "Caddy is gone", Cause.STEP_FAILED, ("bluegreen cutback",)), LATER)
    assert stuck.phase is Phase.STRANDED
    assert stuck.cause is Cause.REGRESSED
    assert stuck.reason == "5xx 38 of 1,204; then: Caddy is gone"
    assert stuck.next == ("bluegreen cutback",)


def test_a_way_back_that_succeeds_keeps_the_reason_for_which_it_was_taken() -> None:
    ended = deployment(Phase.WATCHING).advance(WORSE, LATER).advance(DONE, LATER)
    assert (ended.phase, ended.reason, ended.cause) == (Phase.REVERTED, "5xx 38 of 1,204", Cause.REGRESSED)
    assert ended.ended_at == LATER


def test_it_has_ended_only_in_a_final_phase() -> None:
    assert deployment(Phase.AWAITING).advance(DONE, LATER).ended_at is None
    assert deployment(Phase.CONTRACTING).advance(DONE, LATER).ended_at == LATER


def test_a_move_that_the_table_does_not_have_is_a_bug_of_the_caller() -> None:
    with pytest.raises(KeyError):
        deployment(Phase.REVERTING).advance(Answer(Outcome.ABORTED), LATER)
    with pytest.raises(KeyError):
        deployment(Phase.LIVE).advance(DONE, LATER)


def test_a_stranded_deployment_is_opened_again_in_reverting_and_blocks_others_again() -> None:
    settled = deployment(Phase.STRANDED, settled=True, ended_at=EPOCH, path=(Phase.REVERTING, Phase.STRANDED))
    again = settled.reopen(LATER)
    assert (again.phase, again.ended_at, again.settled) == (Phase.REVERTING, None, False)
    assert again.path == (Phase.REVERTING, Phase.STRANDED, Phase.REVERTING)
    assert again.blocks_others


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REVERTED, Phase.ABANDONED, Phase.WATCHING])
def test_no_other_deployment_is_opened_again(phase: Phase) -> None:
    with pytest.raises(KeyError):
        deployment(phase).reopen(LATER)


@pytest.mark.parametrize("phase", list(Phase))
def test_others_wait_while_it_runs_and_while_it_is_stranded_and_unsettled(phase: Phase) -> None:
    assert deployment(phase).blocks_others == (not phase.final or phase is Phase.STRANDED)
    assert deployment(phase, settled=True).blocks_others == (not phase.final)


def test_a_restart_is_another_attempt_at_the_same_phase() -> None:
    resumed = deployment(Phase.STARTING, elapsed=7.0).resumed()
    assert (resumed.attempt, resumed.phase, resumed.elapsed) == (2, Phase.STARTING, 7.0)


def test_the_new_colour_is_the_one_that_was_idle() -> None:
    assert (deployment().old, deployment().new) == (BLUE, GREEN)


@pytest.mark.parametrize(
    ("kind", "live_is_down", "trusted"),
    [(Kind.DEPLOY, False, True), (Kind.DEPLOY, True, False), (Kind.ROLLBACK, False, False)],
)
def test_the_live_colour_is_trusted_but_in_a_rollback_and_where_it_is_known_to_be_down(
    kind: Kind, live_is_down: bool, trusted: bool
) -> None:
    assert plan(kind=kind, live_is_down=live_is_down).trusts_live == trusted


@pytest.mark.parametrize(
    ("cause", "moved", "kind", "worse"),
    [
        (Cause.REGRESSED, True, Kind.DEPLOY, True),
        (Cause.REGRESSED, False, Kind.DEPLOY, False),
        (Cause.OPERATOR, True, Kind.ROLLBACK, False),
        (Cause.MOVED_OUTSIDE, True, Kind.DEPLOY, False),
        (None, True, Kind.DEPLOY, False),
    ],
)
def test_a_release_was_found_worse_where_users_met_it_and_it_was_taken_back_for_what_it_is(
    cause: Cause | None, moved: bool, kind: Kind, worse: bool
) -> None:
    assert deployment(Phase.REVERTED, cause=cause, moved=moved, plan=plan(kind=kind)).found_worse == worse


@pytest.mark.parametrize("cause", list(Cause))
def test_only_a_judgement_of_the_release_quarantines_it(cause: Cause) -> None:
    """ "sent-back" was one: only what for is lost. The failsafe acts because the daemon fails."""
    assert cause.quarantines == (cause.value in ("regressed", "alert", "operator", "sent-back"))
