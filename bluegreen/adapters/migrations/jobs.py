"""One migration that is to be applied now: everything that those who do it have to know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection, application_name
from bluegreen.adapters.postgres.ledger import Entry
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import Migration
from bluegreen.domain.plans import Release
from bluegreen.finishing import to_the_end


@dataclass(frozen=True, slots=True)
class Job:
    """A migration, its source's rules, and for whom it is done. `lock` is the backend that holds the lock."""

    access: Access
    source: Source
    migration: Migration
    deployment: str
    release: Release
    lock: int

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
        return await ledger.write(connection, self.migration, self.deployment, self.release.version, entry)

    async def write_inside(self, connection: Connection, entry: Entry) -> None:
        """Write this migration's row in the transaction that migrates."""
        await ledger.write_as_ourselves(connection, self.migration, self.deployment, self.release.version, entry)

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

    async def _write_end(self, entry: Entry) -> bool:
        async with self.desk() as desk:
            return await self.write(desk, entry)
