"""The machine's clocks."""

from datetime import UTC, datetime, timedelta

from bluegreen.adapters.clock import SystemClock


def test_wall_time_is_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_monotonic_time_only_grows() -> None:
    clock = SystemClock()
    times = [clock.monotonic() for _ in range(1000)]
    assert times == sorted(times)


def test_a_machine_that_is_awake_does_not_count_as_suspended() -> None:
    clock = SystemClock()
    began = clock.suspended()
    assert began >= -0.001, "two clocks that are read one after the other"
    assert clock.suspended() - began < 0.5
