"""What users got while a release was on trial, counted beside the verdict: for people and for metrics, never judged.

It is what the access log shows. A request that Caddy could not even take in stands in no log and is not counted.
"""

from dataclasses import asdict, dataclass, field
from typing import Self

from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted

ANSWERS = "5xx"
"""The signal that counts every answer to a user once."""


@dataclass(slots=True)
class Tally:
    """Since the forward write: answers of either colour, and those of them that were server errors; and when each
    signal of the new colour was first bad, in seconds of the trial."""

    answers: int = 0
    failed: int = 0
    first_bad: dict[str, float] = field(default_factory=dict)

    def count(self, batch: Batch) -> None:
        """Count what either colour answered."""
        if isinstance(batch, Counted) and batch.signal == ANSWERS:
            self.answers += batch.n
            self.failed += batch.bad

    def bad(self, signal: str, t_s: float) -> None:
        """Remember when a signal of the new colour was first bad."""
        self.first_bad.setdefault(signal, t_s)

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept; a new one where nothing usable was, since nothing is decided by it."""
        try:
            return cls(**kept)
        except TypeError:
            return cls()
