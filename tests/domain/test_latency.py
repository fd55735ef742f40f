"""What counts as slow: percentiles to 5 %, in memory that does not grow."""

import random
from typing import Any

import pytest

from bluegreen.domain.latency import BUCKETS, SHORTEST, WIDTH, Durations, Latencies, _bucket, _upper_end, worst


def of(*values: float) -> Latencies:
    latencies = Latencies()
    latencies.add(values)
    return latencies


def test_nothing_seen_is_no_percentile_and_not_zero() -> None:
    assert Latencies().percentile(0.95) is None


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.95, 0.99, 1.0])
def test_a_percentile_is_exact_to_five_percent_and_never_too_low(share: float) -> None:
    rng = random.Random(7)
    values = sorted(rng.lognormvariate(-3, 1) for _ in range(5_000))
    true = values[max(0, round(share * len(values)) - 1)]
    found = of(*values).percentile(share)
    assert found is not None
    assert true * (1 - 1e-9) <= found <= true * 1.05 * (1 + 1e-9)


def test_no_more_than_the_rest_is_above_a_percentile() -> None:
    rng = random.Random(8)
    latencies = of(*(rng.expovariate(10) for _ in range(10_000)))
    limit = latencies.percentile(0.95)
    assert limit is not None
    assert 0 < latencies.above(limit) <= 500


@pytest.mark.parametrize("bucket", range(BUCKETS))
def test_the_upper_end_of_a_bucket_lies_in_it(bucket: int) -> None:
    assert _bucket(_upper_end(bucket)) == bucket


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (-1.0, 0), (SHORTEST, 0), (1e9, BUCKETS - 1)])
def test_the_shortest_and_the_longest_have_a_place_too(value: float, bucket: int) -> None:
    assert _bucket(value) == bucket


def test_what_is_slower_than_the_limit_is_counted_and_what_is_not_is_not() -> None:
    latencies = of(0.010, 0.020, 0.500, 1.0, 2.0)
    assert latencies.above(0.1) == 3
    assert latencies.above(3.0) == 0


def test_memory_does_not_grow_with_what_is_counted() -> None:
    latencies = Latencies()
    for _ in range(100):
        latencies.add((0.001, 0.1, 10.0, 10_000.0))
    assert len(latencies.counts) == BUCKETS
    assert latencies.n == sum(latencies.counts) == 400
    assert WIDTH < 0.05


# --- a day of one service


def day(*stretches: tuple[float, int, int]) -> Durations:
    """Stretches of (hours since some midnight, quick ones of 10 ms, slow ones of 1 s)."""
    durations = Durations()
    for hours, quick, slow in stretches:
        durations.add((0.01,) * quick + (1.0,) * slow, 1e9 + 3600 * hours)
    return durations


def test_what_is_older_than_a_day_is_forgotten() -> None:
    durations = day(*((hour / 6, 10, 0) for hour in range(6 * 48)))
    assert durations.n == 144 * 10 == durations.whole.n
    assert len(list(durations.stretches(0.1))) == 144


def test_memory_of_a_day_does_not_grow_with_traffic() -> None:
    durations = day(*((hour / 6, 1000, 10) for hour in range(6 * 24)))
    assert len(str(durations.all())) < 144 * 60


def test_a_clock_that_was_set_back_loses_nothing_and_one_that_was_far_ahead_is_forgotten() -> None:
    durations = day((10, 5, 0), (9, 5, 0))
    assert durations.n == 10
    ahead = day((10, 5, 0), (10_000, 5, 0), (11, 5, 0))
    assert ahead.n == 5


def test_what_was_taken_is_restored_whatever_was_taken_between() -> None:
    durations, kept = Durations(), []
    rng = random.Random(3)
    for second in range(0, 20_000, 7):
        durations.add([rng.expovariate(10)], 1e9 + second)
        if second % 70 == 0:
            taken = durations.take()
            if second % 140:
                durations.untake(taken)
            else:
                kept.append(taken)
    kept.append(durations.take())
    again = Durations()
    for taken in kept:
        again.restore(taken)
    assert again.all() == durations.all()
    assert again.whole == durations.whole
    assert durations.take() == {}


@pytest.mark.parametrize("rows", [7, {"x": {}}, {"1": {"2": "many"}}, {"1": {"9999": 1}}, {"1": {"3": -1}}, {"1": 3}])
def test_what_another_program_kept_is_no_day_of_ours(rows: Any) -> None:
    with pytest.raises(ValueError, match="not of this program's shape"):
        Durations().restore(rows)


def test_the_worst_half_hour_is_what_is_tolerated() -> None:
    quiet = [(hour / 6, 5000, 50) for hour in range(6 * 20)]
    night = [(hour / 6, 3000, 2000) for hour in range(6 * 20, 6 * 21)]
    assert worst(day(*quiet, *night).stretches(0.5)) == (15_000, 6_000)
    assert worst(day(*quiet).stretches(0.5)) == (15_150, 150)


def test_where_few_came_the_whole_day_counts() -> None:
    few = [(hour / 6, 9, int(hour == 3)) for hour in range(6 * 20)]
    assert worst(day(*few).stretches(0.5)) == (120 * 9 + 1, 1)
    assert worst([]) == (0, 0)


def test_a_gap_is_no_stretch_of_good_ones() -> None:
    assert worst(day((0, 20_000, 200), (12, 20_000, 4_000)).stretches(0.5)) == (44_200, 4_200)
