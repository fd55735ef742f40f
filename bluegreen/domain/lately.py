"""What each signal of the new colour showed in the last minute, second by second: what it was like when it was taken
back. The counts of the whole watch would not tell: twenty good minutes hide an outage of three seconds."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bluegreen.domain.chernoff import divergence

KEPT_S = 60
"""Seconds that are kept, one count each."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`bad` of `n` events in the `seconds` up to the last one."""

    n: int
    bad: int
    seconds: int

    @property
    def rate(self) -> float:
        """Share of bad events; 0 where nothing was seen."""
        return self.bad / self.n if self.n else 0.0


@dataclass(slots=True)
class Lately:
    """Counts per signal and second of the trial; at most KEPT_S of them for each signal."""

    _slots: dict[str, deque[tuple[int, int, int]]] = field(default_factory=dict)

    def count(self, signal: str, *, n: int, bad: int, t_s: float) -> None:
        """Count `bad` of `n` events at `t_s`, which does not run backwards."""
        slots = self._slots.setdefault(signal, deque(maxlen=KEPT_S))
        second = int(t_s)
        if slots and slots[-1][0] >= second:
            last, n_then, bad_then = slots[-1]
            slots[-1] = (last, n_then + n, bad_then + bad)
        else:
            slots.append((second, n, bad))

    def worst(self, signal: str, tolerated: float) -> Stretch:
        """The stretch up to the last event that speaks most for a rate above `tolerated`: by n·KL(its rate‖tolerated).
        Of no seconds where none does."""
        best, most = Stretch(0, 0, 0), 0.0
        slots = self._slots.get(signal, deque())
        n = bad = 0
        for second, n_then, bad_then in reversed(slots):
            n, bad = n + n_then, bad + bad_then
            against = n * divergence(bad / n, tolerated) if n and bad / n > tolerated else 0.0
            if against > most:
                best, most = Stretch(n, bad, slots[-1][0] - second + 1), against
        return best

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {signal: [list(slot) for slot in slots] for signal, slots in self._slots.items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self:
        """As it was kept; empty where nothing was."""
        slots = {
            signal: deque(((int(at), int(n), int(bad)) for at, n, bad in kept_slots), maxlen=KEPT_S)
            for signal, kept_slots in (kept or {}).items()
        }
        return cls(slots)
