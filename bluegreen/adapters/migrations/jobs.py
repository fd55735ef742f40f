"""One migration that is to be applied now: everything that those who do it have to know."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace

from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection, application_name
from bluegreen.adapters.postgres.ledger import Entry
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.findings import FileVerdict
from bluegreen.domain.migrations import Migration
from bluegreen.domain.plans import Release
from bluegreen.finishing import to_the_end


def nobody(_: str) -> None:
    """Hears what is waited for, where nobody wants to."""


@dataclass(frozen=True, slots=True)
class Job:
    """A migration, its source's rules, and for whom it is done. `lock` is the backend that holds the lock; `note` is
    told what is waited for; `verdict` and `hash_before` (of the catalogue) go into the ledger."""

    access: Access
    source: Source
    migration: Migration
    deployment: str
    release: Release
    lock: int
    verdict: FileVerdict | None = None
    note: Callable[[str], None] = nobody
    hash_before: str = ""

    @property
    def application(self) -> str:
        """How sessions of this migration are known at the server, also after we were killed."""
        return application_name(f"bluegreen {self.migration.label}")

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Connection]:
        """A connection to look and to write with, beside the one that migrates."""
        async with self.access.session(failure=MigrationFailed) as connection:
            yield connection

    async def write(self, connection: Connection, entry: Entry) -> bool:
        """Write this migration's row; False where it is done already."""
        return await ledger.write(connection, self.migration, self.deployment, self.release.version, self._whole(entry))

    async def write_inside(self, connection: Connection, entry: Entry) -> None:
        """Write this migration's row in the transaction that migrates."""
        await ledger.write_as_ourselves(
            connection, self.migration, self.deployment, self.release.version, self._whole(entry)
        )

    async def write_end(self, entry: Entry) -> bool:
        """Write how it ended, on a fresh connection, cancelled or not; False where it is done already."""
        return await to_the_end(self._write_end(entry), f"ledger of {self.migration.label}")

    async def write_failure(self, failure: MigrationFailed, entry: Entry) -> bool:
        """Write that it failed, like `write_end`. MigrationFailed, with both texts, where that fails too."""
        try:
            return await self.write_end(entry)
        except MigrationFailed as second:
            raise MigrationFailed(
                f"{failure.detail}; nor could that be written into the ledger: {second.detail}",
                next=failure.next,
                **failure.facts,
            ) from failure

    def _whole(self, entry: Entry) -> Entry:
        found = json.dumps(asdict(self.verdict)) if self.verdict else None
        return replace(entry, hash_before=self.hash_before, rehearsal=found)

    async def _write_end(self, entry: Entry) -> bool:
        async with self.desk() as desk:
            return await self.write(desk, entry)
