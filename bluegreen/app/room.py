"""The connections of the databases as they were last counted: looked at by whoever asks, counted by budget.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.budget import Connections


class Room:
    """`now` by database, None where it could not be counted; empty before the first time."""

    def __init__(self) -> None:
        self.now: Mapping[str, Connections | None] = {}
        self.counted_at = float("-inf")
        """Monotonic seconds."""
        self.asked_at = float("-inf")
        """When somebody last looked."""

    def look(self, at: float) -> "Counted":
        """What is known at `at` (monotonic); that somebody looks keeps it fresh."""
        self.asked_at = at
        return Counted(self.now, max(0.0, at - self.counted_at) if self.now else 0.0)


@dataclass(frozen=True, slots=True)
class Counted:
    """The connections by database, None where they could not be counted, `age` seconds ago; empty before the first
    count."""

    by_database: Mapping[str, Connections | None] = field(default_factory=dict)
    age: float = 0.0
