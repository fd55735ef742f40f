"""Whether the old colour could take users back: what a handful of checks in a row mean."""

from dataclasses import dataclass, field
from enum import StrEnum


class Asked(StrEnum):
    """What the old colour was asked. The two fail, and recover, each for itself."""

    READINESS = "readiness"
    SMOKE = "smoke"


LOST_AFTER = 3
"""Rounds of one kind that failed in a row, after which the old colour is known dead."""

BACK_AFTER = 2
"""Rounds that must then pass in a row: users are not sent to a colour that answers now and then."""


@dataclass(slots=True)
class _Series:
    failures: int = 0
    passed: int = 0
    lost: bool = False
    detail: str = ""

    def add(self, failure: str) -> None:
        self.failures = self.failures + 1 if failure else 0
        self.passed = 0 if failure else self.passed + 1
        self.detail = failure or (self.detail if self.lost else "")
        if self.failures >= LOST_AFTER:
            self.lost = True
        elif self.lost and self.passed >= BACK_AFTER:
            self.lost, self.detail = False, ""


@dataclass(slots=True)
class Standby:
    """Ready; degraded (the last checks failed); or lost, from LOST_AFTER failures on until BACK_AFTER rounds passed."""

    _series: dict[Asked, _Series] = field(default_factory=lambda: {asked: _Series() for asked in Asked})

    def checked(self, failure: str, asked: Asked = Asked.READINESS) -> None:
        """Take in one round of checks; "" is a success."""
        self._series[asked].add(failure)

    def doubtful(self, asked: Asked) -> bool:
        """True where the last round of this kind failed, or too few passed since it was lost."""
        return self._series[asked].lost or self._series[asked].failures > 0

    @property
    def lost(self) -> bool:
        """True where traffic must not be sent there by itself."""
        return any(series.lost for series in self._series.values())

    @property
    def detail(self) -> str:
        """What failed last, in words; empty where nothing does."""
        return "; ".join(series.detail for series in self._series.values() if series.detail)

    def __str__(self) -> str:
        if self.lost:
            return "lost"
        return "degraded" if any(series.failures for series in self._series.values()) else "ready"
