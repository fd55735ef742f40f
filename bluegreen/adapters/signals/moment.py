"""What sources that ask have in common: they know of the moment in which they ask, and of no other."""

from bluegreen.domain.records import Json
from bluegreen.ports import Clock


class OfTheMoment:
    """The part of the SignalSource port that is the same for each of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def caught_up_at(self) -> float | None:
        """Now: nothing that was not asked waits to be reported."""
        return self._clock.monotonic()

    @property
    def behind(self) -> float:
        """0: an answer is heard when it comes."""
        return 0.0

    def position(self) -> Json:
        """None: what was not asked cannot be asked later."""
        return None

    def resume(self, position: Json) -> bool:
        """True: nothing that could be had is missing."""
        return True

    def _time_of_day(self) -> str:
        """Now, for a line that people read: `12:03:04.120 UTC`."""
        return f"{self._clock.now():%H:%M:%S.%f}"[:-3] + " UTC"
