"""A file with the header `-- bluegreen: no-transaction`: statement by statement, to be resumed where it was cut off.

A statement that can run in a transaction does, with the ledger's count of what is done in the same one. For those that
cannot (CONCURRENTLY, VACUUM), "begun" is written first, and after a crash the catalogue is asked whether it was done.
"""

import asyncio
from dataclasses import dataclass

from bluegreen.adapters.migrations import indexes
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.gentle import Crowded, execute, milliseconds, patiently, settings
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.migrations.watchdog import guarded
from bluegreen.adapters.postgres.connections import Connection, translated
from bluegreen.adapters.postgres.ledger import Entry, Row
from bluegreen.adapters.postgres.locks import SHORT, Blockers, check_held
from bluegreen.adapters.postgres.queries import query
from bluegreen.adapters.postgres.scripts import Alone, Statement
from bluegreen.domain.errors import MigrationFailed
from bluegreen.finishing import to_the_end

LOOK_EVERY = 1.0
"""Seconds between two looks at who is in the way of a statement that harms nobody while it waits."""

STAYS = "0"
"""Outside a transaction a backend need not notice that we were killed: then a long build is waited for, not redone."""

CLEANING = 10.0
"""Seconds for the lock to drop what a failed build left, after the build itself has waited long."""

ABOUT_INDEXES = (Alone.BUILDS_INDEX, Alone.REBUILDS_INDEX)


async def run_statements(job: Job, file: SqlFile, row: Row | None) -> None:
    """Run what the ledger does not have as done. Cancelled: a transaction is rolled back, else it is finished."""
    async with (
        job.desk() as desk,
        job.access.session(
            application=job.application, settings=settings(job.source), failure=MigrationFailed
        ) as connection,
    ):
        await connection.execute(query("settings"), STAYS)
        try:
            await _Steps(job, file, connection, desk).run(row)
        except asyncio.CancelledError as exc:
            await _write_interrupted(job, exc)
            raise


async def _write_interrupted(job: Job, cancelled: asyncio.CancelledError) -> None:
    try:
        await job.write_end(Entry("interrupted", error=str(cancelled.__cause__ or "")))
    except MigrationFailed as exc:  # the row stays "running", which the next attempt resumes just the same
        cancelled.add_note(f"the ledger does not say that {job.migration.label} was interrupted: {exc.detail}")


@dataclass(frozen=True, slots=True)
class _Steps:
    """`connection` migrates, `desk` looks and writes: it never waits for a lock."""

    job: Job
    file: SqlFile
    connection: Connection
    desk: Connection

    async def run(self, row: Row | None) -> None:
        done = row.applied.statements_done if row else 0
        begun = row is not None and row.in_flight
        await self.job.write(self.desk, Entry("running", done, begun, new_attempt=True))
        for number, statement in enumerate(self.file.script.statements):
            await check_held(self.desk, self.job.lock)
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
                await self.job.write_inside(self.connection, Entry("running", number + 1, in_flight=False))

        targets = self.file.script.targets_of(statement)
        await guarded(self.job, self.file, lambda: patiently(attempt, self.job, self.connection, self.desk, targets))

    async def _by_itself(self, statement: Statement, number: int, *, begun: bool) -> None:
        with translated(self._where(statement), MigrationFailed):
            # Waiting for a weak lock makes nobody queue, and a broken build has to be done all over again.
            await self._lock_timeout(self.job.source.lock_budget)
            if not await self._settled(statement, number, begun=begun):
                await self.job.write(self.desk, Entry("running", number, in_flight=True))
                await self._execute(statement, number)
                await self._check_indexes(statement)
            await self.job.write(self.desk, Entry("running", number + 1, in_flight=False))
            await self._lock_timeout(self.job.source.lock_timeout)

    async def _settled(self, statement: Statement, number: int, *, begun: bool) -> bool:
        """Whether the former attempt, which `begun` it, brought it to its end after all; else nothing is in the way."""
        if statement.alone is Alone.DROPS_INDEX:
            return begun and not await indexes.any_exists(self.connection, statement)
        if statement.alone is Alone.UNKNOWN and begun:
            raise self._undecidable(statement)
        left = await self._clear(statement)
        if left and not begun and not statement.if_not_exists:
            raise MigrationFailed(f"{self._where(statement)}: there is an index {left[0].name} already")
        return begun and bool(left)

    async def _execute(self, statement: Statement, number: int) -> None:
        blockers = Blockers(self.desk, self.connection.get_server_pid(), LOOK_EVERY)
        try:
            await blockers.during(lambda: execute(self.connection, self.file, statement, self.job.source))
        except Crowded as exc:
            budget = self.job.source.lock_budget
            failure = MigrationFailed(
                f"{exc}: a lock was not to be had within {budget:g} s. In the way: {blockers.seen}",
                next=("end the session that is in the way, or wait for it, then deploy again",),
                blocker=blockers.seen,
            )
            await self._give_up(statement, number, failure)
            raise failure from exc
        except MigrationFailed as exc:
            await self._give_up(statement, number, exc)
            raise

    async def _give_up(self, statement: Statement, number: int, failure: MigrationFailed) -> None:
        """It failed for certain (nothing of the kind is known when the connection broke): leave nothing INVALID.

        Where that cannot be done now (who was in the way of the build is in the way of the drop), the next attempt
        does it, and `failure` is raised with that added.
        """
        try:
            with translated(self._where(statement), MigrationFailed):
                await self._lock_timeout(min(self.job.source.lock_budget, CLEANING))
                left = await self._clear(statement)
                await self.job.write(self.desk, Entry("running", number, in_flight=bool(left)))
        except MigrationFailed as second:
            raise MigrationFailed(
                f"{failure.detail}. What it left behind is INVALID and will be removed by the next attempt,"
                f" since it could not be now: {second.detail}",
                next=failure.next,
                **failure.facts,
            ) from failure

    async def _clear(self, statement: Statement) -> tuple[indexes.Index, ...]:
        if statement.alone not in ABOUT_INDEXES:
            return ()
        return await indexes.clear(self.connection, statement, self.job.source.timeout)

    async def _check_indexes(self, statement: Statement) -> None:
        if statement.alone not in ABOUT_INDEXES:
            return
        found = await indexes.touched(self.connection, statement)
        broken = [index.name for index in found if not index.valid]
        if broken or (statement.alone is Alone.BUILDS_INDEX and not found):
            what = f"{', '.join(broken)} is INVALID" if broken else f"there is no index {statement.indexes[0]}"
            raise MigrationFailed(f"{self._where(statement)}: {what} after it, though no error was reported")

    async def _lock_timeout(self, seconds: float) -> None:
        await self.connection.execute(f"SET lock_timeout = '{milliseconds(seconds)}'")

    def _where(self, statement: Statement) -> str:
        return f"{self.file.path}:{statement.line}"

    def _undecidable(self, statement: Statement) -> MigrationFailed:
        label = self.job.migration.label
        return MigrationFailed(
            f"{self._where(statement)}: the former attempt was cut off while this statement ran, and nothing here can"
            " tell whether it took effect: look at what it does, tell the ledger, then deploy again:"
            f" {' '.join(statement.text.split())[:SHORT]}",
            next=(
                f"if it took effect: bluegreen migrate repair --applied {label}",
                f"if it did not: bluegreen migrate repair --not-applied {label}",
            ),
            file=str(self.file.path),
            line=statement.line,
        )
