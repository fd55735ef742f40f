"""A backup that can be relied on: dumped under one snapshot, verified by being restored, and only then named.

What `pg_restore --list` proves is little: it reads the table of contents and passes a truncated file. A dump restored
with the same rows in every table is what it claims to be, also while users go on writing (see snapshot.py).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bluegreen.adapters.backups.shelf import Shelf
from bluegreen.adapters.backups.snapshot import COUNTING, Snapshot, count_rows, differences, exported
from bluegreen.adapters.postgres import facts
from bluegreen.adapters.postgres.clients import Clients, find_clients
from bluegreen.adapters.postgres.connections import Access, application_name
from bluegreen.adapters.postgres.dump import Dumper, run_program
from bluegreen.adapters.postgres.queries import query
from bluegreen.adapters.postgres.rules import FILE, BackupRules
from bluegreen.adapters.postgres.scratch import scratch
from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup, DatabaseFacts
from bluegreen.finishing import to_the_end
from bluegreen.processes import environment

WORTH_A_WARNING = 10 * 1024**3
"""Bytes from which the restored copy may matter for the disk of the database server, which cannot be seen from here."""


def application_of(purpose: str) -> str:
    """The name of the sessions of a backup that is taken for a deployment, or by hand."""
    return application_name(f"bluegreen backup {purpose}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One backup in the making."""

    deployment: str
    release: str
    at: datetime
    facts: DatabaseFacts
    clients: Clients

    @property
    def application(self) -> str:
        """How its sessions are known at the server, also after we were killed."""
        return application_of(self.deployment)


@dataclass(frozen=True, slots=True)
class Backups:
    """The backups of one database."""

    name: str
    project: str
    access: Access
    admin_database: str
    rules: BackupRules

    @property
    def shelf(self) -> Shelf:
        """Where they lie."""
        return Shelf(self.rules.directory, self.project, self.name)

    async def check_possible(self) -> tuple[str, ...]:
        """Warnings; BackupFailed with what is missing."""
        now = await facts.ask(self.access, BackupFailed)
        await find_clients(now.major, self.rules.bin_dir)
        await asyncio.to_thread(self._check_disk, now)
        if self.rules.verify == "decode":
            return ()
        return await self._check_scratch(now)

    async def take(self, deployment: str, release: str) -> Backup:
        """Take and verify one. Raises BackupFailed; then nothing of it is left, and older ones are untouched."""
        try:
            async with asyncio.timeout(self.rules.timeout):
                return await self._take(deployment, release)
        except TimeoutError as exc:
            raise BackupFailed(
                f"the backup of {self.name} took longer than {self.rules.timeout:g} s ([backup] timeout)"
            ) from exc

    async def _take(self, deployment: str, release: str) -> Backup:
        began, at = monotonic(), datetime.now(UTC)
        now = await facts.ask(self.access, BackupFailed)
        attempt = Attempt(deployment, release, at, now, await find_clients(now.major, self.rules.bin_dir))
        await self.clear_former(attempt.application)
        await asyncio.to_thread(self._check_disk, now)
        async with self._partial(attempt) as partial:
            snapshot = await self._dump_and_verify(attempt, partial)
            digest, size = await asyncio.to_thread(self.shelf.seal, partial)
            manifest = self._manifest(attempt, snapshot, digest, size) | {"seconds": round(monotonic() - began, 3)}
            file = await asyncio.to_thread(self.shelf.keep, partial, manifest)
        await self._after(file)
        await asyncio.to_thread(self.shelf.prune, self.rules.keep, file)
        return Backup(
            id=file.stem,
            database=self.name,
            file=str(file),
            size=size,
            sha256=digest,
            verified=self.rules.verify,
            tables=len(snapshot.rows),
            rows=sum(snapshot.rows.values()),
            taken_at=at,
            seconds=monotonic() - began,
            deployment=deployment,
            release=release,
        )

    @asynccontextmanager
    async def _partial(self, attempt: Attempt) -> AsyncIterator[Path]:
        partial = await asyncio.to_thread(self.shelf.begin, attempt.deployment, attempt.at)
        try:
            yield partial
        finally:  # in a thread: a large file takes its time to go
            await to_the_end(asyncio.to_thread(self.shelf.discard, partial), f"discarding {partial.name}")

    async def clear_former(self, application: str) -> None:
        """What a killed daemon left: the pg_dump that goes on, the file that it writes."""
        async with self.access.session(failure=BackupFailed) as connection:
            for record in await connection.fetch(query("former"), application):
                await connection.execute("SELECT pg_terminate_backend($1)", record["pid"])
        await asyncio.to_thread(self._open_and_clear)

    def _open_and_clear(self) -> None:
        self.shelf.open()
        self.shelf.clear()

    async def _dump_and_verify(self, attempt: Attempt, partial: Path) -> Snapshot:
        dumper = Dumper(attempt.clients, attempt.application, self.rules.timeout)
        async with exported(self.access, attempt.application, self.rules.timeout) as snapshot:
            await dumper.dump(self.access.dsn, snapshot.id, partial)
        if self.rules.verify == "decode":
            await dumper.decode(partial, self.access.dsn)
        else:
            restored = await self.restored(dumper, attempt.deployment, partial)
            if wrong := differences(snapshot.rows, restored):
                raise BackupFailed(f"the dump of {self.name} does not hold the rows of the database: {wrong}")
        return snapshot

    async def restored(self, dumper: Dumper, purpose: str, dump: Path) -> Mapping[str, int]:
        """The rows of every table of a copy made from a dump; `purpose` is in the copy's name."""
        async with scratch(self.access, self.admin_database, self.project, self.name, purpose) as copy:
            await dumper.restore(dump, copy.dsn)
            async with copy.session(settings=COUNTING, failure=BackupFailed) as connection:
                return await count_rows(connection, self.rules.timeout)

    def _manifest(self, attempt: Attempt, snapshot: Snapshot, digest: str, size: int) -> dict[str, Any]:
        return {
            "project": self.project,
            "database": self.name,
            "deployment": attempt.deployment,
            "release": attempt.release,
            "taken_at": attempt.at.isoformat(timespec="seconds"),
            "sha256": digest,
            "size": size,
            "verified": self.rules.verify,
            "server_version": attempt.facts.server_version,
            "client_version": attempt.clients.version,
            "ledger_head": snapshot.ledger_head,
            "rows": dict(snapshot.rows),
        }

    async def _after(self, file: Path) -> None:
        argv = [word.replace(FILE, str(file)) for word in self.rules.after]
        if not argv:
            return
        try:
            await run_program(argv, environment(self.rules.environment), self.rules.timeout, self.access.dsn)
        except BackupFailed as exc:
            raise BackupFailed(
                f"{file} was taken and verified and stays, but the command after it failed: {exc.detail}",
                next=exc.next,
                **exc.facts,
            ) from exc

    def _check_disk(self, now: DatabaseFacts) -> None:
        self.shelf.open()
        self.shelf.check_space(round(now.size * self.rules.space_factor) + self.rules.min_free)

    async def _check_scratch(self, now: DatabaseFacts) -> tuple[str, ...]:
        if not now.may_create_database:
            raise BackupFailed(
                f"{self.access.dsn}: verifying by restoring needs the right to make a scratch database",
                next=("ALTER ROLE the_role_of_the_dsn CREATEDB", 'or [backup] verify = "decode"'),
            )
        async with self.access.to(self.admin_database).session(failure=BackupFailed):
            pass  # that it can be entered is all there is to know
        if now.size < WORTH_A_WARNING:
            return ()
        size = f"{now.size / 1024**3:.0f} GiB"
        return (f"verifying the backup of {self.name} puts a copy of up to {size} on the database server's own disk",)
