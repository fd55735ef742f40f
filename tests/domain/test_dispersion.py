"""Bursts are measured; chance, drift and one incident are not taken for them."""

import random

import pytest

from bluegreen.domain.dispersion import dispersion
from bluegreen.domain.history import Count
from tests.domain.test_tolerance import binomial, day

DAY = 8_640


def bursts(rps: float, rate: float, size: int, seed: int) -> list[Count]:
    """Bad events that come `size` at a time."""
    rng = random.Random(seed)
    return [
        Count(block, int(rps * 10) or 1, min(size * binomial(rng, int(rps * 10) or 1, rate / size), int(rps * 10) or 1))
        for block in range(DAY)
    ]


@pytest.mark.parametrize("size", [2, 4, 10])
@pytest.mark.parametrize("rps", [2.0, 50.0])
def test_bursts_count_as_about_one(rps: float, size: int) -> None:
    phi = dispersion(bursts(rps, 0.005, size, seed=size))
    assert 0.7 * size <= phi <= 1.5 * size


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.2])
@pytest.mark.parametrize("rps", [1 / 60, 0.2, 5.0, 50.0])
def test_independent_events_are_not_dispersed(rps: float, rate: float) -> None:
    for seed in range(2):
        assert dispersion(day(rps, rate, seed)) == 1.0


@pytest.mark.parametrize("blocks", [2, 10, 40, 180])
def test_a_short_history_shows_no_dispersion_by_chance(blocks: int) -> None:
    for seed in range(50):
        assert dispersion(day(20.0, 0.02, seed)[:blocks] if seed < 2 else sample(seed, blocks)) == 1.0


def sample(seed: int, blocks: int) -> list[Count]:
    rng = random.Random(seed)
    return [Count(block, 200, binomial(rng, 200, 0.02)) for block in range(blocks)]


@pytest.mark.parametrize("rps", [2.0, 5.0, 50.0])
def test_one_incident_is_not_a_habit(rps: float) -> None:
    incident = {range(4_000, 4_006): 0.9}
    assert dispersion(day(rps, 0.001, 3, incident)) == 1.0


def test_a_slow_drift_is_no_dispersion() -> None:
    rng = random.Random(4)
    drifting = [Count(block, 500, binomial(rng, 500, 0.001 + 0.02 * block / DAY)) for block in range(DAY)]
    assert dispersion(drifting) == 1.0


def test_two_failures_at_once_are_not_yet_a_habit() -> None:
    assert dispersion([Count(block, 2, 2 * (block == 500)) for block in range(DAY)]) == 1.0
