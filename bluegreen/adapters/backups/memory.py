"""Backups kept in memory: the part of `MemoryDatabase` (database/memory.py) that backs up."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup
from bluegreen.domain.restorations import Losses, Session, Standing, Swapped, TableLoss


@dataclass
class MemoryRestorations:
    """`serving` is what the database in service holds: the id of a backup, "" before the first. `beside` and `kept` are
    the databases of attempts, with what they hold. `others` are in it; `failing` maps a call to why it fails;
    `lost_answer`: the swap is done, and its answer never comes. `calls` are told in order."""

    backups: "MemoryBackups"
    serving: str = ""
    beside: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    others: list[Session] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    lost_answer: bool = False
    calls: list[str] = field(default_factory=list)

    async def commands(self, backup: Backup) -> tuple[str, ...]:
        await self._called("commands")
        return "# in memory", f"pg_restore {backup.file}"

    async def losses(self, backup: Backup) -> Losses:
        await self._called("losses")
        table = TableLoss("public.t", backup.rows, backup.rows + 5)
        return Losses(backup, self.backups.name, (table,), (), (), tuple(self.others))

    async def sessions(self) -> tuple[Session, ...]:
        await self._called("sessions")
        return tuple(self.others)

    async def check(self, backup: Backup) -> tuple[str, ...]:
        await self._called("check")
        return ()

    async def standing(self, attempt: str) -> Standing:
        await self._called("standing")
        if attempt in self.kept:
            return Standing.SWAPPED
        return Standing.BESIDE if attempt in self.beside else Standing.NOTHING

    async def keep_present(self, release: str, needed: Collection[str]) -> Backup:
        await self._called("keep_present")
        return await self.backups.back_up("before-restore", release, needed)

    async def restore_beside(self, backup: Backup, attempt: str) -> None:
        self.beside[attempt] = ""
        await self._called("restore_beside")
        self.beside[attempt] = backup.id

    async def swap(self, attempt: str, *, end_sessions: bool) -> Swapped:
        await self._called("swap")
        former = f"{self.backups.name}_broken_{attempt}"
        if attempt in self.kept:
            return Swapped(self.backups.name, former, 0.0)
        if self.others and not end_sessions:
            raise BackupFailed(f"{self.backups.name} stays in service: somebody is in it")
        self.serving, self.kept[attempt] = self.beside.pop(attempt), self.serving
        if self.lost_answer:
            raise BackupFailed(f"database {self.backups.name} does not answer")
        return Swapped(self.backups.name, former, 0.1, len(self.others))

    async def drop_beside(self, attempt: str) -> None:
        await self._called("drop_beside")
        self.beside.pop(attempt, None)

    async def _called(self, what: str) -> None:
        self.calls.append(what)
        if what in self.failing:
            raise BackupFailed(self.failing[what])


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
    restoring: "MemoryRestorations" = field(init=False)

    def __post_init__(self) -> None:
        self.restoring = MemoryRestorations(self)

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

    @property
    def restorations(self) -> "MemoryRestorations":
        return self.restoring

    async def _before_backup(self) -> None:
        if self.backup_hangs is not None:
            await self.backup_hangs.wait()
        if self.unreachable:
            raise BackupFailed(f"database {self.name} does not answer")
        if self.backup_error:
            raise BackupFailed(self.backup_error)
