"""A file with the header `-- bluegreen: no-transaction`: statement by statement, to be resumed where it was cut off.

A statement that can run in a transaction does, with the ledger's count of what is done in the same one. For those that
cannot (CONCURRENTLY, VACUUM), "begun" is written first, and after a crash the catalogue is asked whether it was done.
"""

from dataclasses import dataclass

import asyncio

from bluegreen.adapters.database import indexes
from bluegreen.adapters.database.connections import Connection, describe
from bluegreen.adapters.database.files import SqlFile
from bluegreen.adapters.database.finishing import to_the_end
from bluegreen.adapters.database.gentle import Crowded, execute, milliseconds, patiently, settings
from bluegreen.adapters.database.jobs import Job
from bluegreen.adapters.database.ledger import Entry, Row
from bluegreen.adapters.database.locks import Blockers
from bluegreen.adapters.database.scripts import Alone, Statement
from bluegreen.domain.errors import MigrationFailed

LOOK_EVERY = 1.0
"""Seconds between two looks at who is in the way of a statement that harms nobody while it waits."""

ABOUT_INDEXES = (Alone.BUILDS_INDEX, Alone.REBUILDS_INDEX)


async def run_statements(job: Job, file: SqlFile, row: Row | None) -> None:
    """Run what the ledger does not have as done. Cancelled: a transaction is rolled back, else it is finished."""
    async with (
        job.desk() as desk,
        job.access.session(
            application=job.application, settings=settings(job.source), failure=MigrationFailed
        ) as connection,
    ):
        steps = _Steps(job, file, connection, desk)
        try:
            await steps.run(row)
        except asyncio.CancelledError:
            await job.write_end(Entry("interrupted"))
            raise


@dataclass(frozen=True, slots=True)
class _Steps:
    job: Job
    file: SqlFile
    connection: Connection
    desk: Connection

    async def run(self, row: Row | None) -> None:
        done = row.applied.statements_done if row else 0
        begun = row is not None and row.in_flight
        await self.job.write(self.desk, Entry("running", done, begun, new_attempt=True))
        for number, statement in enumerate(self.file.script.statements):
            if number < done:
                await self._set_up_again(statement)
            elif statement.alone is Alone.NO:
                await self._in_transaction(statement, number)
            else:
                work = self._by_itself(statement, number, begun=begun and number == done)
                await to_the_end(work, f"{self.job.migration.label} statement {number + 1}")
        await self.job.write(self.desk, Entry("done"))

    async def _set_up_again(self, statement: Statement) -> None:
        if statement.setting:
            await execute(self.connection, self.file, statement, self.job.source)

    async def _in_transaction(self, statement: Statement, number: int) -> None:
        async def attempt() -> None:
            async with self.connection.transaction():
                await execute(self.connection, self.file, statement, self.job.source)
                await self.job.write_inside(self.connection, Entry("running", number + 1))

        await patiently(attempt, self.job.source, self.connection, self.desk)

    async def _by_itself(self, statement: Statement, number: int, *, begun: bool) -> None:
        with translated(f"{self.file.path}:{statement.line}"):
            if not await self._settled(statement, number, begun=begun):
                await self.job.write(self.desk, Entry("running", number, in_flight=True))
                await self._execute_by_itself(statement)
            await self.job.write(self.desk, Entry("running", number + 1))
