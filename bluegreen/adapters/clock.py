"""The machine's own clocks."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The Clock port. While the machine is suspended CLOCK_MONOTONIC stands still and CLOCK_BOOTTIME does not
    (clock_gettime(2))."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def suspended(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
