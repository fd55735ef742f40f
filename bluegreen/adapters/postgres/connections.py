"""Connections to one database, and the one place where asyncpg's errors become ours.

Each is direct, without a pool: what is done here is rare, needs a session of its own (locks, settings), and must
tell by its application_name whose it is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import asyncpg

from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.domain.errors import BluegreenError, DatabaseUnreachable, OutsideError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPLICATION = "bluegreen"
UNLIMITED = {"statement_timeout": "0"}
"""A role may have a limit for its queries; ours are bounded by us, each by what is right for it."""

CLOSE_TIMEOUT = 5.0
"""Seconds for a polite goodbye. Postgres has rolled back and let go of its locks when the socket is closed."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that is ended while it idles: "another operation is in progress"
    OSError,
    TimeoutError,
)
"""What asyncpg raises when there is no answer."""

FAILURES = (*LOST, asyncpg.PostgresError)
"""All that asyncpg raises."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a database: seconds to connect, and seconds for the answer to a short question."""

    dsn: Dsn
    connect_timeout: float
    answer_timeout: float

    def to(self, database: str) -> "Access":
        """Another database of the same server."""
        return replace(self, dsn=self.dsn.to(database))

    @asynccontextmanager
    async def session(
        self,
        *,
        application: str = APPLICATION,
        settings: Mapping[str, str] | None = None,
        failure: type[OutsideError] = DatabaseUnreachable,
    ) -> AsyncIterator[Connection]:
        """One connection; what goes wrong with it or on it is raised as `failure`. Left by an error or by
        cancellation, the server has rolled back what was open when this is left."""
        with translated(str(self.dsn), failure):
            connection = await self._connect(application, settings or {})
            try:
                yield connection
            finally:
                await _close(connection)

    async def _connect(self, application: str, settings: Mapping[str, str]) -> Connection:
        return await asyncpg.connect(
            self.dsn.full,
            timeout=self.connect_timeout,
            command_timeout=self.answer_timeout,
            statement_cache_size=0,  # what we run changes the schema under a cached plan
            server_settings={"application_name": application_name(application), **UNLIMITED, **settings},
        )


@contextmanager
def translated(what: str, failure: type[OutsideError]) -> Iterator[None]:
    """Raise asyncpg's errors as `failure`, beginning with what it was about."""
    try:
        yield
    except FAILURES as exc:
        # asyncpg's rollback on a broken connection raises over what happened first, even over a cancellation.
        first = exc.__context__ if isinstance(exc, asyncpg.InterfaceError) else None
        if isinstance(first, BluegreenError | asyncio.CancelledError):
            raise first from exc
        if _is_cancelled():  # and the server was too silent to roll back: that it is raises over it, too
            raise asyncio.CancelledError from exc
        raise failure(f"{what}: {describe(first if isinstance(first, FAILURES) else exc)}") from exc


def application_name(text: str) -> str:
    """As the server will show it: ASCII, at most 63 bytes."""
    return text.encode("ascii", "replace").decode()[:63]


def describe(exc: BaseException) -> str:
    """What the server, or the way to it, has to say, in one line."""
    if isinstance(exc, asyncpg.PostgresError):
        more = [str(text) for text in (getattr(exc, "detail", None), getattr(exc, "hint", None)) if text]
        return ". ".join([str(exc.args[0] if exc.args else exc), *more]) + f" (SQLSTATE {exc.sqlstate})"
    if isinstance(exc, TimeoutError):
        return "does not answer in time"
    return f"does not answer: {str(exc) or type(exc).__name__}"


def _is_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs
        return False
    return task is not None and task.cancelling() > 0


async def _close(connection: Connection) -> None:
    with suppress(*FAILURES):  # it is gone already, or will not say goodbye: asyncpg has then cut it off
        await connection.close(timeout=CLOSE_TIMEOUT)
