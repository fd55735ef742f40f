"""When a sample of a gauge is bad: beyond what an operator fixed, else outside of what the live colour showed.

A gauge has no rate of its own: each sample is one event, bad or not, and the account takes it like any other. Samples
of a gauge resemble the ones before them, so that bad ones come in rows; that is why a range has a margin, and why the
history's over-dispersion counts. As long as the live colour showed too little, nothing is bad and nothing is known: of
LEAST exchangeable samples the next one lies outside of their range with probability 2/(LEAST + 1), which what is
tolerated after as many samples covers.
"""

from collections import deque
from dataclasses import dataclass, field
from math import isfinite
from typing import Self

from bluegreen.domain.rules import Direction, GaugeRule

SLOT_S = 600
KEPT_S = 24 * 3600

LEAST = 10
"""Samples of the live colour from which its range means anything."""

Ends = tuple[float, float]
"""(lowest, highest)."""


@dataclass(slots=True)
class _Slot:
    number: int
    low: float
    high: float
    n: int = 1


@dataclass(slots=True)
class Range:
    """The lowest and highest value of the last 24 h, in slots of 10 minutes: at most 145 of them. Time is epoch
    seconds; a clock that was set back counts in the newest slot, and one that was set back by more than a day begins
    anew: what it left in its future would else never be forgotten."""

    _slots: deque[_Slot] = field(default_factory=deque)

    def add(self, value: float, t_s: float) -> None:
        """Take a sample; what is no number (NaN, infinite) is left out."""
        if not isfinite(value):
            return
        number = int(t_s // SLOT_S)
        if self._slots and number < self._slots[-1].number - KEPT_S // SLOT_S:
            self._slots.clear()
        if self._slots and number <= self._slots[-1].number:
            newest = self._slots[-1]
            newest.low, newest.high, newest.n = min(newest.low, value), max(newest.high, value), newest.n + 1
            return
        self._slots.append(_Slot(number, value, value))
        self._forget(number)

    @property
    def n(self) -> int:
        """Samples behind it."""
        return sum(slot.n for slot in self._slots)

    def ends(self) -> Ends | None:
        """(lowest, highest); None where too little was seen to mean anything."""
        if self.n < LEAST:
            return None
        return min(slot.low for slot in self._slots), max(slot.high for slot in self._slots)

    def changed(self, since_s: float) -> list[list[float]]:
        """The slots that may have changed since `since_s`, as rows [number, low, high, n] for the journal."""
        first = int(since_s // SLOT_S)
        return [[slot.number, slot.low, slot.high, slot.n] for slot in self._slots if slot.number >= first]

    def restore(self, rows: list[list[float]]) -> Self:
        """Take up kept rows, in any order; of one slot the one with more samples counts. Returns itself."""
        slots = {slot.number: slot for slot in self._slots}
        for number, low, high, n in rows:
            known = slots.get(int(number))
            if known is None or known.n < n:
                slots[int(number)] = _Slot(int(number), low, high, int(n))
        self._slots = deque(slots[number] for number in sorted(slots))
        if self._slots:
            self._forget(self._slots[-1].number)
        return self

    def _forget(self, newest: int) -> None:
        while self._slots[0].number <= newest - 1 - KEPT_S // SLOT_S:
            self._slots.popleft()


def is_bad(value: float, rule: GaugeRule, usual: Ends | None) -> bool | None:
    """Whether a sample is bad; None where nobody can tell yet: nothing is fixed, and too little was seen."""
    allowed = ends_of(rule, usual)
    if allowed is None or not isfinite(value):
        return None
    low, high = allowed
    if rule.low is not None or rule.high is not None:
        return value < low or value > high
    match rule.direction:
        case Direction.ABOVE:
            return value > high
        case Direction.BELOW:
            return value < low
        case Direction.OUTSIDE:
            return value < low or value > high


def ends_of(rule: GaugeRule, usual: Ends | None) -> Ends | None:
    """What is allowed: the fixed ends, else the usual ones widened by the margin; None where neither is known."""
    if rule.low is not None or rule.high is not None:
        return (float("-inf") if rule.low is None else rule.low, float("inf") if rule.high is None else rule.high)
    if usual is None:
        return None
    low, high = usual
    return low - rule.margin * abs(low), high + rule.margin * abs(high)
