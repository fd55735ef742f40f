"""After a cutback: the release or a shared cause, by two bets whose errors are bounded."""

import random
from dataclasses import replace

import pytest

from bluegreen.domain.account import Account
from bluegreen.domain.aftermath import (
    ALPHA,
    Aftermath,
    Before,
    Comparison,
    Finding,
    befores,
    in_words,
)
from bluegreen.domain.lately import KEPT_S, Lately, Stretch
from bluegreen.domain.tolerance import tolerance
from bluegreen.domain.watch_rules import WatchRules

OUTAGE = Before("5xx", 12, 12, 0.003)
HALF = Before("5xx", 40, 20, 0.003)
ONE_PERCENT = Before("5xx", 1500, 15, 0.003)
SLOW = Before("slow", 400, 120, 0.08, phi=2.0)


def shown(before: Before, rate: float, seed: int, most: int = 200_000, batch: int = 1) -> Comparison:
    """An old colour that fails at this rate, until something is said."""
    chance, comparison = random.Random(seed), Comparison(before)
    while comparison.finding is Finding.COMPARING and comparison.n < most:
        comparison.observe(n=batch, bad=sum(chance.random() < rate for _ in range(batch)))
    return comparison


def said(comparison: Comparison) -> Finding:
    """What it says now."""
    return comparison.finding


@pytest.mark.parametrize("before", [OUTAGE, HALF, ONE_PERCENT, SLOW], ids=lambda before: f"{before.rate:g}")
def test_an_old_colour_that_is_well_shows_the_release_to_be_the_cause(before: Before) -> None:
    found = [shown(before, before.tolerated / 2, seed).finding for seed in range(20)]
    assert found == [Finding.RELEASE] * 20


@pytest.mark.parametrize("before", [OUTAGE, HALF, ONE_PERCENT, SLOW], ids=lambda before: f"{before.rate:g}")
def test_an_old_colour_that_is_as_bad_shows_a_shared_cause(before: Before) -> None:
    found = [shown(before, before.rate, seed).finding for seed in range(20)]
    assert found == [Finding.SHARED] * 20


@pytest.mark.parametrize("before", [OUTAGE, HALF, ONE_PERCENT], ids=lambda before: f"{before.rate:g}")
@pytest.mark.parametrize("batch", [1, 7])
def test_neither_error_is_made_more_often_than_promised(before: Before, batch: int) -> None:
    """On the edge of each hypothesis, where it is hardest to tell."""
    runs = 300
    excused = sum(shown(before, before.tolerated, seed, 1000, batch).finding is Finding.SHARED for seed in range(runs))
    blamed = sum(shown(before, before.as_bad, seed, 1000, batch).finding is Finding.RELEASE for seed in range(runs))
    assert excused <= 2 * ALPHA * runs
    assert blamed <= 2 * ALPHA * runs


def test_an_outage_is_told_by_ten_events() -> None:
    assert shown(OUTAGE, 0.0, 1).n <= 10
    assert shown(OUTAGE, 1.0, 1).n <= 10


def test_an_old_colour_that_is_worse_than_usual_and_better_than_the_release_does_not_excuse_it() -> None:
    aftermath = Aftermath([shown(HALF, 0.05, 3)])
    aftermath.comparisons[0].observe(n=400, bad=20)
    assert aftermath.finding is Finding.RELEASE
    assert "blue fares worse than usual too" in in_words(aftermath, "blue", "green")


def test_what_was_said_stands() -> None:
    comparison = shown(OUTAGE, 0.0, 1)
    comparison.observe(n=10_000, bad=10_000)
    assert comparison.finding is Finding.RELEASE


def test_two_failures_are_no_shared_cause_however_rare_they_are() -> None:
    comparison = Comparison(OUTAGE)
    comparison.observe(n=2, bad=2)
    assert said(comparison) == Finding.COMPARING
    comparison.observe(n=1, bad=1)
    assert said(comparison) == Finding.SHARED


def test_it_says_how_many_more_events_would_tell() -> None:
    comparison = Comparison(HALF)
    good, bad = comparison.more()
    assert good is not None
    assert bad is not None
    assert "cannot tell yet" in in_words(Aftermath([comparison]), "blue", "green")
    short = replace(comparison)
    short.observe(n=good - 1, bad=0)
    assert said(short) == Finding.COMPARING
    short.observe(n=1, bad=0)
    assert said(short) == Finding.RELEASE
    comparison.observe(n=bad, bad=bad)
    assert said(comparison) == Finding.SHARED
    assert comparison.more() == (0, 0)


def test_numbers_stay_finite() -> None:
    comparison = Comparison(OUTAGE)
    comparison.observe(n=10**9, bad=0)
    comparison.observe(n=10**9, bad=10**9)
    assert comparison.finding is Finding.RELEASE
    assert comparison.worse_than_usual < float("inf")


def test_more_than_there_were_is_no_count() -> None:
    with pytest.raises(ValueError, match="is not a count"):
        Comparison(OUTAGE).observe(n=1, bad=2)


# --- several signals


def test_the_strongest_signal_has_the_word_and_another_one_where_it_has_none() -> None:
    probe = Before("probe", 3, 3, 0.16)
    aftermath = Aftermath.of((OUTAGE, probe))
    aftermath.observe("probe", n=50, bad=0)
    assert aftermath.finding is Finding.COMPARING
    assert aftermath.final[0] is Finding.RELEASE
    aftermath.observe("5xx", n=5, bad=5)
    assert (aftermath.finding, aftermath.final[0]) == (Finding.SHARED, Finding.SHARED)
    aftermath.observe("unknown", n=5, bad=5)


def test_two_signals_share_one_error() -> None:
    alone, shared = Comparison(OUTAGE), Comparison(OUTAGE, parts=2)
    alone.observe(n=8, bad=0)
    shared.observe(n=8, bad=0)
    assert alone.more()[0] is not None
    assert (shared.more()[0] or 0) >= (alone.more()[0] or 0)


# --- what the new colour showed lately


def test_an_outage_of_three_seconds_is_seen_after_twenty_good_minutes() -> None:
    lately = Lately()
    for second in range(1200):
        lately.count("5xx", n=50, bad=0, t_s=float(second))
    for second in range(1200, 1203):
        lately.count("5xx", n=50, bad=50, t_s=float(second))
    assert lately.worst("5xx", 0.003) == Stretch(150, 150, 3)


def test_memory_is_bounded_and_survives_a_restart() -> None:
    lately = Lately()
    for second in range(10_000):
        lately.count("5xx", n=1, bad=1, t_s=float(second))
    assert lately.worst("5xx", 0.003).n == KEPT_S
    again = Lately.from_json(lately.to_json())
    assert again.worst("5xx", 0.003) == lately.worst("5xx", 0.003)
    assert Lately.from_json(None).worst("5xx", 0.003) == Stretch(0, 0, 0)


def test_nothing_is_compared_where_nothing_spoke_against_the_release() -> None:
    rules = WatchRules()
    account = Account.open(rules, {rule.name: tolerance(n=10_000, bad=10) for rule in rules.signals})
    lately = Lately()
    lately.count("5xx", n=1000, bad=2, t_s=1.0)
    assert befores(account, lately) == ()
    lately.count("5xx", n=10, bad=10, t_s=2.0)
    lately.count("probe", n=4, bad=4, t_s=2.0)
    assert [before.signal for before in befores(account, lately)] == ["5xx", "probe"]
