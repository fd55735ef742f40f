"""When a sample of a gauge is bad, and what is remembered of the live colour's."""

import json
import random

import pytest

from bluegreen.domain.ranges import KEPT_S, LEAST, SLOT_S, Range, is_bad
from bluegreen.domain.rules import Direction, GaugeRule

ABOVE, BELOW, OUTSIDE = Direction.ABOVE, Direction.BELOW, Direction.OUTSIDE
NOON = 1_750_000_000.0


def ranged(*values: float, at: float = NOON) -> Range:
    found = Range()
    for value in values:
        found.add(value, at)
    return found


@pytest.mark.parametrize(
    ("value", "rule", "usual", "bad"),
    [
        pytest.param(120.0, GaugeRule(ABOVE, 0.2), (10.0, 100.0), False, id="within the margin"),
        pytest.param(121.0, GaugeRule(ABOVE, 0.2), (10.0, 100.0), True, id="above it"),
        pytest.param(0.0, GaugeRule(ABOVE, 0.2), (10.0, 100.0), False, id="below does not matter"),
        pytest.param(7.9, GaugeRule(BELOW, 0.2), (10.0, 100.0), True, id="below"),
        pytest.param(999.0, GaugeRule(BELOW, 0.2), (10.0, 100.0), False, id="above does not matter"),
        pytest.param(7.9, GaugeRule(OUTSIDE, 0.2), (10.0, 100.0), True, id="outside, below"),
        pytest.param(121.0, GaugeRule(OUTSIDE, 0.2), (10.0, 100.0), True, id="outside, above"),
        pytest.param(-13.0, GaugeRule(OUTSIDE, 0.2), (-10.0, 0.0), True, id="a margin widens below zero too"),
        pytest.param(-11.0, GaugeRule(OUTSIDE, 0.2), (-10.0, 0.0), False, id="within it below zero"),
        pytest.param(5.0, GaugeRule(ABOVE), None, None, id="no history: nobody can tell"),
        pytest.param(201.0, GaugeRule(high=200.0), None, True, id="fixed, without history"),
        pytest.param(150.0, GaugeRule(high=200.0), (0.0, 1.0), False, id="fixed goes before what was usual"),
        pytest.param(1.0, GaugeRule(low=2.0), None, True, id="fixed below"),
        pytest.param(3.0, GaugeRule(low=2.0, high=4.0), None, False, id="between"),
        pytest.param(float("nan"), GaugeRule(high=4.0), None, None, id="no number is no sample"),
    ],
)
def test_when_a_sample_is_bad(
    value: float, rule: GaugeRule, usual: tuple[float, float] | None, bad: bool | None
) -> None:
    assert is_bad(value, rule, usual) is bad


def test_too_few_samples_mean_nothing() -> None:
    assert ranged(*[1.0] * (LEAST - 1)).ends() is None
    assert ranged(*[1.0] * (LEAST - 1), 5.0).ends() == (1.0, 5.0)


def test_what_is_no_number_is_left_out() -> None:
    found = ranged(float("nan"), float("inf"), *[2.0] * LEAST)
    assert (found.n, found.ends()) == (LEAST, (2.0, 2.0))


def test_what_is_older_than_a_day_is_forgotten_and_memory_is_bounded() -> None:
    found = ranged(*[900.0] * 100)
    for second in range(0, 2 * KEPT_S, 60):
        found.add(5.0, NOON + SLOT_S + second)
    assert found.ends() == (5.0, 5.0)
    assert len(found.changed(0.0)) <= KEPT_S // SLOT_S + 1


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    found = ranged(*[5.0] * LEAST)
    found.add(9.0, NOON - 5_000)
    assert found.ends() == (5.0, 9.0)


def test_a_range_comes_back_from_its_rows_in_any_order_and_more_than_once() -> None:
    chance = random.Random(7)
    found, rows = Range(), []
    for minute in range(600):
        found.add(chance.gauss(50, 10), NOON + 60 * minute)
        if minute % 7 == 0:
            rows += found.changed(NOON + 60 * minute)
    rows += found.changed(0.0)
    chance.shuffle(rows)
    again = Range().restore(json.loads(json.dumps(rows)))
    assert (again.n, again.ends(), again.changed(0.0)) == (found.n, found.ends(), found.changed(0.0))


def test_a_gauge_that_is_as_it_was_is_seldom_outside_of_what_was_seen() -> None:
    """The promise behind LEAST: after as many samples the next one is outside with probability 2/(LEAST + 1)."""
    chance = random.Random(3)
    rule, outside, rounds = GaugeRule(OUTSIDE, margin=0.0), 0, 4_000
    for _ in range(rounds):
        usual = ranged(*(chance.gauss(0, 1) for _ in range(LEAST))).ends()
        outside += bool(is_bad(chance.gauss(0, 1), rule, usual))
    assert outside / rounds == pytest.approx(2 / (LEAST + 1), abs=0.03)


def test_a_clock_that_was_far_ahead_once_leaves_nothing_that_is_never_forgotten() -> None:
    found = ranged(*[1e6] * LEAST, at=NOON + 30 * KEPT_S)
    for day in range(3):
        for _ in range(LEAST):
            found.add(float(day), NOON + day * KEPT_S)
    assert found.ends() == (1.0, 2.0)
