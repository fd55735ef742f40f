"""Getting a lock without anybody noticing: short tries, long pauses, and an end.

Whoever waits for a strong lock makes everybody queue behind him, so `lock_timeout` is the worst latency that users
see (measured: a 12 s reader in the way costs them 11.4 s without it, 0.2 s with 200 ms). Full jitter: AWS
Architecture Blog, "Exponential Backoff And Jitter".
"""

from collections.abc import Awaitable, Callable

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.postgres.connections import LOST, Connection, describe
from bluegreen.adapters.postgres.locks import Blockers
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.scripts import HEADER, Statement
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
    attempt: Callable[[], Awaitable[None]], source: Source, connection: Connection, observer: Connection
) -> None:
    """Run a transaction until it got its locks. MigrationFailed names who was in the way when the budget is spent."""
    blockers = Blockers(observer, connection.get_server_pid(), source.lock_timeout / 4)
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Crowded),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        stop=stop_after_delay(source.lock_budget),
        reraise=True,
    )
    try:
        await retrying(blockers.during, attempt)
    except Crowded as exc:
        raise MigrationFailed(
            f"{exc}: the lock was not to be had within {source.lock_budget:g} s (each try {source.lock_timeout:g} s);"
            f" stopped, nothing of it is applied. In the way: {blockers.seen}",
            next=("end the session that is in the way, or wait for it, then deploy again",),
            blocker=blockers.seen,
        ) from exc


async def execute(connection: Connection, file: SqlFile, statement: Statement, source: Source) -> None:
    """Run one statement. Crowded when it did not get its lock in time; MigrationFailed names file and line."""
    where = f"{file.path}:{statement.line}"
    limit = source.strong_timeout if statement.strong else 0.0
    try:
        if not file.script.limits_itself:
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
        if not limit or file.script.limits_itself:
            raise _failed(where, file, exc) from exc
        raise MigrationFailed(
            f"{where}: not done after {limit:g} s under a lock that stops users of the table, so it was given up;"
            " write it so that it takes a weaker lock (NOT VALID and VALIDATE, CONCURRENTLY, batches), or say in the"
            " file how long users may wait: SET statement_timeout = '30s'",
            file=str(file.path),
            line=statement.line,
        ) from exc
    except asyncpg.PostgresError as exc:
        raise _failed(where, file, exc) from exc


def _failed(where: str, file: SqlFile, exc: asyncpg.PostgresError) -> MigrationFailed:
    needs_none = file.script.transactional and isinstance(exc, NOT_IN_A_TRANSACTION)
    advice = f"; make the first line of the file {HEADER!r}" if needs_none else ""
    return MigrationFailed(f"{where}: {describe(exc)}{advice}", file=str(file.path), sqlstate=exc.sqlstate)
