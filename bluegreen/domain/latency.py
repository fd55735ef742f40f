"""What counts as slow: how long the live colour's requests took, in log-spaced buckets of bounded memory.

A bucket is 5 % wide, so a percentile is exact to 5 %, which is far below what anybody calls a slow-down. A day is kept
in stretches of ten minutes, so that "slow" is what was rare over the whole day, and what is tolerated is the worst
stretch of it: a nightly job that makes everything slow is usual, and no release is blamed for it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil, exp, log

SHORTEST = 0.0005
WIDTH = log(1.05)
BUCKETS = 300
"""From half a millisecond to about 1,100 s."""

ROUNDING = 1e-11
"""Without it the upper end of a bucket would count as the next one's, by an error in the last bit."""

ENDS = [SHORTEST * exp(WIDTH * bucket) * (1 + ROUNDING) for bucket in range(BUCKETS - 1)]
"""Seconds at which each bucket but the last ends. To search them takes a sixth of the time that a logarithm takes, and
every answer to a user comes by here."""

STRETCH_S = 600
KEPT_S = 24 * 3600

WINDOW = 3
"""Stretches in a row (half an hour) among which the worst is looked for: fewer are noise."""

ENOUGH = 10_000
"""Durations that such a window has at least, else it reaches further back."""

Rows = dict[str, dict[str, int]]
"""Counts by bucket, by stretch, as JSON has them: keys are text."""


@dataclass(slots=True)
class Latencies:
    """Durations in seconds, counted."""

    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    n: int = 0

    def add(self, values: Iterable[float]) -> None:
        """Count durations."""
        for value in values:
            self.counts[_bucket(value)] += 1
            self.n += 1

    def join(self, other: "Latencies") -> None:
        """Count what another one counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.n += other.n

    def move(self, counts: Mapping[int, int], sign: int) -> None:
        """Count what was counted elsewhere by bucket (`sign` 1), or take it away again (-1)."""
        for bucket, count in counts.items():
            self.counts[bucket] += sign * count
            self.n += sign * count

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


class Durations:
    """How long one service's requests took over the last 24 h: at most 144 stretches, whatever the traffic.

    Time is the wall clock's, in seconds. What comes late, or from before a clock that was set back, counts in the
    newest stretch, so that a wrong clock loses nothing and poisons nothing for longer than a day.
    """

    def __init__(self) -> None:
        self.whole = Latencies()
        """All that is kept."""
        self._stretches: dict[int, Counter[int]] = {}
        self._fresh: dict[int, Counter[int]] = {}
        self._newest: int | None = None

    @property
    def n(self) -> int:
        """Durations that are kept."""
        return self.whole.n

    def add(self, values: Iterable[float], at: float) -> None:
        """Count durations, in seconds, that were seen at the wall time `at`."""
        number = self._turn(int(at // STRETCH_S))
        counts = Counter(map(_bucket, values))
        self._count(number, counts)
        self._fresh.setdefault(number, Counter()).update(counts)

    def percentile(self, share: float) -> float | None:
        """The duration that `share` of the day's did not exceed; None without any."""
        return self.whole.percentile(share)

    def stretches(self, limit: float) -> Iterator[tuple[int, int, int]]:
        """(number, durations, those above `limit`) of each stretch, oldest first."""
        lowest = _bucket(limit) + 1
        for number in sorted(self._stretches):
            counts = self._stretches[number]
            yield number, counts.total(), sum(count for bucket, count in counts.items() if bucket >= lowest)

    def take(self) -> Rows:
        """What was counted since the last time, for the journal; give it back with `untake` where that failed."""
        fresh, self._fresh = self._fresh, {}
        return {str(number): {str(b): count for b, count in counts.items()} for number, counts in fresh.items()}

    def untake(self, rows: Rows) -> None:
        """It was not kept: it counts among what is to be kept next."""
        for number, counts in _read(rows):
            self._fresh.setdefault(number, Counter()).update(counts)

    def all(self) -> Rows:
        """Everything, for the journal."""
        return {str(n): {str(b): count for b, count in counts.items()} for n, counts in self._stretches.items()}

    def restore(self, rows: Rows) -> None:
        """Count what was kept, oldest first. Raises ValueError where another program kept it."""
        for number, counts in _read(rows):
            self._count(self._turn(number), counts)

    def join(self, rows: Rows) -> None:
        """Count what another one has in `all`; it is to be kept as if it had been seen here."""
        for number, counts in _read(rows):
            mine = self._turn(number)
            self._count(mine, counts)
            self._fresh.setdefault(mine, Counter()).update(counts)

    def _count(self, number: int, counts: Mapping[int, int]) -> None:
        self._stretches.setdefault(number, Counter()).update(counts)
        self.whole.move(counts, 1)

    def _turn(self, number: int) -> int:
        """The stretch that counts now; what is older than a day is let go. A clock that was set back by more than
        that begins a new day: what it left in its future would else be the newest for ever."""
        if self._newest is not None and number < self._newest - KEPT_S // STRETCH_S:
            self._forget(set(self._stretches))
            self._newest = None
        if self._newest is None or number > self._newest:
            self._newest = number
            self._forget({old for old in self._stretches if old <= number - KEPT_S // STRETCH_S})
        return self._newest

    def _forget(self, numbers: set[int]) -> None:
        for number in numbers:
            self.whole.move(self._stretches.pop(number), -1)


def worst(stretches: Iterable[tuple[int, int, int]]) -> tuple[int, int]:
    """(durations, those too long) of the worst half hour: of the windows of WINDOW stretches, each reaching back until
    it has ENOUGH durations, that with the highest share. A history too short for one counts as a whole; (0, 0) without
    any."""
    rows = sorted(stretches)
    windows = [window for end in range(len(rows)) if (window := _window(rows[: end + 1])) is not None]
    if not windows:
        return sum(n for _, n, _ in rows), sum(above for _, _, above in rows)
    return max(windows, key=lambda window: window[1] / window[0])


def _window(rows: list[tuple[int, int, int]]) -> tuple[int, int] | None:
    """The window that ends with the last of these; None where there is not enough for one."""
    n = above = 0
    for number, more, slow in reversed(rows):
        n, above = n + more, above + slow
        if n >= ENOUGH and number <= rows[-1][0] - WINDOW + 1:
            return n, above
    return None


def _read(rows: Rows) -> list[tuple[int, dict[int, int]]]:
    try:
        read = [(int(number), {int(b): int(count) for b, count in counts.items()}) for number, counts in rows.items()]
    except (AttributeError, TypeError, ValueError) as exc:
        raise ValueError(f"the durations are not of this program's shape: {exc!r}") from exc
    if any(not 0 <= bucket < BUCKETS or count < 0 for _, counts in read for bucket, count in counts.items()):
        raise ValueError("the durations are not of this program's shape: a bucket that there is not")
    return sorted(read)


def _bucket(value: float) -> int:
    return bisect_left(ENDS, value)


def _upper_end(bucket: int) -> float:
    return float(SHORTEST * 1.05**bucket)
