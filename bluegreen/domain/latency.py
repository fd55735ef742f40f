"""What counts as slow: how long the live colour's requests took, in log-spaced buckets of bounded memory.

A bucket is 5 % wide, so a percentile is exact to 5 %, which is far below what anybody calls a slow-down.
"""

from dataclasses import dataclass, field
from math import ceil, log

SHORTEST = 0.0005
WIDTH = log(1.05)
BUCKETS = 300
"""From half a millisecond to about 1,100 s."""

ROUNDING = 1e-9
"""Without it the upper end of a bucket would count as the next one's, by an error in the last bit."""


@dataclass(slots=True)
class Latencies:
    """Durations in seconds, counted."""

    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    n: int = 0

    def add(self, values: tuple[float, ...]) -> None:
        """Count durations."""
        for value in values:
            self.counts[_bucket(value)] += 1
        self.n += len(values)

    def join(self, other: "Latencies") -> None:
        """Count what another one counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.n += other.n

    def percentile(self, share: float) -> float | None:
        """The duration that `share` of them did not exceed (upper end of its bucket); None without any."""
        if not self.n:
            return None
        wanted, seen = ceil(share * self.n), 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return _upper_end(bucket)
        return _upper_end(BUCKETS - 1)

    def above(self, limit: float) -> int:
        """How many took longer than `limit` (whole buckets above the one that holds it)."""
        return sum(self.counts[_bucket(limit) + 1 :])


def _bucket(value: float) -> int:
    if value <= SHORTEST:
        return 0
    return min(ceil(log(value / SHORTEST) / WIDTH - ROUNDING), BUCKETS - 1)


def _upper_end(bucket: int) -> float:
    return float(SHORTEST * 1.05**bucket)
