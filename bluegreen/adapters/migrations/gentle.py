"""Getting a lock without anybody noticing: look first, short tries, long pauses, and an end; and not keeping it long.

Whoever waits for a strong lock makes everybody queue behind him, so `lock_timeout` is the worst latency that users
see (measured: a 12 s reader in the way costs them 11.4 s without it, 0.2 s with 200 ms). Full jitter: AWS
Architecture Blog, "Exponential Backoff And Jitter".
"""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.migrations.way import Way
from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.locks import Blockers
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.scripts import HEADER, Statement, Target
from bluegreen.domain.errors import MigrationFailed, OutsideError

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
IDLE_TIMEOUT = "10s"
"""A transaction of ours that does nothing is ended by the server: it would hold its locks."""

IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

NOT_IN_A_TRANSACTION = (asyncpg.ActiveSQLTransactionError, asyncpg.InvalidTransactionTerminationError)


class Crowded(OutsideError):
    """A lock could not be had this time."""

    code = "lock-not-available"


class StrongTime:
    """How long one transaction may go on: `strong_timeout` in all from its first strong lock, since it keeps it to the
    end; as long as it likes before that."""

    def __init__(self, file: SqlFile, source: Source) -> None:
        self._file, self._source = file, source
        self._began: float | None = None
        self.since = 0
        """The line of the statement that took the first strong lock; 0 while there is none."""

    def limit(self, statement: Statement) -> float | None:
        """Seconds that the next statement has; 0 for no limit, None where the file says for itself."""
        if self._file.script.limits_itself:
            return None
        if self._began is None and self._file.script.harms(statement):
            self._began, self.since = monotonic(), statement.line
        if self._began is None or not self._source.strong_timeout:
            return 0.0
        return max(self._source.strong_timeout - (monotonic() - self._began), 0.001)


def settings(source: Source) -> dict[str, str]:
    """What a session that migrates begins with."""
    return {
        "lock_timeout": milliseconds(source.lock_timeout),
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
    }


def milliseconds(seconds: float) -> str:
    """A duration as Postgres reads it; what is less than a millisecond must not become 0, which is for ever."""
    return f"{max(round(seconds * 1000), 1) if seconds else 0}ms"


async def patiently(
    attempt: Callable[[], Awaitable[None]],
    job: Job,
    connection: Connection,
    observer: Connection,
    targets: Sequence[Target],
) -> None:
    """Run a transaction, which will lock `targets`, until it got its locks. MigrationFailed names who was in the way
    when the budget is spent."""
    source, backend = job.source, connection.get_server_pid()
    blockers = Blockers(observer, backend, source.lock_timeout / 4)
    way = Way(job, observer, (backend, job.lock), targets)

    async def look_and_try() -> None:
        await way.clear()
        await blockers.during(attempt)

    try:
        await retrying(source)(look_and_try)
    except Crowded as exc:
        raise MigrationFailed(
            f"{exc}: the lock was not to be had within {source.lock_budget:g} s (each try {source.lock_timeout:g} s);"
            f" stopped, nothing of it is applied. In the way: {blockers.seen}",
            next=("end the session that is in the way, or wait for it, then deploy again",),
            blocker=blockers.seen,
        ) from exc


def retrying(source: Source) -> AsyncRetrying:
    """Again after a pause, while it is Crowded and the budget lasts."""
    return AsyncRetrying(
        retry=retry_if_exception_type(Crowded),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        stop=stop_after_delay(source.lock_budget),
        reraise=True,
    )


async def execute(
    connection: Connection, file: SqlFile, statement: Statement, source: Source, time: StrongTime | None = None
) -> None:
    """Run one statement in its transaction's time (`time`; none: it stands alone). Crowded when it did not get its
    lock in time; MigrationFailed names file and line."""
    where, time = f"{file.path}:{statement.line}", time or StrongTime(file, source)
    limit = time.limit(statement)
    try:
        if limit is not None:
            await connection.execute(f"SET statement_timeout = '{milliseconds(limit)}'")
        await connection.execute(statement.text, timeout=source.timeout)
    except IN_THE_WAY as exc:
        raise Crowded(where) from exc
    except TimeoutError as exc:
        raise MigrationFailed(
            f"{where}: not done after {source.timeout:g} s (timeout), so it was cancelled", file=str(file.path)
        ) from exc
    except LOST:
        raise  # whether it took effect is not known
    except asyncpg.QueryCanceledError as exc:
        if not limit:
            raise _failed(where, file, exc) from exc
        raise _too_long(where, file, statement, source, time) from exc
    except asyncpg.PostgresError as exc:
        raise _failed(where, file, exc) from exc


def _too_long(where: str, file: SqlFile, statement: Statement, source: Source, time: StrongTime) -> MigrationFailed:
    limit = f"{source.strong_timeout:g} s"
    if time.since in (0, statement.line):
        what = f"not done after {limit} under a lock that stops users of the table, so it was given up"
        remedy = "write it so that it takes a weaker lock (NOT VALID and VALIDATE, CONCURRENTLY, batches)"
    else:
        what = (
            f"not done when the {limit} were over in which users may be stopped: the lock of line {time.since} is held"
            " to the end of the file; so all of it was given up"
        )
        remedy = "put it before that line, or into a file of its own"
    return MigrationFailed(
        f"{where}: {what}; {remedy}, or say in the file how long users may wait: SET statement_timeout = '30s'",
        file=str(file.path),
        line=statement.line,
    )


def _failed(where: str, file: SqlFile, exc: asyncpg.PostgresError) -> MigrationFailed:
    needs_none = file.script.transactional and isinstance(exc, NOT_IN_A_TRANSACTION)
    advice = f"; make the first line of the file {HEADER!r}" if needs_none else ""
    return MigrationFailed(f"{where}: {describe(exc)}{advice}", file=str(file.path), sqlstate=exc.sqlstate)
