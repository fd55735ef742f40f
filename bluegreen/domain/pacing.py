"""How fast a backfill may go: batches that take a tenth of a second, a rest after each as long as itself, half of that
where many in a row harmed nobody, and much slower where users, replicas or the table would suffer. All of it is
arithmetic; who looks at the clock is elsewhere.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from math import ceil

FIRST, SMALLEST, LARGEST = 500, 100, 20_000
"""Rows of a batch."""

AIM = 0.1
"""Seconds a batch should take: so long at most somebody waits for a row of it."""

LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
"""Between one batch and the next it shrinks or grows at most so much."""

LEAST_REST, USUAL_REST, LONGEST_REST = 0.5, 1.0, 16.0
"""A rest, in lengths of the batch: where nobody was harmed for long, at first, and at most."""

GOOD_IN_A_ROW = 20
"""Batches that harmed nobody, after which it dares half the rest again."""

SLOW_FACTOR, SLOW_MARGIN = 2.0, 0.020
"""Users are harmed where they wait longer than so many times what they did before, and so many seconds more."""

BLOCKED = 0.050
"""Seconds that somebody may wait for a lock of ours."""

LAG = 10.0
"""Seconds that a replica may be behind."""

DEAD_SHARE, DEAD_ROWS = 0.5, 50_000
"""Dead rows, of all rows of the table, and at least so many, with which vacuum has fallen behind."""

WINDOW = 30.0
"""Seconds over which the rate is taken."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the next batch goes: its rows; `rests`: after it a pause of so many times its own length; `good` batches in
    a row since somebody was harmed."""

    batch: int = FIRST
    rests: float = USUAL_REST
    good: int = 0

    def after(self, seconds: float, brake: str) -> "Pace":
        """The pace after a batch that took `seconds`; `brake` says whom it harmed, "" nobody."""
        if brake:
            return Pace(_within(self.batch / 2), min(self.rests * 2, LONGEST_REST))
        factor = min(max(AIM / seconds, LEAST_FACTOR), MOST_FACTOR) if seconds > 0 else MOST_FACTOR
        good = self.good + 1
        if good >= GOOD_IN_A_ROW:
            return Pace(_within(self.batch * factor), max(self.rests / 2, LEAST_REST))
        most = LARGEST if self.rests <= USUAL_REST else self.batch
        return replace(self, batch=_within(min(self.batch * factor, most)), good=good)

    def smaller(self) -> "Pace":
        """The pace after a batch that was given up because it took too long: that harmed nobody yet."""
        return replace(self, batch=_within(self.batch / 2), good=0)

    def pause(self, seconds: float) -> float:
        """Seconds of rest after a batch that took `seconds`; one that is slowed down rests as if it took the aim."""
        return self.rests * (seconds if self.rests <= USUAL_REST else max(seconds, AIM))


def _within(batch: float) -> int:
    return min(max(round(batch), SMALLEST), LARGEST)


def limit(before: float) -> float:
    """Seconds above which users are harmed who waited `before` seconds before."""
    return max(before * SLOW_FACTOR, before + SLOW_MARGIN)


def slower(what: str, now: float, before: float) -> str:
    """Why to brake for how long something takes; "" where nothing speaks against going on."""
    if now <= limit(before):
        return ""
    return f"{what} takes {now * 1000:.0f} ms, {before * 1000:.0f} ms before"


def piled_up(dead: int, living: int) -> str:
    """Why to brake for dead rows; "" where vacuum keeps up."""
    share = dead / (dead + living) if dead else 0.0
    if dead < DEAD_ROWS or share <= DEAD_SHARE:
        return ""
    return f"{share:.0%} of the table are dead rows: vacuum has fallen behind"


def lags(seconds: float | None) -> str:
    """Why to brake for a replica; "" where they keep up, or there is none."""
    return f"a replica is {seconds:.0f} s behind" if seconds is not None and seconds > LAG else ""


@dataclass(slots=True)
class Canary:
    """How long one read of the table takes, against how long the first ones took: medians, so that one hiccup is
    none. Seconds."""

    needed: int = 20
    first: list[float] = field(default_factory=list)
    last: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def read(self, seconds: float, *, resting: bool) -> None:
        """Count one read. The measure is taken while we rest."""
        if resting and len(self.first) < self.needed:
            self.first.append(seconds)
        elif not resting:
            self.last.append(seconds)

    @property
    def brake(self) -> str:
        """Why to brake; "" while too little is known."""
        if len(self.first) < self.needed or len(self.last) < 3:
            return ""
        return slower("a read of one row by its key", _median(self.last), _median(self.first))


def _median(values: "list[float] | deque[float]") -> float:
    return sorted(values)[ceil(len(values) / 2) - 1]


@dataclass(slots=True)
class Speed:
    """Rows a second over the last while."""

    marks: deque[tuple[float, int]] = field(default_factory=deque)

    def count(self, at: float, rows: int) -> None:
        """So many rows were done by `at` (seconds)."""
        self.marks.append((at, rows))
        while len(self.marks) > 2 and at - self.marks[1][0] >= WINDOW:
            self.marks.popleft()

    @property
    def rate(self) -> float:
        """Rows a second; 0 while nothing is known."""
        if len(self.marks) < 2 or self.marks[-1][0] <= self.marks[0][0]:
            return 0.0
        return (self.marks[-1][1] - self.marks[0][1]) / (self.marks[-1][0] - self.marks[0][0])

    def left(self, total: int | None) -> float | None:
        """Seconds until so many rows are done; None where the rate says nothing."""
        if total is None or not self.marks or self.rate <= 0:
            return None
        return max(0.0, (total - self.marks[-1][1]) / self.rate)
