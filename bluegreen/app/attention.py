"""Whether anybody watched: a daemon that was stopped (SIGSTOP, a frozen virtual machine) or a machine that slept saw
nothing meanwhile, and that time must not count as watched.

CLOCK_MONOTONIC runs on while a process is stopped, and stands still while the machine is suspended (clock_gettime(2)).
"""

from dataclasses import dataclass

from bluegreen.ports import Clock

GAP = 2.0
"""Seconds between two ticks from which on nobody watched in between: twenty ticks, more than a busy machine delays."""

SLEPT = 1.0
"""Seconds of suspension that count as one; less is the two clocks read one after the other."""

CATCH_UP = 30.0
"""Seconds after which a source that cannot catch up is waited for no longer: what it is then is judged as usual."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """Nobody watched for so many seconds; `slept`: the whole machine was suspended."""

    seconds: float
    slept: bool


class Attention:
    """The time in which a watch loop was on and turned. `awake_since`: the end of the last interruption."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lost = 0.0
        self._ticked_at: float | None = None
        self._slept = clock.suspended()
        self.awake_since = clock.monotonic()

    @property
    def lost(self) -> float:
        """Seconds of monotonic time that do not count, exact to now: also before the next tick finds it out."""
        return self._lost + self._gap()

    @property
    def away(self) -> bool:
        """True where an interruption is over and no tick has noticed it yet."""
        return self._gap() > 0 or self._asleep() > 0

    def begin(self) -> None:
        """From now on somebody watches, and ticks."""
        self._ticked_at = self.awake_since = self._clock.monotonic()
        self._slept = self._clock.suspended()

    def end(self) -> None:
        """Nobody has to watch any more; harmless twice."""
        self._lost += self._gap()
        self._ticked_at = None

    def tick(self) -> Interruption | None:
        """Say that somebody watches; what came in between, where it was too long."""
        if self._ticked_at is None:
            return None
        gap, asleep = self._gap(), self._asleep()
        self._lost += gap
        self._ticked_at = self._clock.monotonic()
        if not gap and not asleep:
            return None
        self._slept = self._clock.suspended()
        self.awake_since = self._ticked_at
        return Interruption(asleep or gap, slept=asleep > 0)

    def _gap(self) -> float:
        passed = self._clock.monotonic() - self._ticked_at if self._ticked_at is not None else 0.0
        return passed if passed > GAP else 0.0

    def _asleep(self) -> float:
        asleep = self._clock.suspended() - self._slept if self._ticked_at is not None else 0.0
        return asleep if asleep > SLEPT else 0.0
