"""Fixed limits: plain rules beside the account, for what an operator wants cut whatever the odds.

"5xx over 2 % for 30 s with at least 50 requests", "three failed probes of one service in a row", "the queue stays under
200". They know nothing of what was usual and stand outside of alpha: each cuts on its own, and says value, limit and
samples. Memory is bounded: a window is kept in at most SLOTS slots, whatever the traffic.

Time is the trial's (seconds in which somebody watched). What is read late, after a stall, must not be reported here:
nobody knows in which window it was.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any, Self

from bluegreen.domain.figures import percent
from bluegreen.domain.rules import Direction, LimitRule

SLOTS = 60
"""Slots of one window: a window slides by a sixtieth of itself, by a second at the least."""

MOST_KEYS = 200
"""Keys of one rule that are told apart; what comes on top counts together."""

OTHERS = "others"


class Kind(StrEnum):
    """What a limit looks at: events one by one, the share of bad ones in a window, or a gauge's samples."""

    ROW = "row"
    SHARE = "share"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What one fixed limit says: the value it watches, the limit, the number of samples behind it.

    `run`: how many in a row are beyond it, of the `in_a_row` that break it (events, windows or samples, by `kind`).
    A share is a share of 1. `dry_run`: it is shown and never decides. `where`: what is known of the bad events.
    """

    name: str
    value: float
    limit: float
    samples: int
    broken: bool
    signal: str = ""
    kind: Kind = Kind.ROW
    direction: Direction = Direction.ABOVE
    window_s: float = 0.0
    min_samples: int = 1
    run: int = 0
    in_a_row: int = 1
    dry_run: bool = False
    where: str = ""

    @property
    def cuts(self) -> bool:
        """True where it is broken and may decide."""
        return self.broken and not self.dry_run

    def describe(self) -> str:
        """`probe of web failures in a row: 3, limit 3, 41 samples`, `errors: 5xx 3.2 % in 30 s, limit 2 %, 1,204
        samples`."""
        dry = " (dry run)" if self.dry_run else ""
        seen = f"{self.samples:,} {'sample' if self.samples == 1 else 'samples'}"
        return f"{self.name}{dry}: {self.said_value()}, limit {self.said_limit()}, {seen}"

    def said_value(self) -> str:
        """The value with its unit: `3`, `5xx 3.2 % in 30 s`, `240`; where several in a row are asked for, how many."""
        if self.kind is Kind.ROW:
            return f"{self.value:g}"
        row = f", {self.run} of {self.in_a_row} in a row" if self.in_a_row > 1 else ""
        if self.kind is Kind.GAUGE:
            return f"{self.value:g}{row}"
        few = f" (fewer than {self.min_samples:,})" if self.samples < self.min_samples else ""
        return f"{self.signal} {percent(self.value)} in {self.window_s:g} s{few}{row}"

    def said_limit(self) -> str:
        """The limit with its unit; on which side of it is bad, where that is below."""
        side = "at least " if self.direction is Direction.BELOW else ""
        return f"{side}{percent(self.limit) if self.kind is Kind.SHARE else f'{self.limit:g}'}"


@dataclass(slots=True)
class _Slot:
    number: int
    n: int = 0
    bad: int = 0


@dataclass(slots=True)
class _Window:
    """What one rule saw of one key."""

    rule: LimitRule
    key: str
    samples: int = 0
    run: int = 0
    value: float = 0.0
    gauge: bool = False
    slots: deque[_Slot] = field(default_factory=deque)

    def count(self, n: int, bad: int, t_s: float) -> bool:
        """Count `bad` of `n`; True where that may have broken it. In a mixed batch nobody knows the order, so that it
        ends a run and starts none."""
        self.samples += n
        if not self.rule.window_s:
            self.run = self.run + n if bad == n else 0
            self.value = self.run
            return bad > 0
        number = self._slot(t_s)
        if not self.slots or number > self.slots[-1].number:
            self.slots.append(_Slot(number))
            self._forget(number)
        self.slots[-1].n += n
        self.slots[-1].bad += bad
        return self.rule.direction is Direction.BELOW or any(slot.bad for slot in self.slots)

    def sample(self, value: float) -> bool:
        """Take one sample of a gauge; True where that may have broken it."""
        self.gauge = True
        self.samples += 1
        self.value = value
        self.run = self.run + 1 if _beyond(value, self.rule) else 0
        return self.run > 0

    def reading(self, t_s: float) -> LimitReading:
        """How it stands at `t_s`."""
        rule = self.rule
        if self.gauge or not rule.window_s:
            limit = rule.value if self.gauge else rule.in_a_row
            return self._reading(Kind.GAUGE if self.gauge else Kind.ROW, self.value, limit, self.samples, self.run)
        newest = self._slot(t_s)
        windows = [self._window(newest - back * self._slots_each) for back in range(rule.in_a_row)]
        run = next((back for back, (n, bad) in enumerate(windows) if not self._bad(n, bad)), rule.in_a_row)
        n, bad = windows[0]
        return self._reading(Kind.SHARE, bad / n if n else 0.0, rule.value, n, run)

    def _reading(self, kind: Kind, value: float, limit: float, samples: int, run: int) -> LimitReading:
        rule = self.rule
        return LimitReading(
            name=_named(rule, self.key),
            value=value,
            limit=limit,
            samples=samples,
            broken=run >= rule.in_a_row and samples >= rule.min_samples,
            signal=rule.signal,
            kind=kind,
            direction=rule.direction,
            window_s=rule.window_s,
            min_samples=rule.min_samples,
            run=run,
            in_a_row=rule.in_a_row,
            dry_run=rule.dry_run,
        )

    @property
    def _slots_each(self) -> int:
        return max(1, ceil(self.rule.window_s / self._width))

    @property
    def _width(self) -> float:
        return max(1.0, self.rule.window_s / SLOTS)

    def _slot(self, t_s: float) -> int:
        return int(t_s / self._width)

    def _window(self, newest: int) -> tuple[int, int]:
        """(n, bad) of the window that ends with the slot `newest`."""
        inside = [slot for slot in self.slots if newest - self._slots_each < slot.number <= newest]
        return sum(slot.n for slot in inside), sum(slot.bad for slot in inside)

    def _bad(self, n: int, bad: int) -> bool:
        return n >= max(1, self.rule.min_samples) and _beyond(bad / n, self.rule)

    def _forget(self, newest: int) -> None:
        while self.slots[0].number <= newest - self.rule.in_a_row * self._slots_each:
            self.slots.popleft()


class Limits:
    """All fixed limits of one trial."""

    def __init__(self, rules: tuple[LimitRule, ...]) -> None:
        self._rules = rules
        self._windows: dict[tuple[str, str], _Window] = {}

    def count(self, signal: str, *, n: int, bad: int, key: str, t_s: float) -> bool:
        """Count `bad` of the `n` events of a signal at `t_s`; n = 0 changes nothing. True where a limit that may decide
        is broken now. ValueError where that is no count. Report one by one what is to be judged in a row."""
        if not 0 <= bad <= n:
            raise ValueError(f"{signal}: {bad} bad in {n} events is not a count")
        return n > 0 and self._take(signal, key, t_s, lambda window: window.count(n, bad, t_s))

    def sample(self, signal: str, value: float, *, key: str = "", t_s: float) -> bool:
        """Take one sample of a gauge; True where a limit that may decide is broken now."""
        return self._take(signal, key, t_s, lambda window: window.sample(value))

    def readings(self, t_s: float) -> tuple[LimitReading, ...]:
        """How each limit that has seen anything stands at `t_s`; a success since then has ended a run."""
        return tuple(window.reading(t_s) for window in self._windows.values())

    def to_dict(self) -> dict[str, Any]:
        """All of it for the journal: plain JSON."""
        return {"rules": [asdict(rule) for rule in self._rules], "windows": [_kept(w) for w in self._windows.values()]}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """As `to_dict` saved it; ValueError where it is not of this program's shape."""
        try:
            rules = tuple(LimitRule(**{**rule, "direction": Direction(rule["direction"])}) for rule in saved["rules"])
            limits = cls(rules)
            for kept in saved["windows"]:
                slots = deque(_Slot(*slot) for slot in kept["slots"])
                rule = next(rule for rule in rules if rule.name == kept["rule"])
                limits._windows[rule.name, kept["key"]] = _Window(**{**kept, "rule": rule, "slots": slots})
        except (KeyError, TypeError, StopIteration) as exc:
            raise ValueError(f"the saved limits are not of this program's shape: {exc!r}") from exc
        return limits

    def _take(self, signal: str, key: str, t_s: float, take: Callable[[_Window], bool]) -> bool:
        broken = False
        for rule in self._rules:
            if rule.signal == signal:
                window = self._window(rule, key if rule.each_key else "")
                broken = (take(window) and window.reading(t_s).cuts) or broken
        return broken

    def _window(self, rule: LimitRule, key: str) -> _Window:
        found = self._windows.get((rule.name, key))
        if found is None and sum(name == rule.name for name, _ in self._windows) >= MOST_KEYS:
            key = OTHERS
            found = self._windows.get((rule.name, key))
        if found is None:
            found = self._windows[rule.name, key] = _Window(rule, key)
        return found


def _beyond(value: float, rule: LimitRule) -> bool:
    return value < rule.value if rule.direction is Direction.BELOW else value > rule.value


def _named(rule: LimitRule, key: str) -> str:
    """`probe of web failures in a row`."""
    if not key:
        return rule.name
    if rule.name.startswith(rule.signal):
        return rule.name.replace(rule.signal, f"{rule.signal} of {key}", 1)
    return f"{rule.name} of {key}"


def _kept(window: _Window) -> dict[str, Any]:
    slots = [[slot.number, slot.n, slot.bad] for slot in window.slots]
    return {
        "rule": window.rule.name,
        "key": window.key,
        "samples": window.samples,
        "run": window.run,
        "value": window.value,
        "gauge": window.gauge,
        "slots": slots,
    }
