"""Backfills: rows brought to the new shape in small batches beside users."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BackfillState(StrEnum):
    """How a backfill stands in the ledger. Interrupted: whoever ran it died; the same command goes on."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is. `rows_total` is estimated, None where nobody can tell; `rate` in rows a second over
    the last
    while; `seconds_left` None where the rate says nothing; `batch` is the size of the next batch in rows; `brake`
    says why it is slow."""

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
    deployment: str = ""
    started_at: datetime | None = None
    updated_at: datetime | None = None
    error: str = ""

    @property
    def label(self) -> str:
        """How people name the migration."""
        return f"{self.source}/{self.version}.backfill"
