"""Backfills kept in memory: the part of `MemoryDatabase` (database/memory.py) that fills rows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bluegreen.adapters.migrations.memory import MemoryMigrations
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.ports_database import Brake, Halt, go_on

BATCH = 1000


@dataclass
class MemoryBackfills(MemoryMigrations):
    """`rows` are those that a version still has to do, a batch in `batch_seconds`; `filled` is the ledger of
    backfills."""

    rows: dict[str, int] = field(default_factory=dict)
    batch_seconds: float = 1.0
    filled: dict[tuple[str, str], Progress] = field(default_factory=dict)

    async def backfill(
        self,
        migration: Migration,
        deployment: str,
        release: Release,
        brake: Brake,
        report: Callable[[Progress], None],
        halt: Halt = go_on,
    ) -> Progress:
        if not self.holder:
            raise MigrationFailed(f"{migration.label}: the migration lock is not held")
        key, left = (migration.source, migration.version), self.rows.get(migration.version, 0)
        former = self.filled.get(key)
        done = former.rows_done if former else 0
        progress = Progress(
            self.name, *key, "public.rows", BackfillState.RUNNING, done, done + left, batch=BATCH, deployment=deployment
        )
        self.filled[key] = progress
        try:
            while left and not (wanted := halt()):
                await asyncio.sleep(self.batch_seconds)
                step = min(BATCH, left)
                left, progress = left - step, replace(progress, rows_done=progress.rows_done + step, brake=brake())
                progress = replace(progress, rate=float(BATCH), seconds_left=left / BATCH)
                self.rows[migration.version], self.filled[key] = left, progress
                report(progress)
            if left and wanted:
                self._write_stopped(migration, deployment, release)
                return self._ended(key, replace(progress, state=wanted))
            await self.apply(migration, deployment, release)
        except asyncio.CancelledError:
            self._write_stopped(migration, deployment, release)
            self._ended(key, replace(progress, state=BackfillState.INTERRUPTED))
            raise
        except MigrationFailed as exc:
            self._ended(key, replace(progress, state=BackfillState.FAILED, error=exc.detail))
            raise
        return self._ended(key, replace(progress, state=BackfillState.DONE))

    async def backfills(self) -> tuple[Progress, ...]:
        self._reach()
        gone = {BackfillState.RUNNING: BackfillState.INTERRUPTED} if not self.holder else {}
        return tuple(replace(each, state=gone.get(each.state, each.state)) for each in self.filled.values())

    async def unfilled(self) -> tuple[Migration, ...]:
        self._reach()
        return tuple(m for m in self.migrations if m.phase is MigrationPhase.BACKFILL and self._has_rows(m))

    async def cancel_backfill(self, source: str, version: str) -> None:
        if progress := self.filled.get((source, version)):
            self.filled[source, version] = replace(progress, state=BackfillState.CANCELLED)

    def _has_rows(self, migration: Migration) -> bool:
        if not self._done(migration):
            return True
        contract = next(
            (
                m
                for m in self.migrations
                if (m.source, m.version, m.phase) == (migration.source, migration.version, MigrationPhase.CONTRACT)
            ),
            None,
        )
        return self.rows.get(migration.version, 0) > 0 and contract is not None and not self._done(contract)

    def _write_stopped(self, migration: Migration, deployment: str, release: Release) -> None:
        """In the ledger of migrations, as one that stands still."""
        self._write(migration, deployment, "stopped", release)
        key = (migration.source, migration.version, migration.phase)
        self.ledger[key] = replace(self.ledger[key], state="interrupted", error="")

    def _ended(self, key: tuple[str, str], progress: Progress) -> Progress:
        self.filled[key] = replace(progress, rate=0.0, seconds_left=None)
        return self.filled[key]
