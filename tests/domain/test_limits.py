"""Fixed limits: when they break, what they say, and that they go on after a restart."""

import json

import pytest

from bluegreen.domain.limits import MOST_KEYS, OTHERS, SLOTS, Kind, LimitReading, Limits
from bluegreen.domain.rules import Direction, LimitRule

PROBES = LimitRule("probe failures in a row", "probe", 0.0, window_s=0.0, in_a_row=3, each_key=True)
ERRORS = LimitRule("errors", "5xx", 0.02, window_s=30.0, min_samples=50)
QUEUE = LimitRule("queue", "queue", 200.0, in_a_row=3)


def only(limits: Limits, t_s: float = 0.0) -> LimitReading:
    (reading,) = limits.readings(t_s)
    return reading


def counted(rule: LimitRule, *batches: tuple[float, int, int]) -> Limits:
    """Limits of one rule after batches of (time, n, bad)."""
    limits = Limits((rule,))
    for t_s, n, bad in batches:
        limits.count(rule.signal, n=n, bad=bad, key="web", t_s=t_s)
    return limits


# --- events one by one


@pytest.mark.parametrize(
    ("batches", "run", "broken"),
    [
        pytest.param([(1, 1), (1, 1)], 2, False, id="two in a row"),
        pytest.param([(1, 1), (1, 1), (1, 1)], 3, True, id="three in a row"),
        pytest.param([(3, 3)], 3, True, id="three in one batch"),
        pytest.param([(1, 1), (1, 1), (1, 0), (1, 1)], 1, False, id="a success ends the run"),
        pytest.param([(1, 1), (1, 1), (0, 0), (1, 1)], 3, True, id="an empty batch does not"),
        pytest.param([(1, 1), (1, 1), (4, 3)], 0, False, id="a mixed batch ends it: its order is unknown"),
        pytest.param([(1, 1)] * 3 + [(1, 0)], 0, False, id="a reading is about now"),
    ],
)
def test_failures_in_a_row(batches: list[tuple[int, int]], run: int, broken: bool) -> None:
    reading = only(counted(PROBES, *((0.0, n, bad) for n, bad in batches)))
    assert (reading.value, reading.limit, reading.broken) == (run, 3, broken)
    assert reading.samples == sum(n for n, _ in batches)
    assert reading.describe() == f"probe of web failures in a row: {run}, limit 3, {reading.samples} samples"


def test_each_key_has_a_run_of_its_own() -> None:
    limits = Limits((PROBES,))
    broken = [limits.count("probe", n=1, bad=1, key=key, t_s=0.0) for key in ("web", "api", "web", "api", "web")]
    assert broken == [False, False, False, False, True]
    assert {reading.name: reading.value for reading in limits.readings(0.0)} == {
        "probe of web failures in a row": 3,
        "probe of api failures in a row": 2,
    }


def test_keys_without_end_take_no_memory_without_end() -> None:
    limits = Limits((PROBES,))
    for number in range(3 * MOST_KEYS):
        limits.count("probe", n=1, bad=0, key=f"service {number}", t_s=0.0)
    names = [reading.name for reading in limits.readings(0.0)]
    assert len(names) == MOST_KEYS + 1
    assert names[-1] == f"probe of {OTHERS} failures in a row"


@pytest.mark.parametrize(("n", "bad"), [(1, 2), (1, -1)])
def test_what_is_no_count_is_refused(n: int, bad: int) -> None:
    with pytest.raises(ValueError, match="not a count"):
        counted(PROBES, (0.0, n, bad))


# --- the share of a window


@pytest.mark.parametrize(
    ("batches", "now", "broken"),
    [
        pytest.param([], 0.0, None, id="nothing was seen: there is nothing to read"),
        pytest.param([(0.0, 49, 49)], 0.0, False, id="too few samples"),
        pytest.param([(0.0, 50, 1)], 0.0, False, id="at the limit"),
        pytest.param([(0.0, 50, 2)], 0.0, True, id="above it"),
        pytest.param([(0.0, 25, 1), (29.0, 25, 1)], 29.0, True, id="over the whole window"),
        pytest.param([(0.0, 25, 1), (31.0, 25, 1)], 31.0, False, id="what is older does not count"),
        pytest.param([(0.0, 100, 50), (31.0, 60, 0)], 31.0, False, id="it recovers"),
        pytest.param([(0.0, 100, 50)], 60.0, False, id="an empty window is no failure"),
        pytest.param([(0.0, 50, 1), (10.0, 50, 50), (10.0, 2000, 0)], 10.0, True, id="good ones dilute: 51 of 2,100"),
    ],
)
def test_the_share_of_a_window(batches: list[tuple[float, int, int]], now: float, broken: bool | None) -> None:
    readings = counted(ERRORS, *batches).readings(now)
    assert [reading.broken for reading in readings] == ([] if broken is None else [broken])


def test_a_share_says_value_limit_and_samples() -> None:
    reading = only(counted(ERRORS, (0.0, 1_204, 38)))
    assert reading.describe() == "errors: 5xx 3.2 % in 30 s, limit 2 %, 1,204 samples"
    few = only(counted(ERRORS, (0.0, 4, 4)))
    assert few.describe() == "errors: 5xx 100 % in 30 s (fewer than 50), limit 2 %, 4 samples"


def test_windows_in_a_row_are_back_to_back() -> None:
    """30 s each: what was bad for 50 s is two of three windows, what was bad for 80 s is three."""
    rule = LimitRule("errors", "5xx", 0.02, window_s=30.0, min_samples=50, in_a_row=3)
    limits = Limits((rule,))
    broken_at = None
    for second in range(120):
        if limits.count("5xx", n=10, bad=1, key="", t_s=float(second)) and broken_at is None:
            broken_at = second
    assert broken_at is not None
    assert 60 <= broken_at <= 66  # as soon as the third window has its 50 samples
    assert only(limits, 119.0).describe().startswith("errors: 5xx 10 % in 30 s, 3 of 3 in a row, limit 2 %")


def test_one_good_window_between_ends_the_row() -> None:
    rule = LimitRule("errors", "5xx", 0.02, window_s=10.0, min_samples=10, in_a_row=3)
    batches = [(float(second), 10, 0 if 10 <= second < 20 else 5) for second in range(30)]
    reading = only(counted(rule, *batches), 29.0)
    assert (reading.broken, reading.run) == (False, 1)


def test_a_share_may_have_to_stay_above() -> None:
    rule = LimitRule("too quiet", "5xx", 0.5, direction=Direction.BELOW, window_s=10.0, min_samples=10)
    assert only(counted(rule, (0.0, 10, 4))).broken
    assert not only(counted(rule, (0.0, 10, 5))).broken
    assert "limit at least 50 %" in only(counted(rule, (0.0, 10, 4))).describe()


@pytest.mark.parametrize("window_s", [1.0, 30.0, 3600.0])
def test_memory_is_bounded_whatever_comes(window_s: float) -> None:
    rule = LimitRule("errors", "5xx", 0.5, window_s=window_s, in_a_row=2)
    limits = counted(rule, *((tick / 10, 5, 0) for tick in range(100_000)))
    (window,) = limits.to_dict()["windows"]
    assert len(window["slots"]) <= 2 * SLOTS


# --- gauges


def test_a_gauge_breaks_after_so_many_samples_in_a_row() -> None:
    limits = Limits((QUEUE,))
    seen = [limits.sample("queue", value, t_s=0.0) for value in (250.0, 250.0, 200.0, 201.0, 202.0, 203.0, 10.0)]
    assert seen == [False, False, False, False, False, True, False]
    reading = only(limits)
    assert (reading.kind, reading.value, reading.limit, reading.samples) == (Kind.GAUGE, 10.0, 200.0, 7)
    limits.sample("queue", 240.0, t_s=0.0)
    assert only(limits).describe() == "queue: 240, 1 of 3 in a row, limit 200, 8 samples"


def test_a_gauge_may_have_to_stay_above() -> None:
    limits = Limits((LimitRule("workers", "workers", 2.0, direction=Direction.BELOW),))
    assert not limits.sample("workers", 2.0, t_s=0.0)
    assert limits.sample("workers", 1.0, t_s=0.0)
    assert only(limits).describe() == "workers: 1, limit at least 2, 2 samples"


# --- dry run, restart


def test_a_limit_in_dry_run_breaks_and_does_not_cut() -> None:
    rule = LimitRule("errors", "5xx", 0.02, window_s=30.0, min_samples=10, dry_run=True)
    limits = Limits((rule,))
    assert not limits.count("5xx", n=10, bad=10, key="", t_s=0.0)
    reading = only(limits)
    assert (reading.broken, reading.cuts) == (True, False)
    assert "errors (dry run): " in reading.describe()


def test_limits_go_on_after_a_restart() -> None:
    limits = Limits((PROBES, ERRORS, QUEUE))
    limits.count("probe", n=2, bad=2, key="web", t_s=1.0)
    limits.count("5xx", n=49, bad=10, key="", t_s=20.0)
    limits.sample("queue", 300.0, t_s=20.0)
    again = Limits.from_dict(json.loads(json.dumps(limits.to_dict())))
    assert again.readings(20.0) == limits.readings(20.0)
    assert again.count("probe", n=1, bad=1, key="web", t_s=21.0)
    assert again.count("5xx", n=1, bad=0, key="", t_s=21.0)


@pytest.mark.parametrize("saved", [{}, {"rules": [{"name": "x"}], "windows": []}, {"rules": [], "windows": [{}]}])
def test_saved_limits_of_another_shape_are_refused(saved: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="shape"):
        Limits.from_dict(saved)
