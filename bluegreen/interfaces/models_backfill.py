"""What the routes of backfills send, as JSON. See models.py."""

from bluegreen.domain.backfills import BackfillState
from bluegreen.interfaces.models_base import Answer, Number, Time


class Backfill(Answer):
    """How far one is: rows it changed, and these with what was left when it began (null where nobody could tell);
    `rate` rows a second over the last 30 s; `seconds_left` null where the rate says nothing; `batch` rows of the next
    batch; `brake` why it is slow, `unseen` what it cannot look at; `passes` how often it went through the table."""

    label: str
    database: str
    source: str
    version: str
    table: str
    state: BackfillState
    rows_done: int
    rows_total: int | None
    rate: Number
    seconds_left: Number | None
    batch: int
    brake: str
    unseen: tuple[str, ...]
    passes: int
    deployment: str
    started_at: Time | None
    updated_at: Time | None
    error: str


class Backfills(Answer):
    """In the order in which they were begun."""

    items: tuple[Backfill, ...]
