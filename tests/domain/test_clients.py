"""One client's failures count once per 10 s; its other requests, and everyone else's failures, always."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain import clients
from bluegreen.domain.clients import Buckets, Failures, Heads
from bluegreen.domain.signals import Who

FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=100)


def who(*failed: int, good: int = 0) -> Who:
    """The bad events of these clients, and `good` good ones of clients in bucket 7."""
    asked = [0] * 8
    for client in failed:
        asked[client % 8] += 1
    asked[7] += good
    return Who(tuple(asked), failed)


def test_a_repeat_is_left_out_of_the_bad_ones_and_of_all_events() -> None:
    failures = Failures()
    assert failures.count("5xx", 12, 2, who(1, 1, good=10), 0.0) == Heads(
        11, 1, Buckets((0, 1, 0, 0, 0, 0, 0, 10), (0, 1, 0, 0, 0, 0, 0, 0)), repeats=1
    )


def test_a_client_that_goes_on_failing_counts_again_every_ten_seconds() -> None:
    failures = Failures()
    counted = [failures.count("5xx", 1, 1, who(9), t / 10).bad for t in range(300)]
    assert sum(counted) == 3


@pytest.mark.parametrize(
    ("signal", "client", "t_s"),
    [
        pytest.param("5xx", 2, 1.0, id="another client"),
        pytest.param("5xx", 9, 1.0, id="another client of the same bucket"),
        pytest.param("auth", 1, 1.0, id="another signal"),
        pytest.param("5xx", 1, 10.0, id="ten seconds later"),
        pytest.param("5xx", 1, -1e6, id="a clock that runs backwards"),
    ],
)
def test_what_is_no_repeat_counts(signal: str, client: int, t_s: float) -> None:
    failures = Failures()
    failures.count("5xx", 1, 1, who(1), 0.0)
    assert failures.count(signal, 1, 1, who(client), t_s).bad == 1


def test_all_count_where_clients_are_not_to_be_merged() -> None:
    heads = Failures().count("5xx", 3, 3, who(1, 1, 1), 0.0, merged=False)
    assert (heads.n, heads.bad, heads.buckets) == (3, 3, Buckets((0, 3, *[0] * 6), (0, 3, *[0] * 6)))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(None, id="nobody knows"),
        pytest.param(Who((1,) * 7, (1,)), id="too few buckets"),
        pytest.param(Who((1,) * 8, (1,)), id="another number of events"),
        pytest.param(Who((5, 0, 0, 0, 0, 0, 0, 0), ()), id="another number of failures"),
        pytest.param(Who((5, 0, 0, 0, 0, 0, 0, 0), (3,)), id="a failure in a bucket that did not ask"),
    ],
)
def test_where_nobody_knows_who_asked_every_event_counts(told: Who | None) -> None:
    assert Failures().count("5xx", 5, 1, told, 0.0) == Heads(5, 1)


def test_memory_is_bounded_and_what_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MOST", 100)
    failures = Failures()
    for client in range(1_000):
        failures.count("5xx", 1, 1, who(client), 0.0)
    assert len(failures) <= 100
    for client in range(60):
        failures.count("5xx", 1, 1, who(client), 100.0)
    assert len(failures) <= 60


@FIXED
@given(st.lists(st.tuples(st.lists(st.integers(0, 20), max_size=6), st.integers(0, 9), st.floats(0, 60)), max_size=30))
def test_merging_never_adds_and_keeps_good_events(batches: list[tuple[list[int], int, float]]) -> None:
    failures = Failures()
    for failed, good, t_s in sorted(batches, key=lambda one: one[2]):
        heads = failures.count("5xx", len(failed) + good, len(failed), who(*failed, good=good), t_s)
        assert heads.n - heads.bad == good
        assert (1 if failed and t_s == 0.0 else 0) <= heads.bad + heads.repeats == len(failed)
        assert heads.buckets is not None
        assert (sum(heads.buckets.asked), sum(heads.buckets.failed)) == (heads.n, heads.bad)


def test_a_crowd_that_fails_is_counted_whole() -> None:
    rng, failures = random.Random(1), Failures()
    crowd = [rng.getrandbits(63) for _ in range(500)]
    assert failures.count("5xx", 500, 500, who(*crowd), 0.0).bad == 500
