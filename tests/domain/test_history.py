"""24 hours of the live colour: bounded, kept over restarts, and safe from clocks that are wrong."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.history import BLOCK_S, HOUR, KEPT, KEPT_S, Clients, Count, History

FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=100)
NOON = 1_700_000_000.0
"""Epoch seconds, at the start of a block."""


def of(*counts: tuple[float, int, int]) -> History:
    history = History()
    for t_s, n, bad in counts:
        history.add(n=n, bad=bad, t_s=NOON + t_s)
    return history


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"n": 3, "bad": 4}, id="more bad than events"),
        pytest.param({"n": 3, "bad": -1}, id="below nothing"),
        pytest.param({"n": 3, "bad": 1, "raw_n": 2, "raw_bad": 1}, id="fewer raw events than counted ones"),
        pytest.param({"n": 3, "bad": 2, "raw_n": 5, "raw_bad": 1}, id="fewer raw bad ones than counted ones"),
    ],
)
def test_what_is_no_count_is_refused(counts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a count"):
        History().add(**counts, t_s=0.0)


def test_a_fresh_history_has_seen_nothing() -> None:
    assert (History().totals(), History().newest, History().changed()) == ((0, 0), 0, [])
    assert History().clients() is Clients.UNKNOWN


def test_counts_of_ten_seconds_are_one_block_and_late_ones_count_in_the_newest() -> None:
    history = of((5.0, 10, 1), (9.9, 10, 0), (25.0, 7, 7), (12.0, 3, 1))
    first = int(NOON // BLOCK_S)
    assert history.counts() == [Count(first, 20, 1), Count(first + 2, 10, 8)]


def test_repeats_of_one_client_are_kept_apart() -> None:
    history = History()
    history.add(n=8, bad=1, raw_n=10, raw_bad=3, t_s=NOON)
    assert history.counts(Clients.KNOWN)[0][1:] == (8, 1)
    assert history.counts(Clients.DOMINATED)[0][1:] == (10, 3)
    assert history.totals() == (8, 1)


def test_what_is_older_than_a_day_is_forgotten() -> None:
    history = of((0.0, 100, 100), (KEPT_S - 1.0, 10, 1))
    assert history.totals() == (110, 101)
    history.add(n=1, bad=0, t_s=NOON + KEPT_S)
    assert history.totals() == (11, 1)


def test_memory_is_bounded_however_long_it_runs() -> None:
    history = History()
    for block in range(2 * KEPT):
        history.add(n=1, bad=0, t_s=NOON + block * BLOCK_S, asked=(1, 0, 0, 0, 0, 0, 0, 0))
    assert history.totals() == (KEPT, 0)
    assert len(history.changed()) <= KEPT + 26


# --- clocks


def test_a_clock_set_back_loses_nothing_and_piles_nothing_up() -> None:
    history = of(*((10.0 * block, 10, 0) for block in range(360)))
    for block in range(360):
        history.add(n=10, bad=1, t_s=NOON - 7_200.0 + 10.0 * block)
    assert history.totals() == (7_200, 360)
    assert {count.n for count in history.counts()} == {10}


def test_a_clock_that_was_years_ahead_for_a_moment_takes_no_history_away() -> None:
    history = of(*((10.0 * block, 10, 0) for block in range(360)))
    history.add(n=10, bad=5, t_s=NOON + 1e9)
    for block in range(360, 720):
        history.add(n=10, bad=1, t_s=NOON + 10.0 * block)
    assert history.totals() == (7_210, 365)
    assert len(history.counts()) == 721


def test_a_daemon_that_was_down_for_two_days_begins_afresh() -> None:
    before, after = of((0.0, 10, 1)), History()
    after.restore(before.changed(), now_s=NOON + 2 * KEPT_S)
    assert after.totals() == (0, 0)
    after.restore(before.changed())
    after.add(n=1, bad=0, t_s=NOON + 2 * KEPT_S)
    assert after.totals() == (1, 0)


def test_a_clock_set_back_over_a_restart_loses_nothing() -> None:
    after = History()
    after.restore(of((0.0, 10, 1)).changed(), now_s=NOON - 3_600.0)
    after.add(n=5, bad=0, t_s=NOON - 3_600.0)
    after.add(n=5, bad=0, t_s=NOON - 3_590.0)
    assert [count.n for count in after.counts()] == [10, 5, 5]


# --- kept in pieces

Kept = list[tuple[float, int, float, list[int] | None]]


@FIXED
@given(
    st.lists(
        st.tuples(
            st.floats(0, 400_000),
            st.integers(0, 50),
            st.floats(0, 1),
            st.none() | st.lists(st.integers(0, 9), min_size=8, max_size=8),
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_pieces_kept_as_they_change_are_the_whole(adds: Kept, each: int) -> None:
    history, rows, since = History(), [], 0
    for number, (t_s, n, rate, asked) in enumerate(sorted(adds, key=lambda one: one[0])):
        history.add(n=n, bad=int(n * rate), t_s=NOON + t_s, asked=asked)
        if number % each == 0:
            rows += history.changed(since)
            since = history.newest
    rows += history.changed(since)
    again = History()
    again.restore(json.loads(json.dumps(rows)))
    assert again.counts() == history.counts()
    assert again.counts(Clients.UNKNOWN) == history.counts(Clients.UNKNOWN)
    assert again.clients() is history.clients()


def test_little_is_written_for_ten_seconds() -> None:
    history = History()
    for block in range(1_000):
        history.add(n=500, bad=1, t_s=NOON + block * BLOCK_S, asked=(63, 63, 63, 63, 62, 62, 62, 62))
    assert len(history.changed(history.newest)) == 2


@pytest.mark.parametrize("row", [[], [1, 2], ["asked", 1, 2], [1, 2, "3"], [1, 2, 3, 4], ["x"], [None, 1, 1]])
def test_rows_of_another_program_are_refused(row: list[int | str]) -> None:
    with pytest.raises(ValueError, match="no block and no hour"):
        History().restore([row])


# --- who asked


def asked_by(clients: list[int], rps: float = 50.0, hours: int = 6, bad_each_block: int = 0) -> History:
    """An hour's buckets where each of `clients` (by its bucket) asks equally often."""
    history = History()
    n = int(rps * BLOCK_S)
    buckets = [0] * 8
    for i in range(n):
        buckets[clients[i % len(clients)] % 8] += 1
    for block in range(hours * HOUR):
        history.add(n=n, bad=bad_each_block, t_s=NOON + block * BLOCK_S, asked=buckets)
    return history


@pytest.mark.parametrize(
    ("clients", "rps", "bad_each_block", "said"),
    [
        pytest.param([3], 50.0, 0, Clients.DOMINATED, id="all through one proxy"),
        pytest.param([0, 0, 0, 1, 2], 50.0, 0, Clients.DOMINATED, id="one bucket has 60 %"),
        pytest.param(list(range(240)), 50.0, 0, Clients.KNOWN, id="many users"),
        pytest.param([0, 1, 2], 50.0, 0, Clients.BUSY, id="three clients that ask 17 times a second each"),
        pytest.param([0, 1, 2], 0.3, 0, Clients.KNOWN, id="three clients that ask now and then"),
        pytest.param([0, 0, 1, 1, 2, 3], 0.6, 2, Clients.BUSY, id="few clients, and much of what they ask is bad"),
    ],
)
def test_clients_are_told_apart_where_they_can_be(
    clients: list[int], rps: float, bad_each_block: int, said: Clients
) -> None:
    assert asked_by(clients, rps, bad_each_block=bad_each_block).clients() is said


def test_clients_of_a_few_events_or_of_the_smaller_part_are_unknown() -> None:
    few = History()
    few.add(n=40, bad=0, t_s=NOON, asked=(5,) * 8)
    part = History()
    part.add(n=80, bad=0, t_s=NOON, asked=(10,) * 8)
    part.add(n=100, bad=0, t_s=NOON)
    assert (few.clients(), part.clients()) == (Clients.UNKNOWN, Clients.UNKNOWN)
