"""Not a shared cause: while both colours serve, is the new one bad, or is everything?

A slow database hurts both colours, and the account, which compares the new colour with what was usual, would blame the
release. So of all bad events of both colours (the trials) it is asked whether more of them are the new colour's (the
successes) than its share of the traffic explains. With w, the new colour's share of the requests, a release that is as
bad as the old one, or up to `rel` times as bad, has each trial for itself with probability at most

    s = rel·w / (rel·w + 1 - w)

and the same bets as in the account are made against that null (bets.py). s belongs to the moment of the trial: w is
made from what was counted before it, or the bets would know what they bet on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any, Self

from bluegreen.domain.bets import HIGHEST_EXPONENT, HIGHEST_STAKE, paid, won

AS_TOLD = 10.0
"""Requests that the announced share counts for, until enough were seen."""

REMEMBERED = 10_000.0
"""Requests from which on older ones fade, so that a share that changes is followed."""

MARGIN = 0.5
"""Standard errors by which the new colour's share is taken for larger than it was seen."""

UNHEARD = 50.0
"""Events of the new colour after which an old one that showed none has none to show."""


@dataclass(slots=True)
class Control:
    """The comparison of one signal. `stakes` are bet from the start and by the clock, as the account's are.

    `new`, `old`: requests behind the share; `new_due`, `old_due`: those that came since the last tick. `heard`: events
    of the old colour so far.
    """

    grid: tuple[float, ...]
    rel: float
    stakes: list[float]
    new: float
    old: float
    new_due: int = 0
    old_due: int = 0
    heard: int = 0

    @classmethod
    def begin(cls, grid: tuple[float, ...], rel: float, staked: float, share: float) -> Self:
        """Both serve from now on, the new one with about `share` of the users; `staked` of the stake is bet."""
        return cls(grid, rel, [staked / len(grid)] * len(grid), AS_TOLD * share, AS_TOLD * (1.0 - share))

    def shared(self, share: float) -> None:
        """The new colour gets about `share` from now on: what was seen of another share is forgotten."""
        self.new, self.old, self.new_due, self.old_due = AS_TOLD * share, AS_TOLD * (1.0 - share), 0, 0

    def add(self, staked: float) -> None:
        """A tick: bet a further part of the stake; what was counted tells the share from now on."""
        each = staked / len(self.stakes)
        self.stakes = [stake + each for stake in self.stakes]
        self.new += self.new_due
        self.old += self.old_due
        self.new_due = self.old_due = 0
        if self.new + self.old > REMEMBERED:
            self.new, self.old = self.new / 2.0, self.old / 2.0

    def count(self, n: int, bad: int) -> None:
        """`bad` of `n` events of the new colour."""
        self.new_due += n
        self._settle(bad, bad)

    def count_other(self, n: int, bad: int) -> None:
        """`bad` of `n` events of the old colour."""
        self.old_due += n
        self.heard += n
        self._settle(bad, 0)

    @property
    def odds(self) -> float | None:
        """The odds against a shared cause; None where the old colour shows no such events, nor will."""
        return sum(self.stakes) if self.heard or self.new + self.new_due < UNHEARD else None

    @property
    def null(self) -> float:
        """The highest share of the bad events that a release which is not to blame would have."""
        total = self.new + self.old
        share = self.new / total
        share = min(share + MARGIN * sqrt(share * (1.0 - share) / total), 1.0)
        return self.rel * share / (self.rel * share + 1.0 - share)

    def _settle(self, trials: int, successes: int) -> None:
        if not trials:
            return
        self.stakes = [
            min(_exp(successes * gain - trials * price) * stake, HIGHEST_STAKE)
            for stake, gain, price in zip(self.stakes, won(self.grid), paid(self.grid, self.null), strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` needs besides the grid and rel."""
        return {
            "stakes": list(self.stakes),
            "share": [self.new, self.old],
            "due": [self.new_due, self.old_due],
            "heard": self.heard,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any], grid: tuple[float, ...], rel: float) -> Self:
        """As it was saved. KeyError, TypeError or ValueError where it is not of this shape."""
        (new, old), (new_due, old_due) = saved["share"], saved["due"]
        return cls(grid, rel, checked(saved["stakes"], len(grid)), new, old, new_due, old_due, saved["heard"])


def checked(stakes: Sequence[float], count: int) -> list[float]:
    """Saved stakes; ValueError where they were bet on other effect sizes."""
    if len(stakes) != count:
        raise ValueError(f"{len(stakes)} stakes saved for {count} effect sizes")
    return [float(stake) for stake in stakes]


def _exp(nats: float) -> float:
    return exp(min(nats, HIGHEST_EXPONENT))
