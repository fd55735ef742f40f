"""Events from counters that only grow: what was added between two looks, as Prometheus' `increase` has it.

A counter that is lower than before was reset (its process began again): what was added is not known, so nothing is
counted and the next look is measured from here. Fractions, and bad events that are seen before their total, are
carried over to the next look: none is lost and none counts twice.
"""

from typing import Any

MOST = 10**12
"""Events between two looks: more is no increase, but another counter."""


class Increases:
    """The last totals of each thing that counts by itself (a colour, one of its addresses)."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float, float]] = {}

    def since(self, key: str, otherwise: float) -> float:
        """Monotonic seconds of the last look at a counter."""
        return self._last[key][2] if key in self._last else otherwise

    def count(self, key: str, bad: float, total: float, at: float) -> tuple[int, int] | None:
        """(n, bad) since the last look; None at the first look and after a reset. `at`: monotonic seconds."""
        last = self._last.get(key)
        if last is None or not 0 <= total - last[1] <= MOST or bad < last[0]:
            self._last[key] = bad, total, at
            return None
        n = int(total - last[1])
        failed = min(n, int(bad - last[0]))
        self._last[key] = last[0] + failed, last[1] + n, at
        return n, failed

    def to_json(self) -> dict[str, Any] | None:
        """The last totals by key; None before the first."""
        return {key: [bad, total] for key, (bad, total, _) in self._last.items()} or None

    def restore(self, kept: object, at: float) -> bool:
        """Go on from totals that were kept; False where they are not of this program's shape."""
        if kept is None:
            return True
        try:
            assert isinstance(kept, dict)  # noqa: S101 - one of the ways in which it can be of another shape
            self._last = {str(key): (float(bad), float(total), at) for key, (bad, total) in kept.items()}
        except (AssertionError, TypeError, ValueError):
            return False
        return True
