"""What a restart does: every row of the table, decided by looking and never by assuming."""

from dataclasses import dataclass

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import NEXT, Outcome, Phase
from bluegreen.domain.records import Intent
from bluegreen.domain.recovery import READS_TRAFFIC, Resume, resume
from bluegreen.domain.traffic import Traffic
from tests.domain.examples import BLUE, GREEN, deployment, traffic
from tests.virtual_time import EPOCH

OURS = 7
"""The generation of the switch."""

OLD, NEW = traffic(BLUE), traffic(GREEN, OURS)
BACK, EARLIER = traffic(BLUE, OURS + 1), traffic(BLUE, OURS - 1)
MIXED, ELSEWHERE = traffic(GREEN, OURS, api=BLUE), traffic(None)


def switch(outcome: Outcome | None) -> Intent:
    return Intent("i-1", "d-1", Phase.SWITCHING, "switch", {"to": "green", "generation": OURS}, EPOCH, outcome)


OPEN, DONE, REFUSED = switch(None), switch(Outcome.DONE), switch(Outcome.FAILED)


@dataclass(frozen=True)
class Row:
    """Saved phase, the last intent to switch, what Caddy serves: and what follows."""

    id: str
    phase: Phase
    intent: Intent | None
    seen: Traffic | None
    then: Resume
    cause: Cause | None = None


RUN_AGAIN = [
    Row(f"{phase}: run again", phase, None, None, Resume.RUN_AGAIN) for phase in NEXT if phase not in READS_TRAFFIC
]
SWITCHING = [
    Row("open intent, new colour, our generation: on to the proof", Phase.SWITCHING, OPEN, NEW, Resume.PROVE),
    Row(
        "open intent, new colour, no generation: back",
        Phase.SWITCHING,
        OPEN,
        traffic(GREEN),
        Resume.FAIL,
        Cause.RESTARTED,
    ),
    Row(
        "open intent, new colour, another's generation: back",
        Phase.SWITCHING,
        OPEN,
        traffic(GREEN, OURS + 1),
        Resume.FAIL,
        Cause.RESTARTED,
    ),
    Row("open intent, old colour: back, no second try", Phase.SWITCHING, OPEN, OLD, Resume.FAIL, Cause.RESTARTED),
    Row("open intent, half and half: back", Phase.SWITCHING, OPEN, MIXED, Resume.FAIL, Cause.RESTARTED),
    Row("open intent, neither colour: back", Phase.SWITCHING, OPEN, ELSEWHERE, Resume.FAIL, Cause.RESTARTED),
    Row("done, new colour: on to the proof", Phase.SWITCHING, DONE, NEW, Resume.PROVE),
    Row("done, old colour: back", Phase.SWITCHING, DONE, OLD, Resume.FAIL, Cause.RESTARTED),
    Row("done, neither colour: back", Phase.SWITCHING, DONE, ELSEWHERE, Resume.FAIL, Cause.RESTARTED),
    Row("failed, old colour: back", Phase.SWITCHING, REFUSED, OLD, Resume.FAIL, Cause.RESTARTED),
    Row("failed, new colour all the same: back", Phase.SWITCHING, REFUSED, NEW, Resume.FAIL, Cause.RESTARTED),
    Row("nothing written, old colour: run again", Phase.SWITCHING, None, OLD, Resume.RUN_AGAIN),
    Row("nothing written, new colour: back", Phase.SWITCHING, None, NEW, Resume.FAIL, Cause.MOVED_OUTSIDE),
    Row("nothing written, neither colour: back", Phase.SWITCHING, None, ELSEWHERE, Resume.FAIL, Cause.MOVED_OUTSIDE),
    Row("canary, nothing written, old colour: run again", Phase.CANARYING, None, OLD, Resume.RUN_AGAIN),
    Row("canary, open intent, old colour: back", Phase.CANARYING, OPEN, OLD, Resume.FAIL, Cause.RESTARTED),
]
WATCHING = [
    row
    for phase in (Phase.WATCHING, Phase.STANDING_BY)
    for row in (
        Row(f"{phase}, new colour: watch on", phase, DONE, NEW, Resume.RUN_AGAIN),
        Row(f"{phase}, new colour without stamp: watch on", phase, DONE, traffic(GREEN), Resume.RUN_AGAIN),
        Row(f"{phase}, old colour: back", phase, DONE, OLD, Resume.FAIL, Cause.MOVED_OUTSIDE),
        Row(f"{phase}, old colour, our later stamp: we did", phase, DONE, BACK, Resume.FAIL, Cause.SENT_BACK),
        Row(f"{phase}, old colour, an earlier stamp: back", phase, DONE, EARLIER, Resume.FAIL, Cause.MOVED_OUTSIDE),
        Row(f"{phase}, half and half: back", phase, DONE, MIXED, Resume.FAIL, Cause.MOVED_OUTSIDE),
        Row(f"{phase}, neither colour: back", phase, DONE, ELSEWHERE, Resume.FAIL, Cause.MOVED_OUTSIDE),
    )
]


@pytest.mark.parametrize("row", RUN_AGAIN + SWITCHING + WATCHING, ids=lambda row: row.id)
def test_a_restart_does_what_its_row_of_the_table_says(row: Row) -> None:
    saved = deployment(row.phase, moved=row.intent is not None)
    decision = resume(saved, row.intent, row.seen)
    assert (decision.resume, decision.cause) == (row.then, row.cause)
    assert decision.reason


def test_a_failure_of_a_restart_leads_back_in_every_phase_that_may_fail_so() -> None:
    assert all(NEXT[phase][Outcome.FAILED] is Phase.REVERTING for phase in READS_TRAFFIC)


def test_a_move_that_was_intended_but_whose_intent_is_lost_is_not_tried_again() -> None:
    decision = resume(deployment(Phase.SWITCHING, moved=True), None, OLD)
    assert decision.resume is Resume.FAIL


@pytest.mark.parametrize("phase", sorted(READS_TRAFFIC))
def test_nothing_is_decided_about_traffic_without_having_looked(phase: Phase) -> None:
    with pytest.raises(ValueError, match="without having read"):
        resume(deployment(phase), None, None)


def test_the_reason_names_where_traffic_was_found() -> None:
    decision = resume(deployment(Phase.WATCHING, moved=True), DONE, MIXED)
    assert "web -> 127.0.0.1:2001" in decision.reason
    assert "api -> 127.0.0.1:1003" in decision.reason
