"""How a backfill that runs is doing: its pace, its progress, and what keeps it from going on."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from time import monotonic

from bluegreen.adapters.migrations.backfill_batch import Batch
from bluegreen.adapters.migrations.backfill_brakes import Brakes
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.pacing import SMALLEST, Pace, Speed
from bluegreen.ports_database import Brake, Halt

TOO_LONG = 6
"""Batches in a row, the last of them the smallest, that passed their time, before it is said that they always will."""

POLL = 0.1
"""Seconds between two looks, within a rest, whether a person wants it to stop."""


class Tempo:
    """`now` is the progress as of the last batch; `size` how many rows the next one has."""

    def __init__(self, now: Progress, brake: Brake, report: Callable[[Progress], None], halt: Halt) -> None:
        self.now = now
        self.halt = halt
        self._brake, self._report = brake, report
        self._pace, self._speed = Pace(), Speed()
        self._stuck_since: float | None = None
        self._too_long = 0

    @property
    def size(self) -> int:
        """Rows of the next batch."""
        return self._pace.batch

    def begins(self, rows: int, started_at: datetime) -> None:
        """So many rows were done before."""
        self.now = replace(self.now, rows_done=rows, started_at=started_at, batch=self.size)
        self._speed = Speed()
        self._speed.count(monotonic(), rows)
        self._report(self.now)

    def expects(self, total: int | None) -> None:
        """So many rows there will be in the end, as far as somebody can tell."""
        self.now = replace(self.now, rows_total=total)

    def passes_again(self) -> None:
        """It goes through the table once more."""
        self.now = replace(self.now, passes=self.now.passes + 1)

    def ended(self, state: BackfillState) -> Progress:
        """It ended so."""
        self.now = replace(self.now, state=state, rate=0.0, seconds_left=None, brake="")
        self._report(self.now)
        return self.now

    async def went_well(self, batch: Batch, brakes: Brakes) -> None:
        """A batch is done: tell it, and rest."""
        self._stuck_since, self._too_long = None, 0
        reason = await brakes.why() or self._brake()
        self._pace = self._pace.after(batch.seconds, reason)
        self._speed.count(monotonic(), batch.rows)
        total = self.now.rows_total
        self.now = replace(
            self.now,
            rows_done=batch.rows,
            rows_total=total if total is None else max(total, batch.rows),
            rate=self._speed.rate,
            seconds_left=self._speed.left(total),
            batch=self.size,
            brake=reason,
            unseen=brakes.unseen,
        )
        self._report(self.now)
        await self._rest(self._pace.pause(batch.seconds))

    async def crowded(self, batch: Batch, brakes: Brakes, budget: float) -> None:
        """A batch was rolled back: make it smaller, and try again after a rest. MigrationFailed where nothing was done
        for `budget` seconds, or the smallest batch takes too long."""
        self._stuck_since = self._stuck_since or monotonic()
        self._too_long = self._too_long + 1 if batch.too_long else 0
        if self._too_long >= TOO_LONG and self.size <= SMALLEST:
            raise MigrationFailed(
                f"{self.now.label}: {SMALLEST} rows take longer than {batch.seconds:.1f} s: look at the plan of the"
                " statement (an index that its FROM or WHERE lacks?) and at the triggers of the table"
            )
        if monotonic() - self._stuck_since > budget:
            raise MigrationFailed(
                f"{self.now.label}: for {budget:g} s no batch could be done ({batch.crowded}). In the way:"
                f" {brakes.in_our_way}",
                next=("end the session that is in the way, or wait for it, then go on with the same command",),
                blocker=brakes.in_our_way,
            )
        if batch.too_long:
            reason = f"a batch was rolled back: it took longer than {batch.seconds:.1f} s"
            self._pace = self._pace.smaller()
        else:
            reason = f"a batch was rolled back: {batch.crowded}; in the way: {brakes.in_our_way}"
            self._pace = self._pace.after(batch.seconds, reason)
        self.now = replace(self.now, batch=self.size, brake=reason)
        self._report(self.now)
        await self._rest(self._pace.pause(batch.seconds))

    async def _rest(self, seconds: float) -> None:
        """Nothing, for so long, or until a person wants it to stop."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and self.halt() is None:
            await asyncio.sleep(min(left, POLL))
