"""The phase table is the one of the architecture, word for word."""

import pytest

from bluegreen.domain.phases import BEFORE_SWITCH, FINAL, NEXT, REOPENED, WATCHED, Outcome, Phase, next_phase

# The table as the architecture prints it: phase, then where done, failed and aborted lead ("-": ignored).
TABLE = """
PREPARING    BACKING_UP   ABANDONED   ABANDONED
BACKING_UP   REHEARSING   ABANDONED   ABANDONED
REHEARSING   EXPANDING    ABANDONED   ABANDONED
EXPANDING    PROVING      ASSESSING   ASSESSING
PROVING      STARTING     STRANDED    ABANDONED
STARTING     TESTING      ABANDONING  ABANDONING
TESTING      AWAITING     ABANDONING  ABANDONING
AWAITING     CANARYING    ABANDONING  ABANDONING
CANARYING    SWITCHING    REVERTING   REVERTING
SWITCHING    WATCHING     REVERTING   REVERTING
WATCHING     STANDING_BY  REVERTING   REVERTING
STANDING_BY  RETIRING     REVERTING   REVERTING
RETIRING     CONTRACTING  LIVE        REVERTING
CONTRACTING  LIVE         LIVE        LIVE
ASSESSING    ABANDONED    STRANDED    -
ABANDONING   ABANDONED    ABANDONED   -
REVERTING    REVERTED     STRANDED    -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    (Phase(row[0]), outcome, Phase(cell))
    for row in ROWS
    for outcome, cell in zip(Outcome, row[1:], strict=True)
    if cell != "-"
]
RECOVERING = {Phase.ASSESSING, Phase.ABANDONING, Phase.REVERTING}


@pytest.mark.parametrize(("phase", "outcome", "to"), CELLS, ids=[f"{p}-{o}-leads-to-{t}" for p, o, t in CELLS])
def test_every_move_is_the_one_of_the_table(phase: Phase, outcome: Outcome, to: Phase) -> None:
    assert next_phase(phase, outcome) is to


def test_there_are_no_moves_but_those_of_the_table() -> None:
    assert {(phase, outcome) for phase, row in NEXT.items() for outcome in row} == {cell[:2] for cell in CELLS}


@pytest.mark.parametrize("phase", sorted(RECOVERING))
def test_a_phase_that_recovers_ignores_an_abort(phase: Phase) -> None:
    assert phase.ignores_abort
    with pytest.raises(KeyError):
        next_phase(phase, Outcome.ABORTED)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in RECOVERING])
def test_every_other_phase_that_runs_heeds_an_abort(phase: Phase) -> None:
    assert not phase.ignores_abort


@pytest.mark.parametrize("phase", list(Phase))
def test_only_the_four_ends_are_final_and_no_move_leads_out_of_them(phase: Phase) -> None:
    assert phase.final == (phase.value in ("LIVE", "ABANDONED", "REVERTED", "STRANDED"))
    assert phase.final == (phase not in NEXT)


def test_only_a_stranded_deployment_is_opened_again_and_only_to_go_back() -> None:
    assert REOPENED == {Phase.STRANDED: Phase.REVERTING}


@pytest.mark.parametrize("phase", list(NEXT))
def test_every_phase_is_reached_from_the_first_and_reaches_an_end(phase: Phase) -> None:
    assert phase in _reachable(Phase.PREPARING)
    assert _reachable(phase) & FINAL


def test_no_path_goes_in_a_circle() -> None:
    assert all(phase not in _after(phase) for phase in NEXT)


def test_users_meet_the_new_release_in_no_phase_before_the_switch() -> None:
    assert set(BEFORE_SWITCH) == _reachable(Phase.PREPARING) - _reachable(Phase.CANARYING) - RECOVERING - FINAL


def test_an_alert_counts_from_the_canary_to_the_end_of_standby() -> None:
    assert {"CANARYING", "SWITCHING", "WATCHING", "STANDING_BY"} == WATCHED
    assert all(NEXT[phase][Outcome.FAILED] is Phase.REVERTING for phase in WATCHED)


def _after(phase: Phase) -> set[Phase]:
    return set().union(*(_reachable(to) for to in NEXT.get(phase, {}).values()))


def _reachable(phase: Phase) -> set[Phase]:
    found, waiting = set(), [phase]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += NEXT.get(here, {}).values()
    return found
