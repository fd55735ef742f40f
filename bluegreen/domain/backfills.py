"""Backfills: rows brought to the new shape in small batches beside users."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BackfillState(StrEnum):
    """How a backfill stands in the ledger. Interrupted: whoever ran it died; the same command goes on. Cancelled: a
    person stopped it; its rows stay to be done."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is. `rows_done` are those it changed, `rows_total` these and what its WHERE found left when it
    began (None where nobody could tell); `rate` in rows a second over the last while; `seconds_left` None where the
    rate says nothing; `batch` is the size of the next batch in rows; `brake` says why it is slow, `unseen` what it
    cannot look at, in words; `passes` how often it has gone through the table."""

    database: str
    source: str
    version: str
    table: str
    state: BackfillState
    rows_done: int = 0
    rows_total: int | None = None
    rate: float = 0.0
    seconds_left: float | None = None
    batch: int = 0
    brake: str = ""
    unseen: tuple[str, ...] = ()
    passes: int = 1
    deployment: str = ""
    started_at: datetime | None = None
    updated_at: datetime | None = None
    error: str = ""

    @property
    def left_lying(self) -> bool:
        """Whether it was begun, is not done, and nobody gave it up: it waits for somebody to go on with it."""
        return self.state in (BackfillState.PAUSED, BackfillState.INTERRUPTED, BackfillState.FAILED)

    @property
    def label(self) -> str:
        """How people name the migration."""
        return f"{self.source}/{self.version}.backfill"

    def describe(self) -> str:
        """`1,200,000 of 5,000,000 rows, 80,000/s, 48 s left` and why it is slow."""
        done = f"{self.rows_done:,}" if self.rows_total is None else f"{self.rows_done:,} of {self.rows_total:,}"
        rate = f", {self.rate:,.0f}/s" if self.rate else ""
        left = "" if self.seconds_left is None else f", {_time(self.seconds_left)} left"
        slow = f" (slowed down: {self.brake})" if self.brake else ""
        return f"{done} rows{rate}{left}{slow}"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.0f} h"
