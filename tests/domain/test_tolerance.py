"""The tolerated rate: what the live colour's history says, and what is assumed where it says little."""

import random
from dataclasses import asdict
from math import comb, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.chernoff import divergence, highest_rate
from bluegreen.domain.history import Clients, Count
from bluegreen.domain.tolerance import (
    ASSUMED_HISTORY,
    Term,
    Tolerance,
    history_needed,
    tolerance,
    tolerated,
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


# --- a day of history, block by block

DAY = 8_640


def day(rps: float, rate: float, seed: int, worse: dict[range, float] | None = None) -> list[Count]:
    """Blocks 0 to 8,639, even traffic, at `rate` or, in the blocks of `worse`, at its rates."""
    rng, counts, carry = random.Random(seed), [], 0.0
    for block in range(DAY):
        carry += rps * 10
        n, carry = int(carry + 1e-9), carry - int(carry + 1e-9)
        now = next((other for blocks, other in (worse or {}).items() if block in blocks), rate)
        if n:
            counts.append(Count(block, n, binomial(rng, n, now)))
    return counts


def test_the_terms_say_what_decides() -> None:
    found = {(n, bad): tolerance(n=n, bad=bad).term for n, bad in [(500, 0), (10**6, 10**3), (10**6, 50_000)]}
    assert found == {(500, 0): Term.BOUND, (10**6, 10**3): Term.PLUS, (10**6, 50_000): Term.REL}
    assert tolerance(n=10**6, bad=400_000).term is Term.CLIP


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("rps", [0.2, 1.0, 5.0, 50.0])
def test_an_even_day_is_as_sharp_as_its_average(rps: float, rate: float) -> None:
    """The worst of hundreds of stretches is bad by chance: it must not make the watch blunt."""
    for seed in range(2):
        made = tolerated(day(rps, rate, seed))
        ideal = tolerance(n=int(DAY * 10 * rps), bad=int(DAY * 10 * rps * rate)).q0
        assert made.q0 <= 1.35 * ideal
        assert made.phi == 1.0


def test_one_request_a_minute_allows_what_a_days_1440_events_allow() -> None:
    made = tolerated(day(1 / 60, 0.0, seed=0))
    assert (made.history_n, made.term) == (1_440, Term.BOUND)
    assert made.q0 == pytest.approx(0.00638, abs=1e-5)


@pytest.mark.parametrize(
    ("rps", "peak"),
    [
        pytest.param(50.0, 0.02, id="2 % at 50 rps"),
        pytest.param(5.0, 0.01, id="1 % at 5 rps"),
        pytest.param(0.2, 0.05, id="5 % at 0.2 rps"),
    ],
)
def test_a_daily_peak_is_what_is_usual(rps: float, peak: float) -> None:
    for seed in range(2):
        made = tolerated(day(rps, 0.001, seed, {range(2_000, 2_720): peak}))
        assert made.q0 >= peak
        assert made.p > 2 * 0.001


def test_a_live_colour_that_has_just_become_bad_is_no_reproach_to_the_next_release() -> None:
    made = tolerated(day(50.0, 0.001, 1, {range(DAY - 6, DAY): 0.05}))
    assert made.q0 >= 0.05


def test_a_peak_of_yesterday_is_forgotten_with_its_blocks() -> None:
    counts = day(5.0, 0.001, 2, {range(100, 820): 0.05})
    assert tolerated(counts).q0 > 0.05
    assert tolerated(counts[900:]).q0 < 0.004


def test_two_failures_in_a_day_are_no_worst_stretch() -> None:
    counts = [Count(block, 1, int(block in (3_000, 3_006))) for block in range(0, DAY, 6)]
    assert tolerated(counts).p == pytest.approx(2 / 1_440)


def test_a_tolerance_of_an_earlier_version_is_read() -> None:
    earlier = {"p": 0.001, "q0": 0.003, "history_n": 10, "phi": 1.0}
    assert Tolerance.from_dict(earlier) == Tolerance(0.001, 0.003, 10)
    made = tolerated([Count(0, 100, 1)], clients=Clients.KNOWN)
    assert Tolerance.from_dict(asdict(made)) == made


def binomial(rng: random.Random, n: int, p: float) -> int:
    if p == 0.0:
        return 0
    bad, at = 0, 0
    while (at := at + int(log(1.0 - rng.random()) / log(1.0 - p)) + 1) <= n:
        bad += 1
    return bad
