"""Streams of users, 20 seeds each (in `make test` the quiet ones fewer), through the baseline and the trial of the
daemon: no false cut, and no late one.

Limits are those of Wald (a change at the switch) and Lai (later): what no test with one false cut in 1,000 deployments
can beat on average. Quiet streams are looked at every 5 s, which is how the time of this file is kept short:
in the long run (`python -m tests.domain.test_scenarios 200`) they are looked at every second, over many more seeds.
"""

import sys
from dataclasses import replace
from math import log, pi, sin
from statistics import median

import pytest

from benchmarks.streams import DAY_S, USUAL, Stream, judged, steady
from bluegreen.domain.chernoff import divergence
from bluegreen.domain.plans import Terms
from bluegreen.settings.watched import terms_of
from tests import thorough

TERMS: Terms = terms_of(None)
SEEDS = 20
QUIET_SEEDS = 20 if thorough.ALL else 7
ALPHA = 0.001


def peak(t_s: float) -> float:
    """2 % in two hours of each day, of which the switch is in the middle of the first."""
    return 0.02 if (t_s + 1_800.0) % DAY_S < 7_200.0 else 0.001


def waves(t_s: float) -> float:
    """Between 0.1 and 1 % over the day, at its highest now."""
    return 0.0055 + 0.0045 * sin(2 * pi * t_s / DAY_S + pi / 2)


def young(t_s: float) -> float:
    """Bad for two minutes now, on both sides of the switch: a dependency that has just broken."""
    return 0.05 if t_s > -120.0 else 0.001


QUIET = {
    "quiet, 0.02 rps": Stream(0.02, USUAL, USUAL),
    "quiet, 0.2 rps": Stream(0.2, USUAL, USUAL),
    "quiet, 5 rps": Stream(5.0, USUAL, USUAL),
    "quiet, 50 rps": Stream(50.0, USUAL, USUAL),
    "quiet, 2,000 rps": Stream(2_000.0, USUAL, USUAL),
    "quiet, nobody knows the clients": Stream(50.0, USUAL, USUAL, clients=0),
    "quiet, three clients": Stream(50.0, USUAL, USUAL, clients=3),
    "high base rate, 5 %": Stream(50.0, steady(0.05), steady(0.05)),
    "high base rate, 20 %": Stream(5.0, steady(0.2), steady(0.2)),
    "tolerated shift, 0.1 to 0.25 %": Stream(50.0, USUAL, steady(0.0025)),
    "tolerated shift, 1 to 1.4 %": Stream(50.0, steady(0.01), steady(0.014)),
    "daily peak, 0.2 rps": Stream(0.2, peak, peak),
    "daily peak, 5 rps": Stream(5.0, peak, peak),
    "daily peak, 50 rps": Stream(50.0, peak, peak),
    "waves over the day": Stream(20.0, waves, waves),
    "just broken for both": Stream(50.0, young, young),
    "short history, 1 min at 2 %": Stream(50.0, steady(0.02), steady(0.02), history_s=60.0),
    "short history, 10 min": Stream(5.0, USUAL, USUAL, history_s=600.0),
    "no history, 2 % usual": Stream(50.0, USUAL, steady(0.02), history_s=0.0),
    "one hammering client": Stream(50.0, USUAL, USUAL, hammer=20.0),
    "one client hammering at 1 rps": Stream(1.0, USUAL, USUAL, hammer=1.0),
    "retry clusters": Stream(20.0, steady(0.002), steady(0.002), repeats=5),
    "retry clusters, nobody knows the clients": Stream(20.0, steady(0.002), steady(0.002), repeats=5, clients=0),
    "shared dependency, canary 10 %": Stream(50.0, USUAL, steady(0.2), share=0.1, beside=steady(0.2)),
    "shared dependency, canary 50 %": Stream(50.0, USUAL, steady(1.0), share=0.5, beside=steady(1.0)),
}


def false_cuts(stream: Stream, seeds: int, tick_s: float, until_s: float) -> int:
    return sum(judged(stream, TERMS, seed, until_s=until_s, tick_s=tick_s) is not None for seed in range(seeds))


@pytest.mark.parametrize("name", QUIET)
def test_a_release_that_is_not_worse_is_not_cut(name: str) -> None:
    stream = QUIET[name]
    assert false_cuts(stream, QUIET_SEEDS, tick_s=5.0, until_s=1_800.0) == 0


def wald(rate: float, tolerated: float) -> float:
    return rate * log(1.0 / ALPHA) / divergence(rate, tolerated)


def lai(rate: float, tolerated: float, before: float) -> float:
    events = log(1.0 / ALPHA) / divergence(rate, tolerated)
    for _ in range(30):
        events = (log(1.0 / ALPHA) + log(max(before / events, 1.0))) / divergence(rate, tolerated)
    return rate * events


def later(rate: float, at_s: float) -> Stream:
    return Stream(20.0, USUAL, lambda t_s: rate if t_s > at_s else 0.001)


def leak(t_s: float) -> float:
    return 0.001 + 0.099 * min(t_s / 1_200.0, 1.0)


@pytest.mark.parametrize(
    ("stream", "at_most", "tick_s", "until_s"),
    [
        pytest.param(Stream(50.0, USUAL, steady(1.0)), 6, 0.02, 60.0, id="outage"),
        pytest.param(Stream(1_000.0, USUAL, steady(1.0)), 10, 0.005, 1.0, id="outage, 1,000 rps, turns of 5 ms"),
        pytest.param(Stream(0.2, USUAL, steady(1.0)), 4, 1.0, 120.0, id="outage, 0.2 rps"),
        pytest.param(Stream(1 / 60, USUAL, steady(1.0)), 4, 10.0, 1_200.0, id="outage, one request a minute"),
        pytest.param(Stream(50.0, USUAL, steady(1.0), clients=3), 6, 0.02, 60.0, id="outage for three clients"),
        pytest.param(Stream(50.0, USUAL, steady(1.0), history_s=0.0), 10, 0.02, 60.0, id="outage, no history"),
        pytest.param(Stream(50.0, USUAL, steady(0.05)), 2.2 * wald(0.05, 0.003), 0.1, 600.0, id="5 %"),
        pytest.param(Stream(50.0, USUAL, steady(0.01)), 2.2 * wald(0.01, 0.003), 0.1, 1_200.0, id="1 %"),
        pytest.param(Stream(1_000.0, USUAL, steady(0.01)), 2.2 * wald(0.01, 0.003), 0.05, 300.0, id="1 %, 1,000 rps"),
        pytest.param(Stream(5.0, USUAL, steady(0.01)), 2.2 * wald(0.01, 0.003), 0.5, 3_600.0, id="1 %, 5 rps"),
        pytest.param(Stream(50.0, USUAL, leak), 53, 0.5, 1_500.0, id="leak from 0.1 to 10 % in 20 min"),
        pytest.param(
            Stream(50.0, steady(0.005), steady(0.03), signal="auth"),
            2.2 * wald(0.03, 0.0075),
            0.1,
            600.0,
            id="auth 0.5 to 3 %",
        ),
        pytest.param(
            Stream(50.0, steady(0.05), steady(0.146), signal="auth"),
            2.2 * wald(0.146, 0.075),
            0.1,
            600.0,
            id="5 to 14.6 %, as latency + 30 %",
        ),
        pytest.param(Stream(50.0, USUAL, steady(1.0), share=0.1), 6, 0.1, 60.0, id="outage, canary 10 %"),
        pytest.param(
            Stream(50.0, USUAL, steady(0.05), share=0.1), 2.2 * wald(0.05, 0.003), 0.2, 1_200.0, id="5 %, canary 10 %"
        ),
    ],
)
def test_a_worse_release_is_cut_near_the_limit(stream: Stream, at_most: float, tick_s: float, until_s: float) -> None:
    cuts = [judged(stream, TERMS, seed, until_s=until_s, tick_s=tick_s) for seed in range(SEEDS)]
    assert None not in cuts
    assert median(cut.bad for cut in cuts if cut is not None) <= at_most


@pytest.mark.parametrize(
    ("rate", "at_most"),
    [
        pytest.param(1.0, 6.0, id="outage"),
        pytest.param(0.05, 2.2 * lai(0.05, 0.003, 24_000.0), id="5 %"),
    ],
)
def test_what_begins_after_twenty_good_minutes_is_cut_near_the_limit(rate: float, at_most: float) -> None:
    """Three seeds: every one of them is 20 minutes long."""
    cuts = [
        judged(later(rate, 1_200.0), TERMS, seed, until_s=1_260.0, tick_s=0.1, after_s=1_200.0) for seed in range(5)
    ]
    assert all(cut is not None and cut.t_s > 1_200.0 for cut in cuts)
    assert median(cut.bad for cut in cuts if cut is not None) <= at_most


def test_a_client_that_hammers_hides_nothing_of_what_all_the_others_meet() -> None:
    stream = replace(QUIET["one hammering client"], rate=steady(0.2))
    for seed in range(5):
        assert judged(stream, TERMS, seed, until_s=60.0) is not None


if __name__ == "__main__":
    seeds = int(sys.argv[1])
    for each, quiet in QUIET.items():
        if len(sys.argv) < 3 or sys.argv[2] in each:
            print(f"{each:45} {false_cuts(quiet, seeds, 1.0, 5_400.0)} of {seeds}", flush=True)
