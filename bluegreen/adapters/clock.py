"""The machine's own clocks."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The Clock port. `monotonic` stands still while the machine is suspended (CLOCK_MONOTONIC, clock_gettime(2))."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
