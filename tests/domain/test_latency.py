"""What counts as slow: percentiles to 5 %, in memory that does not grow."""

import random

import pytest

from bluegreen.domain.latency import BUCKETS, SHORTEST, WIDTH, Latencies, _bucket, _upper_end


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
