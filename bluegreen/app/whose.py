"""Whose event it is: which colour a batch of a source speaks of, as far as we know where users are sent."""

from bluegreen.app.attention import Attention
from bluegreen.domain.signals import Batch, Measured
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Clock


class Whose:
    """Attributes events. `serving` is the colour users are sent to, as far as we know; while `side_by_side` both serve
    and `serving` is the old one."""

    def __init__(self, clock: Clock, attention: Attention) -> None:
        self._clock = clock
        self._attention = attention
        self._moved_at = clock.monotonic()
        self.serving: Colour | None = None
        self.side_by_side = False

    def moved(self, colour: Colour | None) -> None:
        """Users are sent to `colour` from now on; what was asked before counts for nobody."""
        if colour is not self.serving:
            self.serving = colour
            self._moved_at = self._clock.monotonic()

    def all_moved(self) -> None:
        """From now on one colour serves alone; what was asked before, of whom nobody said, counts for nobody."""
        if self.side_by_side:
            self.side_by_side = False
            self._moved_at = self._clock.monotonic()

    def colour(self, batch: Batch) -> Colour | None:
        """The colour that a batch speaks of; None where nobody knows."""
        if isinstance(batch, Measured) or batch.colour is not None:
            return batch.colour
        attention = self._attention
        if batch.since is not None and (attention.away or batch.since < attention.awake_since):
            return None  # asked before an interruption: that it was late, or lost, is our doing
        if self.side_by_side:
            return None
        began = batch.since if batch.since is not None else self._moved_at
        return self.serving if began >= self._moved_at else None
