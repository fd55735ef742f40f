"""The tolerated rate: what the live colour's history says, and what is assumed where it says little."""

from math import comb, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.tolerance import (
    ASSUMED_HISTORY,
    BLOCK_S,
    KEPT_S,
    History,
    divergence,
    highest_rate,
    history_needed,
    tolerance,
    watch_needed,
)

FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=200)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(0, 200_000))
    return n, draw(st.integers(0, n))


@pytest.mark.parametrize(
    ("n", "bad", "q0"),
    [
        pytest.param(10_000, 10, 0.003026, id="0.1 % seen: the bound of 10,000 requests is just above plus"),
        pytest.param(1_000_000, 1_000, 0.003, id="long history at 0.1 %: plus"),
        pytest.param(1_000_000, 50_000, 0.075, id="long history at 5 %: rel"),
        pytest.param(10_000, 0, 0.002, id="no failure in 10,000: plus"),
        pytest.param(1_000, 0, 0.009168, id="no failure in 1,000: the bound"),
        pytest.param(60, 0, 0.142304, id="no failure in a minute of probes: the bound"),
        pytest.param(50, 0, 0.168236, id="as long as assumed"),
        pytest.param(0, 0, 0.168236, id="no history: what is assumed"),
        pytest.param(1, 1, 0.5, id="one failure of one: the ceiling"),
        pytest.param(1_000_000, 400_000, 0.5, id="40 % seen: the ceiling of one half"),
        pytest.param(1_000_000, 600_000, 0.602101, id="60 % seen: the bound, not the ceiling"),
        pytest.param(1_000, 1_000, 1.0, id="everything failed: every rate is tolerated"),
    ],
)
def test_the_tolerated_rate_follows_the_history(n: int, bad: int, q0: float) -> None:
    assert tolerance(n=n, bad=bad).q0 == pytest.approx(q0, abs=1e-6)


def test_a_tolerance_says_what_it_was_made_from() -> None:
    made = tolerance(n=2_000, bad=30)
    assert (made.p, made.history_n, made.phi) == (0.015, 2_000, 1.0)


@FIXED
@given(histories())
def test_the_live_colour_itself_would_never_be_over_what_is_tolerated(history: tuple[int, int]) -> None:
    n, bad = history
    made = tolerance(n=n, bad=bad)
    assert 0.0 < made.q0 <= 1.0
    if n >= ASSUMED_HISTORY:
        assert made.q0 >= highest_rate(bad / n, n, 1e-4) >= made.p


@FIXED
@given(histories())
def test_one_failure_more_never_makes_the_daemon_stricter(history: tuple[int, int]) -> None:
    n, bad = history
    assert tolerance(n=n + 1, bad=bad + 1).q0 >= tolerance(n=n + 1, bad=bad).q0 - 1e-9


@pytest.mark.parametrize("truth", [0.01, 0.05, 0.2, 0.4])
@pytest.mark.parametrize("n", [50, 200])
def test_the_bound_is_under_the_true_rate_at_most_as_often_as_delta_says(n: int, truth: float) -> None:
    missed = sum(
        comb(n, bad) * truth**bad * (1 - truth) ** (n - bad)
        for bad in range(n + 1)
        if tolerance(n=n, bad=bad, rel=1.0, plus=0.0, delta=0.01).q0 < truth
    )
    assert missed <= 0.01


def test_the_bound_is_the_root_it_claims_to_be() -> None:
    assert 5_000 * divergence(0.01, highest_rate(0.01, 5_000, 1e-4)) == pytest.approx(log(1e4), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "q", "nats"),
    [
        pytest.param(0.3, 0.3, 0.0, id="equal"),
        pytest.param(1.0, 0.5, log(2), id="an outage against a fair coin"),
        pytest.param(0.0, 0.5, log(2), id="never against a fair coin"),
        pytest.param(0.5, 0.0, float("inf"), id="what cannot happen happened"),
        pytest.param(0.5, 1.0, float("inf"), id="what must happen did not"),
        pytest.param(0.05, 0.003, 0.094796, id="5 % against 0.3 %"),
    ],
)
def test_divergence_is_that_of_two_coins(p: float, q: float, nats: float) -> None:
    assert divergence(p, q) == pytest.approx(nats, abs=1e-5)


def test_needed_numbers_are_those_of_the_formulas() -> None:
    assert history_needed(0.001, 0.011, 0.001) == 903
    assert watch_needed(0.003, 0.01, 0.001) == 1517
    assert watch_needed(1.0, 0.01, 0.001) is None


def test_equal_rates_are_refused_because_no_history_tells_them_apart() -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        history_needed(0.01, 0.01, 0.001)


@pytest.mark.parametrize(("n", "bad"), [(3, 4), (3, -1), (-1, -1)])
def test_what_is_no_count_is_refused(n: int, bad: int) -> None:
    with pytest.raises(ValueError, match="not a count"):
        tolerance(n=n, bad=bad)
    with pytest.raises(ValueError, match="not a count"):
        History().add(n=n, bad=bad, t_s=0.0)


def test_a_fresh_history_has_seen_nothing() -> None:
    assert History().totals() == (0, 0)


def test_a_history_adds_up_and_takes_late_counts() -> None:
    history = History()
    for t_s, n, bad in [(5.0, 10, 1), (9.9, 10, 0), (25.0, 7, 7), (12.0, 3, 1)]:
        history.add(n=n, bad=bad, t_s=t_s)
    assert history.totals() == (30, 9)


def test_a_history_forgets_what_is_older_than_a_day() -> None:
    history = History()
    history.add(n=100, bad=100, t_s=0.0)
    history.add(n=10, bad=1, t_s=KEPT_S - 1.0)
    assert history.totals() == (110, 101)
    history.add(n=1, bad=0, t_s=float(KEPT_S))
    assert history.totals() == (11, 1)


def test_a_history_stays_small_however_long_it_runs() -> None:
    history = History()
    for block in range(3 * KEPT_S // BLOCK_S):
        history.add(n=1, bad=0, t_s=float(block * BLOCK_S))
    assert history.totals() == (KEPT_S // BLOCK_S, 0)


def test_a_history_does_not_grow_by_counts_that_come_late() -> None:
    history = History()
    for _ in range(100):
        history.add(n=1, bad=0, t_s=500.0)
        history.add(n=1, bad=1, t_s=5.0)
    assert history.totals() == (200, 100)
    assert len(history._blocks) == 1
