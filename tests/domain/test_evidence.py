"""From counts to a verdict: who wins over whom, what is missing, and how it is told."""

import json
from dataclasses import replace

import pytest

from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.evidence import (
    Evidence,
    LimitReading,
    Streak,
    Verdict,
    as_odds,
    judge,
    keys_agree,
    percent,
)

RULES = WatchRules()
LONG = {
    "5xx": RULES.tolerance(n=10_000, bad=10),
    "auth": RULES.tolerance(n=10_000, bad=50),
    "slow": RULES.tolerance(n=10_000, bad=500),
    "probe": RULES.tolerance(n=10_000, bad=0),
}
BROKEN = LimitReading("probe failures in a row", 3, 3, 41, broken=True)
KEPT = LimitReading("probe failures in a row", 2, 3, 41, broken=False)
SEEN = Evidence("5xx", n=1_204, bad=38, tolerated=0.003, odds=1_840.0, missing=312, critical=True, synthetic=False)


def account(**counts: tuple[int, int]) -> Account:
    """An account after one report of (n, bad) for each signal; `errors` stands for "5xx"."""
    opened = Account.open(RULES, LONG)
    for signal, (n, bad) in counts.items():
        opened.observe("5xx" if signal == "errors" else signal, n=n, bad=bad, t_s=60.0)
    return opened


GOOD = account(errors=(5_000, 5), probe=(5_000, 0))
OUTAGE = account(errors=(20, 20))
SILENT = frozenset({"access log"})


@pytest.mark.parametrize(
    ("of", "limits", "silent", "verdict"),
    [
        pytest.param(GOOD, (), frozenset(), Verdict.HEALTHY, id="enough of both critical signals"),
        pytest.param(GOOD, (KEPT,), frozenset(), Verdict.HEALTHY, id="a limit that is kept"),
        pytest.param(account(), (), frozenset(), Verdict.UNDECIDED, id="nothing seen"),
        pytest.param(account(errors=(5_000, 5)), (), frozenset(), Verdict.UNDECIDED, id="probes missing"),
        pytest.param(account(probe=(5_000, 0)), (), frozenset(), Verdict.UNDECIDED, id="users missing"),
        pytest.param(GOOD, (), SILENT, Verdict.BLIND, id="good so far, then silent"),
        pytest.param(account(), (KEPT,), SILENT, Verdict.BLIND, id="nothing seen and silent"),
        pytest.param(OUTAGE, (), frozenset(), Verdict.REGRESSED, id="outage"),
        pytest.param(OUTAGE, (), SILENT, Verdict.REGRESSED, id="outage, then silent"),
        pytest.param(GOOD, (BROKEN,), frozenset(), Verdict.REGRESSED, id="a broken limit cuts by itself"),
        pytest.param(account(), (KEPT, BROKEN), SILENT, Verdict.REGRESSED, id="a broken limit, half-blind"),
        pytest.param(account(errors=(2, 2)), (), frozenset(), Verdict.UNDECIDED, id="two bad are too few"),
        pytest.param(account(errors=(3, 3)), (), frozenset(), Verdict.REGRESSED, id="three bad are enough"),
        pytest.param(account(auth=(500, 80)), (), frozenset(), Verdict.REGRESSED, id="an uncritical signal cuts"),
    ],
)
def test_the_verdict(of: Account, limits: tuple[LimitReading, ...], silent: frozenset[str], verdict: Verdict) -> None:
    assert judge(of, limits, silent=silent).verdict is verdict


def test_two_bad_are_held_back_by_the_key_alone() -> None:
    judged = judge(account(errors=(2, 2)))
    assert judged.odds >= judged.odds_needed
    assert not keys_agree(judged.signals[0], RULES)


def test_bad_events_scattered_over_signals_do_not_turn_the_key() -> None:
    assert judge(account(errors=(2, 2), probe=(500, 1), slow=(500, 30))).verdict is Verdict.UNDECIDED


def test_healthy_needs_exactly_the_number_that_it_names() -> None:
    missing = next(one.missing for one in judge(account(probe=(5_000, 0))).undecided)
    assert missing == 1_525
    almost = account(probe=(5_000, 0), errors=(missing - 1, 0))
    assert [(one.signal, one.missing) for one in judge(almost).undecided] == [("5xx", 1)]
    almost.observe("5xx", n=1, bad=0, t_s=61.0)
    assert judge(almost).verdict is Verdict.HEALTHY


def test_where_every_rate_is_tolerated_nothing_is_ever_called_healthy() -> None:
    opened = Account.open(RULES, {**LONG, "5xx": RULES.tolerance(n=1_000, bad=1_000)})
    opened.observe("5xx", n=100_000, bad=100_000, t_s=1.0)
    opened.observe("probe", n=100_000, bad=0, t_s=1.0)
    judged = judge(opened)
    assert judged.verdict is Verdict.UNDECIDED
    assert judged.reasons == ("5xx cannot tell: every rate is tolerated",)


@pytest.mark.parametrize(
    ("of", "none"),
    [
        pytest.param(account(), True, id="nothing at all"),
        pytest.param(account(probe=(5_000, 0)), True, id="probes only"),
        pytest.param(account(auth=(1, 0)), False, id="one user"),
        pytest.param(GOOD, False, id="users"),
    ],
)
def test_probes_do_not_hide_that_no_user_came(of: Account, none: bool) -> None:
    assert judge(of).no_traffic is none


def test_a_judgement_adds_up_and_puts_the_strongest_evidence_first() -> None:
    judged = judge(account(errors=(1_000, 5), auth=(500, 40), probe=(60, 0)))
    assert judged.signals[0].signal == "auth"
    assert judged.odds == pytest.approx(sum(one.odds for one in judged.signals))
    assert (judged.t_s, judged.odds_needed) == (60.0, 1_000.0)


@pytest.mark.parametrize(
    ("of", "limits", "silent", "text"),
    [
        pytest.param(
            account(),
            (),
            frozenset(),
            "undecided: 5xx needs 1,525 more; probe needs 1,197 more",
            id="undecided says how many more",
        ),
        pytest.param(GOOD, (), SILENT | {"probes"}, "blind: access log is silent; probes is silent", id="blind"),
        pytest.param(
            GOOD,
            (KEPT, BROKEN),
            frozenset(),
            "regressed: probe failures in a row: 3, limit 3, 41 samples",
            id="a limit says value, limit and samples",
        ),
        pytest.param(
            OUTAGE,
            (BROKEN,),
            frozenset(),
            "regressed: 5xx 20 of 20 (100 %) against tolerated 0.3 %: over 1,000,000,000:1; "
            "probe failures in a row: 3, limit 3, 41 samples",
            id="account and limit stand side by side",
        ),
    ],
)
def test_a_judgement_tells_its_reasons(
    of: Account, limits: tuple[LimitReading, ...], silent: frozenset[str], text: str
) -> None:
    assert judge(of, limits, silent=silent).describe() == text


def test_a_healthy_judgement_names_the_signals_that_it_rests_on() -> None:
    reasons = judge(GOOD).reasons
    assert {reason.split()[0] for reason in reasons} == {"5xx", "probe"}


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        pytest.param(SEEN, "5xx 38 of 1,204 (3.2 %) against tolerated 0.3 %: 1,840:1", id="the operator's line"),
        pytest.param(replace(SEEN, n=0, bad=0), "5xx nothing seen, tolerated 0.3 %", id="no data is not 0 %"),
        pytest.param(
            replace(SEEN, bad=0, odds=0.031),
            "5xx 0 of 1,204 (0 %) against tolerated 0.3 %: 0.031:1",
            id="good",
        ),
    ],
)
def test_evidence_tells_its_arithmetic(evidence: Evidence, text: str) -> None:
    assert evidence.describe() == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.000001, "under 0.001 %"),
        (0.00025, "0.025 %"),
        (0.003, "0.3 %"),
        (0.0999, "10 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_is_written_as_people_do(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("wealth", "text"),
    [(0.0, "0:1"), (0.5, "0.5:1"), (12.4, "12:1"), (1_840.2, "1,840:1"), (1e300, "over 1,000,000,000:1")],
)
def test_odds_are_written_as_people_do(wealth: float, text: str) -> None:
    assert as_odds(wealth) == text


@pytest.mark.parametrize(
    ("batches", "run", "broken"),
    [
        pytest.param([], 0, False, id="nothing seen is no failure"),
        pytest.param([(1, 1), (1, 1)], 2, False, id="two in a row"),
        pytest.param([(1, 1), (1, 1), (1, 1)], 3, True, id="three in a row"),
        pytest.param([(3, 3)], 3, True, id="three in one batch"),
        pytest.param([(1, 1), (1, 1), (1, 0), (1, 1)], 1, False, id="a success ends the run"),
        pytest.param([(1, 1), (1, 1), (0, 0), (1, 1)], 3, True, id="an empty batch does not"),
        pytest.param([(1, 1), (1, 1), (4, 3)], 0, False, id="a mixed batch ends it: its order is unknown"),
        pytest.param([(1, 1)] * 3 + [(1, 0)], 0, False, id="a reading is about now"),
    ],
)
def test_a_streak_counts_failures_in_a_row(batches: list[tuple[int, int]], run: int, broken: bool) -> None:
    streak = Streak("probe", limit=RULES.probe_failures_in_a_row)
    for n, bad in batches:
        streak.observe(n=n, bad=bad)
    reading = streak.reading()
    assert (reading.value, reading.limit, reading.broken) == (run, 3, broken)
    assert reading.samples == sum(n for n, _ in batches)


def test_a_streak_survives_a_restart() -> None:
    streak = Streak("probe", limit=3)
    streak.observe(n=2, bad=2)
    again = Streak.from_dict(json.loads(json.dumps(streak.to_dict())))
    assert again == streak
    again.observe(n=1, bad=1)
    assert again.reading().broken


def test_a_saved_streak_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Streak.from_dict({"name": "probe", "limit": 3, "colour": "blue"})


@pytest.mark.parametrize(("n", "bad"), [(1, 2), (1, -1)])
def test_a_streak_refuses_what_is_no_count(n: int, bad: int) -> None:
    with pytest.raises(ValueError, match="not a count"):
        Streak("probe", limit=3).observe(n=n, bad=bad)
