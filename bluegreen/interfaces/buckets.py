"""Token buckets: how often each sender may knock. In memory, bounded, forgetting the longest silent first."""

from collections import OrderedDict
from collections.abc import Hashable
from time import monotonic

SENDERS = 1024
"""Senders remembered at once."""


class Buckets:
    """One bucket a sender: `burst` requests at once, refilled at `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, sender: Hashable, now: float | None = None, *, cost: float = 1) -> float:
        """Take what a request costs, a full bucket at most. Returns 0 where it was there, else the seconds until
        it is."""
        now = monotonic() if now is None else now
        cost = min(cost, self._burst)
        level, since = self._levels.pop(sender, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        wait = max(0.0, (cost - level) / self._rate)
        self._levels[sender] = (level if wait else level - cost, now)
        if len(self._levels) > SENDERS:
            self._levels.popitem(last=False)
        return wait
