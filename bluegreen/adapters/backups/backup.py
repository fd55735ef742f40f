"""A backup that can be relied on: dumped under one snapshot, verified by being restored, and only then named.

What `pg_restore --list` proves is little: it reads the table of contents and passes a truncated file. A dump restored
with the same rows in every table is what it claims to be, also while users go on writing (see snapshot.py).
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bluegreen.adapters.backups import roles
from bluegreen.adapters.backups.attempt import Attempt
from bluegreen.adapters.backups.comparison import Compare, Contents, differences
from bluegreen.adapters.backups.header import database_in
from bluegreen.adapters.backups.manifest import backup_in, of_contents
from bluegreen.adapters.backups.shelf import Shelf
from bluegreen.adapters.backups.snapshot import contents_of, exported
from bluegreen.adapters.postgres import facts
from bluegreen.adapters.postgres.clients import find_clients
from bluegreen.adapters.postgres.connections import Access
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
        clients = await find_clients(now.major, self.rules.bin_dir)
        await asyncio.to_thread(self._check_disk, now)
        without = () if clients.pg_dumpall else (f"no pg_dumpall: backups of {self.name} come without the roles",)
        if self.rules.verify == "decode":
            return without
        return (*without, *await self._check_scratch(now))

    async def take(self, deployment: str, release: str, needed: Collection[str] = ()) -> Backup:
        """Take and verify one; then the oldest go, but not those whose ids are `needed`. Raises BackupFailed; then
        nothing of it is left, and older ones are untouched."""
        try:
            async with asyncio.timeout(self.rules.timeout):
                return await self._take(deployment, release, needed)
        except TimeoutError as exc:
            raise BackupFailed(
                f"the backup of {self.name} took longer than {self.rules.timeout:g} s ([backup] timeout)"
            ) from exc

    async def _take(self, deployment: str, release: str, needed: Collection[str]) -> Backup:
        began, at = monotonic(), datetime.now(UTC)
        now = await facts.ask(self.access, BackupFailed)
        attempt = Attempt(deployment, release, at, now, await find_clients(now.major, self.rules.bin_dir))
        await self.clear_former(attempt.application)
        await asyncio.to_thread(self._check_disk, now)
        async with self._partial(attempt) as partial:
            found = await self._dump_and_verify(attempt, partial)
            digest, size = await asyncio.to_thread(self.shelf.seal, partial)
            manifest = self._described(attempt) | found | {"sha256": digest, "size": size}
            manifest["seconds"] = round(monotonic() - began, 3)
            file = await asyncio.to_thread(self.shelf.keep, partial, manifest)
        await self._after(file)
        await asyncio.to_thread(self.shelf.prune, self.rules.keep, {file.stem, *needed})
        backup = backup_in(file, manifest)
        if backup is None:
            raise BackupFailed(f"{file}: its manifest cannot be read again")
        return replace(backup, taken_at=at, seconds=monotonic() - began)

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

    async def _dump_and_verify(self, attempt: Attempt, partial: Path) -> dict[str, Any]:
        """Write the dump, and what belongs to it; what the manifest says of it."""
        dumper, rules = Dumper(attempt.clients, attempt.application, self.rules.timeout), self.rules
        async with exported(self.access, attempt.application, rules.compare, rules.timeout) as snapshot:
            await dumper.dump(self.access.dsn, snapshot.id, partial)
            contents = await snapshot.dumped()
        written = await roles.write(self.access, dumper, self.shelf, partial)
        if rules.verify == "decode":
            await self.decoded(dumper, partial)
        else:
            restored = await self.restored(dumper, attempt.deployment, partial, rules.compare)
            if wrong := differences(contents, restored):
                raise BackupFailed(f"the dump of {self.name} does not hold what the database holds: {wrong}")
        return of_contents(contents) | {"ledger_head": snapshot.ledger_head, "globals": written}

    async def decoded(self, dumper: Dumper, dump: Path) -> None:
        """Read a dump to its end; BackupFailed where that cannot be done, or where it is one of another database."""
        found = await asyncio.to_thread(database_in, dump)
        if found != self.access.dsn.database:
            raise BackupFailed(f"{dump} is a dump of the database {found}, not of {self.access.dsn.database}")
        await dumper.decode(dump, self.access.dsn)

    async def restored(self, dumper: Dumper, purpose: str, dump: Path, compare: Compare) -> Contents:
        """What a copy made from a dump holds; `purpose` is in the copy's name."""
        async with scratch(self.access, self.admin_database, self.project, self.name, purpose) as copy:
            await dumper.restore(dump, copy.dsn)
            return await contents_of(copy, compare, self.rules.timeout)

    def _described(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "project": self.project,
            "database": self.name,
            "dbname": self.access.dsn.database,
            "deployment": attempt.deployment,
            "release": attempt.release,
            "taken_at": attempt.at.isoformat(),
            "verified": self.rules.verify,
            "compare": self.rules.compare,
            "server_version": attempt.facts.server_version,
            "client_version": attempt.clients.version,
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
