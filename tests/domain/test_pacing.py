"""How fast a backfill goes: its batches, its rests, and what slows it down."""

import pytest

from bluegreen.domain import pacing
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.pacing import FIRST, LARGEST, SMALLEST, Canary, Pace, Speed

HARM = "somebody waits"


@pytest.mark.parametrize(
    ("batch", "seconds", "after"),
    [
        (500, 0.1, 500),
        (500, 0.05, 1000),
        (500, 0.08, 625),
        (500, 0.001, 1000),
        (500, 0.0, 1000),
        (500, 0.2, 250),
        (500, 9.0, 250),
        (150, 9.0, SMALLEST),
        (15_000, 0.001, LARGEST),
    ],
)
def test_a_batch_grows_and_shrinks_towards_a_tenth_of_a_second_by_half_or_double_at_most(
    batch: int, seconds: float, after: int
) -> None:
    assert Pace(batch).after(seconds, "").batch == after


def test_it_rests_as_long_as_it_works() -> None:
    assert Pace().pause(0.08) == 0.08
    assert Pace().batch == FIRST


def test_it_rests_half_as_long_once_twenty_batches_harmed_nobody_and_no_less_than_that() -> None:
    pace, rests = Pace(), []
    for _ in range(100):
        pace = pace.after(0.1, "")
        rests.append(pace.pause(0.08))
    assert rests == [0.08] * 19 + [0.04] * 81
    pace = pace.after(0.1, HARM)
    assert pace.pause(0.08) == 0.08
    assert pace.after(0.1, HARM).pause(0.08) == pytest.approx(0.2)


def test_a_batch_grows_freely_while_it_rests_no_longer_than_it_works() -> None:
    assert Pace(1000, rests=0.5).after(0.05, "").batch == 2000
    assert Pace(1000, rests=1.0).after(0.05, "").batch == 2000


def test_whoever_is_harmed_halves_the_batch_and_doubles_the_rest_again_and_again() -> None:
    pace = Pace(1000)
    seen = []
    for _ in range(8):
        pace = pace.after(0.1, HARM)
        seen.append((pace.batch, pace.rests))
    assert seen == [(500, 2), (250, 4), (125, 8), (100, 16), (100, 16), (100, 16), (100, 16), (100, 16)]
    assert pace.pause(0.001) == pytest.approx(1.6), "a short batch that harmed somebody rests as if it were a long one"


def test_it_dares_more_only_after_twenty_batches_without_harm() -> None:
    pace = Pace(1000).after(0.1, HARM)
    for _ in range(19):
        pace = pace.after(0.01, "")
        assert (pace.batch, pace.rests) == (500, 2), "not sooner, however quick the batches are"
    pace = pace.after(0.01, "")
    assert (pace.batch, pace.rests, pace.good) == (1000, 1, 0)


def test_harm_in_between_counts_the_twenty_anew() -> None:
    pace = Pace(1000).after(0.1, HARM)
    for _ in range(19):
        pace = pace.after(0.1, "")
    pace = pace.after(0.1, HARM)
    assert (pace.rests, pace.good) == (4, 0)


def test_a_batch_that_was_given_up_is_halved_and_rests_no_longer() -> None:
    assert Pace(1000, rests=2.0, good=3).smaller() == Pace(500, rests=2.0)
    assert Pace(SMALLEST).smaller().batch == SMALLEST


def test_slowed_down_it_shrinks_all_the_same_where_batches_take_long() -> None:
    assert Pace(400, rests=2.0).after(0.2, "").batch == 200


@pytest.mark.parametrize(
    ("now", "before", "slow"),
    [(0.024, 0.004, False), (0.025, 0.004, True), (0.2, 0.1, False), (0.201, 0.1, True), (0.0, 0.0, False)],
)
def test_slower_is_twice_as_long_and_twenty_milliseconds_more(now: float, before: float, slow: bool) -> None:
    assert bool(pacing.slower("web", now, before)) is slow


def test_the_words_name_what_is_slower_and_by_how_much() -> None:
    assert pacing.slower("web", 0.0804, 0.0121) == "web takes 80 ms, 12 ms before"


@pytest.mark.parametrize(
    ("dead", "living", "piles"),
    [(0, 0, False), (49_999, 1, False), (50_000, 50_000, False), (60_000, 50_000, True), (10, 0, False)],
)
def test_dead_rows_pile_up_where_they_outnumber_the_living(dead: int, living: int, piles: bool) -> None:
    assert bool(pacing.piled_up(dead, living)) is piles


@pytest.mark.parametrize(("seconds", "behind"), [(None, ""), (10.0, ""), (12.3, "a replica is 12 s behind")])
def test_a_replica_may_be_ten_seconds_behind(seconds: float | None, behind: str) -> None:
    assert pacing.lags(seconds) == behind


def _canary(*last: float, first: float = 0.002, measured: int = 20) -> Canary:
    canary = Canary()
    for _ in range(measured):
        canary.read(first, resting=True)
    for seconds in last:
        canary.read(seconds, resting=False)
    return canary


@pytest.mark.parametrize(
    ("canary", "brakes"),
    [
        (_canary(0.05, 0.05, 0.05), True),
        (_canary(0.05, 0.05), False),
        (_canary(0.05, 0.05, 0.05, measured=19), False),
        (_canary(0.001, 0.001, 0.9, 0.001, 0.001), False),
        (_canary(0.05, 0.05, 0.05, 0.002, 0.002, 0.002), False),
        (_canary(0.003, 0.004, 0.005), False),
    ],
)
def test_the_canary_brakes_on_the_median_of_its_last_reads(canary: Canary, brakes: bool) -> None:
    assert bool(canary.brake) is brakes


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    speed = Speed()
    assert (speed.rate, speed.left(100)) == (0.0, None)
    speed.count(0.0, 0)
    for second in range(1, 101):
        speed.count(float(second), 1000 * second if second <= 50 else 50_000 + 100 * (second - 50))
    assert speed.rate == 100.0
    assert speed.left(60_000) == pytest.approx(50.0)
    assert speed.left(None) is None
    assert speed.left(1) == 0.0


PROGRESS = Progress("app", "app", "0007_x", "users", BackfillState.RUNNING, rows_done=1_200_000)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (PROGRESS, "1,200,000 rows"),
        (
            Progress("a", "a", "1", "t", BackfillState.RUNNING, 1_200_000, 5_000_000, 80_000.0, 48.0),
            "1,200,000 of 5,000,000 rows, 80,000/s, 48 s left",
        ),
        (
            Progress("a", "a", "1", "t", BackfillState.RUNNING, 5, 10, 1.0, 10_000.0, brake="web takes 80 ms"),
            "5 of 10 rows, 1/s, 3 h left (slowed down: web takes 80 ms)",
        ),
    ],
    ids=["little is known", "all is known", "slowed down"],
)
def test_progress_says_how_far_how_fast_and_how_long(progress: Progress, words: str) -> None:
    assert progress.describe() == words


def test_its_label_is_that_of_its_file() -> None:
    assert PROGRESS.label == "app/0007_x.backfill"
