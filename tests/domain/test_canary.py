"""A canary: what a restart does while users are shared out, and when a step may end before its time."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from bluegreen.domain.account import Account
from bluegreen.domain.canary import Served, describe_step, in_words, served_well, shared_cause
from bluegreen.domain.deployments import Cause
from bluegreen.domain.evidence import Judgement, judge
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import CanaryStep
from bluegreen.domain.records import Intent
from bluegreen.domain.recovery import Resume, resume
from bluegreen.domain.tolerance import tolerance
from bluegreen.domain.traffic import Colour, Split, Traffic
from bluegreen.domain.watch_rules import WatchRules
from tests.domain.examples import BLUE, GREEN, deployment, terms, traffic
from tests.virtual_time import EPOCH

OURS = 7
FIVE = Split(GREEN, 0.05)


def shared(split: Split | None, generation: int | None, **services: Split | None) -> Traffic:
    """Every service split so, but those named."""
    return Traffic(
        tuple(replace(each, split=services.get(each.service, split)) for each in traffic(None, generation).services)
    )


def split(outcome: Outcome | None) -> Intent:
    detail = {"to": "green", "share": 0.05, "generation": OURS, "step": 0}
    return Intent("i-1", "d-1", Phase.CANARYING, "split", detail, EPOCH, outcome)


OPEN, DONE, REFUSED = split(None), split(Outcome.DONE), split(Outcome.FAILED)
THERE = shared(FIVE, OURS)


@dataclass(frozen=True)
class Row:
    """Saved phase, the last intent to share users out, what Caddy serves: and what follows."""

    id: str
    phase: Phase
    intent: Intent
    seen: Traffic
    then: Resume
    cause: Cause | None = None


C, S = Phase.CANARYING, Phase.SWITCHING
ROWS = [
    Row("open, our share under our generation: on to the proof", C, OPEN, THERE, Resume.PROVE),
    Row("open, our share, another generation: back", C, OPEN, shared(FIVE, 8), Resume.FAIL, Cause.RESTARTED),
    Row("open, the share before: back", C, OPEN, shared(Split(GREEN, 0.01), 6), Resume.FAIL, Cause.RESTARTED),
    Row("open, old colour: back, no second try", C, OPEN, traffic(BLUE), Resume.FAIL, Cause.RESTARTED),
    Row("open, in the switch: back", S, OPEN, THERE, Resume.FAIL, Cause.RESTARTED),
    Row("done, the share stands: on", C, DONE, THERE, Resume.RUN_AGAIN),
    Row("done, the share stands without a stamp: on", C, DONE, shared(FIVE, None), Resume.RUN_AGAIN),
    Row("done, before the switch was tried: on", S, DONE, THERE, Resume.RUN_AGAIN),
    Row("done, one service differs: back", C, DONE, shared(FIVE, OURS, api=None), Resume.FAIL, Cause.MOVED_OUTSIDE),
    Row("done, new colour: back", C, DONE, traffic(GREEN, OURS), Resume.FAIL, Cause.MOVED_OUTSIDE),
    Row("done, old colour, our later stamp: we did", C, DONE, traffic(BLUE, 8), Resume.FAIL, Cause.SENT_BACK),
    Row("done, old colour, no later stamp: back", C, DONE, traffic(BLUE, 6), Resume.FAIL, Cause.MOVED_OUTSIDE),
    Row("refused, whatever is there: back", C, REFUSED, THERE, Resume.FAIL, Cause.RESTARTED),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_restart_does_what_its_row_of_the_table_says(row: Row) -> None:
    decision = resume(deployment(row.phase, moved=True), row.intent, row.seen)
    assert (decision.resume, decision.cause) == (row.then, row.cause)
    assert decision.reason


def test_a_split_is_told_in_words_and_is_no_colour() -> None:
    assert THERE.colour is None
    assert THERE.split == FIVE
    assert "5 % of the users on green, the others on blue" in THERE.describe()
    assert shared(FIVE, OURS, api=Split(GREEN, 0.1)).split is None
    assert Traffic(()).split is None


# --- when a step may end


RULES = WatchRules()


def account(**counts: tuple[int, int]) -> Account:
    """What was seen since the first step, after a long good history."""
    made = Account.open(RULES, {rule.name: tolerance(n=1_000_000, bad=1000) for rule in RULES.signals})
    for signal, (n, bad) in counts.items():
        made.observe(signal.replace("errors", "5xx"), n=n, bad=bad, t_s=1.0)
    return made


def judged(**counts: tuple[int, int]) -> Judgement:
    return judge(account(**counts))


ENOUGH = 2000
BEGUN = Served(0, 0.0, {})
TERMS = terms(canary=(CanaryStep(0.05, 60.0), CanaryStep(0.25, 60.0)))


@dataclass(frozen=True)
class Case:
    """What was seen, since when the step serves, and whether it was served well."""

    id: str
    seen: dict[str, tuple[int, int]]
    served: Served
    well: bool
    lacking: str = ""


CASES = [
    Case("nobody came", {}, BEGUN, False, "5xx needs "),
    Case("too few users", {"errors": (100, 0)}, BEGUN, False, "5xx needs "),
    Case("enough users, and hardly a probe of ours", {"errors": (ENOUGH, 0), "probe": (3, 0)}, BEGUN, True),
    Case(
        "enough in the steps before, none in this one", {"errors": (ENOUGH, 0)}, Served(1, 60.0, {"5xx": ENOUGH}), False
    ),
    Case("enough in this one too", {"errors": (2 * ENOUGH, 0)}, Served(1, 60.0, {"5xx": ENOUGH}), True),
    Case("worse", {"errors": (ENOUGH, 200)}, BEGUN, False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_step_ends_early_only_with_samples_of_its_own(case: Case) -> None:
    judgement = judged(**case.seen)
    assert served_well(judgement, case.served, TERMS) is case.well
    assert in_words(judgement, case.served, TERMS).startswith(case.lacking)


def test_while_both_colours_fail_alike_no_step_ends_early_and_the_signal_is_named() -> None:
    both = account()
    both.side_by_side(0.5)
    for second in range(1, 60):
        both.observe_other("5xx", n=100, bad=30, t_s=float(second))
        both.observe("5xx", n=100, bad=30, t_s=float(second))
    judgement = judge(both)
    failing = shared_cause(judgement)
    assert failing is not None
    assert failing.signal == "5xx"
    assert not served_well(judgement, BEGUN, TERMS)
    assert "held back: a shared cause" in in_words(judgement, BEGUN, TERMS)
    assert shared_cause(judged(errors=(ENOUGH, 0))) is None


def test_the_step_that_serves_survives_a_restart() -> None:
    served: Any = Served(1, 61.5, {"5xx": 1200})
    assert Served.from_json(served.to_json()) == served
    assert describe_step(1, TERMS.canary) == "step 2 of 2 (25 %)"
    assert Colour(FIVE.colour) is GREEN
