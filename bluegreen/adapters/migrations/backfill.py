"""A backfill, run to its end: batch after batch along the key, with a rest after each, until its WHERE finds no row.

What is done stands in the ledger with the rows themselves. So whoever is killed, cut off or cancelled leaves a cursor
that is right, and the same call goes on from there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from bluegreen.adapters.migrations import backfill_ledger as cursors
from bluegreen.adapters.migrations.backfill_batch import Batches
from bluegreen.adapters.migrations.backfill_brakes import Brakes
from bluegreen.adapters.migrations.backfill_key import key_of
from bluegreen.adapters.migrations.backfill_questions import any_left, expected, refuse_endless
from bluegreen.adapters.migrations.backfill_tempo import Tempo
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.gentle import milliseconds, settings
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import ledger, sql_batches
from bluegreen.adapters.postgres.connections import LOST, Connection
from bluegreen.adapters.postgres.locks import check_held, wait_for_former
from bluegreen.adapters.postgres.queries import query
from bluegreen.adapters.postgres.sql_backfill import Backfill
from bluegreen.adapters.postgres.sql_batches import Key
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import MigrationFailed
from bluegreen.finishing import to_the_end
from bluegreen.ports_database import Brake, Halt

CONNECTIONS = 5
"""Connections that may break without a batch in between."""

RECONNECT = 0.5
"""Seconds before the first new connection; then twice as long each time."""

BATCH_TIMEOUT = 3.0
"""Seconds that a statement of a batch may take before it is rolled back and halved."""

LOOKS_FOR_US = "1s"
"""How often the backend looks, within a batch, whether we still live."""

ALL_ROWS = {"row_security": "off"}
"""A policy that hides rows from us is an error: nobody may say "done" of a table that he sees a part of."""

ASK_LOCK = 1.0
"""Seconds between two looks whether the migration lock is still ours."""


async def run(job: Job, file: SqlFile, brake: Brake, report: Callable[[Progress], None], halt: Halt) -> Progress:
    """Run it (ports_database.Backfills.backfill)."""
    if file.backfill is None:
        raise MigrationFailed(f"{job.migration.label} is no backfill")
    async with job.desk() as desk:
        await check_held(desk, job.lock)
        await ledger.ensure(desk)
        await wait_for_former(desk, job.application, job.source.timeout)
        row = (await ledger.rows(desk, job.migration.database)).get(ledger.key(job.migration))
        key = await key_of(desk, str(file.path), file.backfill)
    changed = row is not None and row.applied.checksum != job.migration.checksum
    if changed and row is not None and row.done:
        raise MigrationFailed(
            f"{file.path} was changed after it was done: put it back as it was, and write what is new into a new file",
            file=str(file.path),
        )
    m = job.migration
    now = Progress(
        m.database, m.source, m.version, str(file.backfill.table), BackfillState.RUNNING, deployment=job.deployment
    )
    filling = _Filling(job, file, file.backfill, key, Tempo(now, brake, report, halt), anew=changed)
    try:
        return await filling.run()
    except asyncio.CancelledError as exc:
        try:
            await _write_end(job, BackfillState.INTERRUPTED)
        except MigrationFailed as second:  # the row stays "running", which is shown as interrupted just the same
            exc.add_note(f"the ledger does not say that {job.migration.label} was interrupted: {second.detail}")
        raise
    except MigrationFailed as exc:
        try:
            await _write_end(job, BackfillState.FAILED, exc.detail)
        except MigrationFailed as second:
            detail = f"{exc.detail}; nor could that be written into the ledger: {second.detail}"
            raise MigrationFailed(detail, next=exc.next, **exc.facts) from exc
        raise


async def _write_end(job: Job, state: BackfillState, error: str = "") -> None:
    async def write() -> None:
        async with job.desk() as desk:
            await cursors.end(desk, job, state, error)

    await to_the_end(write(), f"cursor of {job.migration.label}")


@dataclass
class _Filling:
    """One run of it, on one connection after the other, should they break."""

    job: Job
    file: SqlFile
    backfill: Backfill
    key: Key
    tempo: Tempo
    anew: bool
    broken: int = 0
    asked_lock: float = float("-inf")

    async def run(self) -> Progress:
        """Run it until it is done or a person wants it to stop."""
        while True:
            try:
                return await self._connected()
            except MigrationFailed as exc:
                if not isinstance(exc.__cause__, LOST) or self.broken >= CONNECTIONS:
                    raise
                await asyncio.sleep(RECONNECT * 2**self.broken)
                self.broken += 1

    async def _connected(self) -> Progress:
        limits = settings(self.job.source) | {"statement_timeout": milliseconds(BATCH_TIMEOUT)} | ALL_ROWS
        observing = {"lock_timeout": milliseconds(self.job.source.lock_timeout)} | ALL_ROWS
        access, application = self.job.access, self.job.application
        async with (
            access.session(settings=observing, failure=MigrationFailed) as desk,
            access.session(application=application, settings=limits, failure=MigrationFailed) as connection,
        ):
            await connection.execute(query("settings"), LOOKS_FOR_US)
            canary = sql_batches.canary(self.backfill, self.key)
            table, timeout = self.backfill.table.quoted, access.answer_timeout
            brakes = Brakes(desk, connection.get_server_pid(), table, canary, timeout)
            return await self._passes(desk, Batches(self.job, self.file, self.backfill, self.key, connection), brakes)

    async def _passes(self, desk: Connection, batches: Batches, brakes: Brakes) -> Progress:
        await check_held(desk, self.job.lock)
        cursor = await cursors.begin(desk, self.job, self.tempo.now.table, anew=self.anew, batch=self.tempo.size)
        self.anew, last, idle = False, cursor.last, 0
        self.tempo.begins(cursor.rows, cursor.started_at)
        self.tempo.expects(await expected(desk, self.job, self.backfill, cursor.rows))
        if (first := await batches.first_key()) is not None:
            await brakes.measure(first)
        while True:
            before = self.tempo.now.rows_done
            if (wanted := await self._pass(desk, batches, brakes, last)) is not None:
                return await self._end(wanted)
            if not await any_left(desk, self.job, self.file):
                return await self._end(BackfillState.DONE)
            idle = idle + 1 if self.tempo.now.rows_done == before else 0
            refuse_endless(self.job, self.file, idle, self.tempo.now.passes)
            await cursors.again(desk, self.job)
            self.tempo.passes_again()
            last = None

    async def _pass(self, desk: Connection, batches: Batches, brakes: Brakes, last: str | None) -> BackfillState | None:
        """Once along the key; returns what a person wants instead, None at the end of the table."""
        while (wanted := self.tempo.halt()) is None:
            if monotonic() - self.asked_lock >= ASK_LOCK:
                await check_held(desk, self.job.lock)
                self.asked_lock = monotonic()
            work = to_the_end(batches.one(last, self.tempo.size), f"batch of {self.job.migration.label}")
            batch = await brakes.during(work, last)
            if batch.crowded:
                await self.tempo.crowded(batch, brakes, self.job.source.lock_budget)
            elif batch.upper is None:
                return None
            else:
                last, self.broken = batch.upper, 0
                await self.tempo.went_well(batch, brakes)
        return wanted

    async def _end(self, state: BackfillState) -> Progress:
        await _write_end(self.job, state)
        return self.tempo.ended(state)
