"""One file of SQL on the copy, as production would run it, and what can be seen of it statement by statement.

An error that may be due to the rows of ours, of which each table has one, is tried again without them.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeAlias

import asyncpg

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.scripts import Alone, Script, Statement
from bluegreen.adapters.rehearsal.traces import Traces, held, rewritten, set_out_to_write, touched
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.seen import ErrorSeen, StatementSeen

ABOUT_ROWS = ("21", "22", "23", "P0")
"""Classes of SQLSTATE that may be due to rows: cardinality, data, constraints, exceptions raised by code (Postgres
manual, appendix A)."""

TOO_FEW_ROWS = "P0002"
"""no_data_found: a SELECT INTO STRICT that wants a row."""

LATER = 5.0
"""Seconds that we wait longer than the server's own limit for a statement."""

Clear: TypeAlias = Callable[[], Awaitable[None]]
"""Takes the rows of ours out of the copy."""


@dataclass
class Run:
    """What was seen so far. `doubts` are errors of a first try by the statement's number, which did not come again
    without the rows of ours: they say something of those rows only. `rest` was not tried."""

    before: Catalogue
    after: Catalogue
    statements: list[StatementSeen] = field(default_factory=list)
    doubts: dict[int, ErrorSeen] = field(default_factory=dict)
    rest: tuple[StatementSeen, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the last statement has an error, so that the rest was not tried."""
        return any(statement.error for statement in self.statements)

    @property
    def half_done(self) -> bool:
        """Whether it failed and left a part behind."""
        return self.failed and self.after != self.before

    @property
    def told(self) -> tuple[StatementSeen, ...]:
        """The statements, those in doubt with their first error, those not tried as their texts show them."""
        tried = (
            replace(statement, error=statement.error or self.doubts.get(number))
            for number, statement in enumerate(self.statements)
        )
        return (*tried, *self.rest)


@dataclass(frozen=True, slots=True)
class Player:
    """Runs statements on one connection to the copy; `clear` None: its rows are production's."""

    connection: Connection
    timeout: float
    clear: Clear | None = None

    async def run(self, script: Script, seen: Sequence[StatementSeen], before: Catalogue) -> Run:
        """Run all statements, each as it would run on production; `seen` is what their texts say. An error of Postgres
        ends it and is a fact; a lost connection is raised."""
        done = Run(before, before)
        if script.transactional:
            await self._transaction(seen, done)
            if self._may_be_ours(done):
                await self._transaction(seen, done)
        else:
            await self._statements(script, seen, done)
        done.rest = tuple(seen[len(done.statements) :])
        return done

    async def _transaction(self, seen: Sequence[StatementSeen], done: Run) -> None:
        if done.failed:
            await self._forgive(done, len(done.statements) - 1)
            done.statements.clear()
        try:
            async with self.connection.transaction():
                for statement in seen:
                    await self._observed(statement, done)
        except _Failed:
            done.after = done.before
        except asyncpg.PostgresError as exc:  # COMMIT: a deferred constraint
            done.statements[-1:] = [replace(last, error=_error(exc)) for last in done.statements[-1:]]
            done.after = done.before

    async def _statements(self, script: Script, seen: Sequence[StatementSeen], done: Run) -> None:
        for number, (statement, known) in enumerate(zip(script.statements, seen, strict=True)):
            await self._statement(statement, known, done)
            if self._may_be_ours(done):
                await self._forgive(done, number)
                done.statements.pop()
                await self._statement(statement, known, done)
            if done.failed:
                done.after = await look(self.connection, positions=True)
                return

    async def _statement(self, statement: Statement, known: StatementSeen, done: Run) -> None:
        with suppress(_Failed):
            if statement.alone is Alone.NO:
                async with self.connection.transaction():
                    await self._observed(known, done)
            else:
                await self._by_itself(known, done)

    def _may_be_ours(self, done: Run) -> bool:
        """Whether its error may come from the rows that we have put into the copy."""
        error = done.statements[-1].error if done.statements else None
        return self.clear is not None and not done.doubts and error is not None and error.sqlstate[:2] in ABOUT_ROWS

    async def _forgive(self, done: Run, number: int) -> None:
        error = done.statements[-1].error
        if self.clear and error:
            done.doubts[number] = replace(error, needs_rows=True)
            await self.clear()

    async def _observed(self, statement: StatementSeen, done: Run) -> None:
        """Run one statement in the transaction that is open."""
        touches, had = await touched(self.connection), await held(self.connection, done.before, done.after)
        before, began = done.after, monotonic()
        await self._execute(statement, done)
        seconds = monotonic() - began
        traces = Traces.between(touches, await touched(self.connection), done.before)
        done.after = await look(self.connection, positions=True)
        locks = await held(self.connection, done.before, done.after)
        done.statements.append(
            replace(
                statement,
                locks=locks,
                scanned=traces.scanned,
                rewritten=tuple(key for key in rewritten(before, done.after) if key in done.before),
                before=before,
                after=done.after,
                seconds=seconds,
                read=traces.read,
                written=tuple(dict.fromkeys((*traces.written, *set_out_to_write(had, locks)))),
            )
        )

    async def _by_itself(self, statement: StatementSeen, done: Run) -> None:
        before, began = done.after, monotonic()
        await self._execute(statement, done)
        seconds = monotonic() - began
        done.after = await look(self.connection, positions=True)
        moved = tuple(key for key in rewritten(before, done.after) if key in done.before)
        done.statements.append(replace(statement, rewritten=moved, before=before, after=done.after, seconds=seconds))

    async def _execute(self, statement: StatementSeen, done: Run) -> None:
        try:
            await self.connection.execute(statement.text, timeout=self.timeout + LATER)
        except LOST:
            raise
        except asyncpg.PostgresError as exc:
            error = _error(exc, lacks_rows=self.clear is not None)
            done.statements.append(replace(statement, before=done.after, after=done.after, error=error))
            raise _Failed from exc


class _Failed(Exception):
    """A statement failed; what it said is written down."""


def _error(exc: asyncpg.PostgresError, *, lacks_rows: bool = False) -> ErrorSeen:
    state = exc.sqlstate or ""
    return ErrorSeen(describe(exc), state, needs_rows=lacks_rows and state == TOO_FEW_ROWS)
