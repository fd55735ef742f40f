"""An event loop whose time is virtual: nobody sleeps, time jumps to whatever is due next.

Where a loop would wait for its selector until the next timer, this one asks the selector without waiting and
moves its clock on by that long. So an hour of watching takes milliseconds, and what happens at which second
is the same on a busy machine and on an idle one.
"""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""What people's clocks show when the virtual time is 0."""

PATIENCE = 5.0
"""Real seconds that a loop without any timer waits for a thread or a file, before it says that it hangs."""


class Hanging(Exception):
    """No timer is due and nothing comes: every task waits for something that nobody will do."""


class _Skipping(selectors.DefaultSelector):
    """A selector that never waits while a timer is due: `skipped` seconds were jumped over instead."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE if timeout is None else 0)
        if timeout is None and not ready:
            raise Hanging
        if timeout is not None and not ready:
            self.skipped += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that begins at second 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        # A timer is due when it is nearer than this; the usual nanosecond is less than a float can tell after a month.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._skipping.skipped

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as after SIGSTOP: what was due meanwhile is late."""
        self._skipping.skipped += seconds


class VirtualClock:
    """The Clock port on the running loop's time. `ahead`: how far somebody set the wall clock; `slept`: how long the
    machine was suspended."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.slept = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic()) + self.ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def suspended(self) -> float:
        return self.slept
