"""The attempts at the way back in one life of the daemon: how many failed in a row, and what was done about it."""

from bluegreen.domain.errors import BalancerError, ForeignChange

STUCK_AFTER = 3
"""Failed attempts in a row after which the way back is stuck: it is tried past us, and people are called."""

FOREIGN_WRITERS = 3
"""Foreign changes in a row after which we give up: somebody else is at work."""


class Attempts:
    """Counts them. `begun`: from now on nobody else writes for this deployment."""

    def __init__(self) -> None:
        self.begun = False
        self.failed = 0
        self.foreign = 0
        self.reloaded = False
        """True once the balancer was made to read the snippets of the old colour, past us."""
        self.past_us = ""
        """What became of those other means, in words."""
        self._told = ""

    def missed(self, error: BalancerError) -> None:
        """Take in an attempt that failed."""
        self.failed += 1
        self.foreign = self.foreign + 1 if isinstance(error, ForeignChange) else 0

    @property
    def stuck(self) -> bool:
        """True where it is time for other means."""
        return self.failed >= STUCK_AFTER

    @property
    def beaten(self) -> bool:
        """True where somebody else keeps writing."""
        return self.foreign >= FOREIGN_WRITERS

    def worth_telling(self, reason: str) -> bool:
        """True for the first attempts, for a new reason, and ever more seldom for the same one."""
        new, self._told = reason != self._told, reason
        return new or self.failed & (self.failed - 1) == 0
