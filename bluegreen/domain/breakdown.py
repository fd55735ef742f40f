"""Where what is bad came from: which routes of which services, and the first bad line, for the reason of a verdict.

It decides nothing: the account counts events, wherever they came from, and here every line counts, also those that the
account skips since one client failed more than once. Memory is bounded: where there are too many routes, those with the
fewest bad events become one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bluegreen.domain.records import Json
from bluegreen.domain.signals import Measured, Part

KEPT = 50
"""Routes of one signal that are told apart for good; up to twice as many until the least of them become one."""

OTHER = "other routes"
"""Stands for the routes that are not told apart."""

LISTED = 3
"""Routes that the words name where no route has most of what is bad."""


@dataclass(slots=True)
class _Sum:
    n: int = 0
    bad: int = 0
    line: str = ""

    def join(self, other: "_Sum") -> None:
        self.n += other.n
        self.bad += other.bad
        self.line = self.line or other.line


class Breakdown:
    """Per signal: events and bad ones of each route of each service, and the first bad line."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[tuple[str, str], _Sum]] = {}
        self._first: dict[str, str] = {}

    def count(self, signal: str, parts: Iterable[Part]) -> None:
        """Add what a batch says of its parts."""
        sums = self._sums.get(signal)
        if sums is None:
            sums = self._sums[signal] = {}
        for part in parts:
            key = part.service, part.route
            known = sums.get(key)
            if known is None:
                known = sums[key] = _Sum()
            known.n += part.n
            if part.bad:
                known.bad += part.bad
                known.line = known.line or part.line
                if part.line:
                    self._first.setdefault(signal, part.line)
        if len(sums) > 2 * KEPT:
            self._sums[signal] = _folded(sums)

    def measure(self, batch: Measured, limit: float) -> None:
        """Add measured values, those above `limit` as bad ones; nothing where their routes are not known."""
        slow: dict[str, list[float]] = {}
        for value, route in zip(batch.values, batch.routes, strict=False):
            if value > limit:
                slow.setdefault(route, []).append(value)
        asked = Counter(batch.routes).items()
        self.count(batch.signal, [_measured(batch.key, route, n, slow.get(route, ())) for route, n in asked])

    def parts(self, signal: str) -> tuple[Part, ...]:
        """What belongs to each route, the one with the most bad events first."""
        sums = self._sums.get(signal, {})
        worst = sorted(sums.items(), key=_worst)
        return tuple(Part(service, route, each.n, each.bad, each.line) for (service, route), each in worst)

    def first(self, signal: str) -> str:
        """The first bad line of a signal; empty where there is none."""
        return self._first.get(signal, "")

    def words(self, signal: str) -> str:
        """`mostly POST /login of web (31 of 40), first: 12:03:04.120 UTC POST /login 502 in 12 ms by 127.0.0.1:9001`.

        Empty where nothing was bad, or nobody knows where.
        """
        bad = [part for part in self.parts(signal) if part.bad]
        if not bad:
            return ""
        first = self._first.get(signal)
        where = _where([part for part in bad if part.route])
        return ", ".join(filter(None, (where, f"first: {first}" if first else "")))

    def to_json(self) -> Json:
        """All of it, for the journal."""
        sums = {
            signal: [[*key, each.n, each.bad, each.line] for key, each in parts.items()]
            for signal, parts in self._sums.items()
        }
        return {"parts": sums, "first": dict(self._first)}

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept; an empty one of None. ValueError where it is not of this program's shape."""
        breakdown = cls()
        try:
            for signal, parts in (kept or {"parts": {}})["parts"].items():
                breakdown._sums[signal] = {(part[0], part[1]): _Sum(*_counts(part[2:])) for part in parts}
            breakdown._first = {signal: str(line) for signal, line in (kept or {}).get("first", {}).items()}
        except (KeyError, TypeError, AttributeError, IndexError) as exc:
            raise ValueError(f"the saved breakdown is not of this program's shape: {exc!r}") from exc
        return breakdown


def _measured(service: str, route: str, n: int, slow: Sequence[float]) -> Part:
    return Part(service, route, n, len(slow), f"{route} in {slow[0] * 1000:,.0f} ms" if slow else "")


def _worst(item: tuple[tuple[str, str], _Sum]) -> tuple[int, int, tuple[str, str]]:
    key, each = item
    return -each.bad, -each.n, key


def _folded(sums: dict[tuple[str, str], _Sum]) -> dict[tuple[str, str], _Sum]:
    """The KEPT worst routes, and the others as one of each service."""
    kept: dict[tuple[str, str], _Sum] = {}
    for index, ((service, route), each) in enumerate(sorted(sums.items(), key=_worst)):
        key = (service, route if index < KEPT else OTHER)
        kept.setdefault(key, _Sum()).join(each)
    return kept


def _where(bad: list[Part]) -> str:
    if not bad:
        return ""
    total, most = sum(part.bad for part in bad), bad[0]
    if len(bad) == 1:
        return f"all at {_name(most)} ({most.bad:,} of {most.n:,} there)"
    if 2 * most.bad > total:
        return f"mostly {_name(most)} ({most.bad:,} of {total:,})"
    named = ", ".join(f"{part.bad:,} at {_name(part)}" for part in bad[:LISTED])
    others = len(bad) - LISTED
    if others <= 0:
        return named
    return f"{named} and the rest at {others:,} more {'route' if others == 1 else 'routes'}"


def _name(part: Part) -> str:
    return f"{part.route} of {part.service}" if part.service else part.route


def _counts(saved: Any) -> tuple[int, int, str]:
    n, bad, line = saved
    if not (isinstance(n, int) and isinstance(bad, int) and isinstance(line, str)):
        raise TypeError(f"{saved!r} is no part")
    return n, bad, line
