"""Backups kept in memory: the part of `MemoryDatabase` (database/memory.py) that backs up."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup


@dataclass
class MemoryBackups:
    """`backup_error` and `backup_warnings` answer for backups, `shelf` holds them, `spoilt` maps ids to what is wrong;
    `backup_hangs` until it is set; `unreachable`: the database does not answer; `on` gives the hours; `needed` is what
    the last backup had to keep."""

    name: str = "main"
    shelf: list[Backup] = field(default_factory=list)
    spoilt: dict[str, str] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    tidied: list[str] = field(default_factory=list)
    unreachable: bool = False
    backup_error: str = ""
    backup_hangs: asyncio.Event | None = None
    backup_warnings: tuple[str, ...] = ()
    on: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    async def check_backup_possible(self) -> tuple[str, ...]:
        await self._before_backup()
        return self.backup_warnings

    async def back_up(self, deployment: str, release: str, needed: Collection[str] = ()) -> Backup:
        await self._before_backup()
        self.needed = frozenset(needed)
        at = self.on + timedelta(seconds=len(self.shelf))
        id = f"{self.name}-{at:%Y%m%dT%H%M%SZ}-{deployment}"
        file = f"/backups/{id}.dump"
        backup = Backup(id, self.name, file, 1_000, "0" * 64, "restore", 2, 10, at, 0.1, deployment, release)
        self.shelf.append(backup)
        return backup

    async def backups(self) -> tuple[Backup, ...]:
        return tuple(reversed(self.shelf))

    async def verify(self, backup: Backup) -> Backup:
        await self._before_backup()
        if backup.id in self.spoilt:
            raise BackupFailed(f"{backup.file} is not what was taken: {self.spoilt[backup.id]}")
        return replace(backup, seconds=0.2)

    async def tidy(self, purpose: str) -> None:
        self.tidied.append(purpose)

    async def _before_backup(self) -> None:
        if self.backup_hangs is not None:
            await self.backup_hangs.wait()
        if self.unreachable:
            raise BackupFailed(f"database {self.name} does not answer")
        if self.backup_error:
            raise BackupFailed(self.backup_error)
