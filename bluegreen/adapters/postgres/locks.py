"""The migration lock of a database, and who stands in the way of one.

The lock is a try-lock, polled, at session level, on a connection of its own and outside any transaction: a waiting
pg_advisory_lock() is a statement with a snapshot, and CREATE INDEX CONCURRENTLY waits for every older snapshot, so
that the two would wait for each other. Its key is one for all, since it is the database that two daemons share.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg

from bluegreen.adapters.postgres.connections import FAILURES, Access, Connection
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.errors import BluegreenError, LockBusy, MigrationFailed

KEY = int.from_bytes(b"bluegree")
POLL = 0.25
"""Seconds between two tries for the lock."""

KEEPALIVE = {"tcp_keepalives_idle": "60", "tcp_keepalives_interval": "15"}
"""The lock's connection says nothing for hours, and a firewall forgets such connections."""

SHORT = 80
"""Characters of another session's query that are shown."""


@asynccontextmanager
async def migration_lock(access: Access, wait: float) -> AsyncIterator[int]:
    """Hold the lock; gives the backend that holds it. LockBusy names its holder after `wait` seconds."""
    deadline = monotonic() + wait
    async with access.session(settings=KEEPALIVE) as connection:
        await connection.execute(query("settings"), "10s")
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", KEY):
            if monotonic() >= deadline:
                raise await _busy(access, connection)
            await asyncio.sleep(POLL)
        yield connection.get_server_pid()


async def check_held(connection: Connection, backend: int) -> None:
    """MigrationFailed unless that backend still holds the lock: connections die, and a lock with them."""
    holders = [record["pid"] for record in await connection.fetch(query("lock_holder"), KEY)]
    if backend not in holders:
        raise MigrationFailed("the migration lock was lost (its connection broke): nothing more is applied")


async def wait_for_former(connection: Connection, application: str, budget: float) -> None:
    """Return when no session of this name is left: after kill -9 of the daemon the server, or a tool, goes on.

    MigrationFailed after `budget` seconds.
    """
    deadline = monotonic() + budget
    while pids := [record["pid"] for record in await connection.fetch(query("former"), application)]:
        if monotonic() >= deadline:
            raise MigrationFailed(
                f"a former attempt ({application!r}) still runs after {budget:g} s, as backend {pids[0]}",
                next=(f"SELECT pg_terminate_backend({pids[0]})",),
                backend=pids[0],
            )
        await asyncio.sleep(POLL)


class Blockers:
    """Who stood in the way of one backend when it last waited for a lock."""

    def __init__(self, observer: Connection, backend: int, interval: float) -> None:
        """`observer` is used by nobody else meanwhile; it looks every `interval` seconds."""
        self._observer = observer
        self._backend = backend
        self._interval = interval
        self.seen = "nobody was seen in the way; it may have been several, each for a moment"

    async def during(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Make the attempt and look meanwhile."""
        failed: Exception | None = None
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(), name=f"blockers of backend {self._backend}")
            try:
                await attempt()
            except (BluegreenError, *FAILURES) as exc:
                failed = exc  # raised here, the group would wrap it
            finally:
                watch.cancel()
        if failed is not None:
            raise failed

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                records = await self._observer.fetch(query("blockers"), self._backend)
            except FAILURES:
                return  # only a name gets lost; whether the work can go on, its own connection tells
            if records:
                self.seen = "; ".join(_session(record) for record in records)


async def _busy(access: Access, connection: Connection) -> LockBusy:
    records = await connection.fetch(query("lock_holder"), KEY)
    holder = "; ".join(_holder(record) for record in records) or "a session that has just let go of it: try again"
    return LockBusy(f"the migration lock of {access.dsn} is held by {holder}", holder=holder)


def _holder(record: asyncpg.Record) -> str:
    return f"{_backend(record)} from {record['host'] or 'the local socket'}, connected for {record['seconds']:.0f} s"


def _session(record: asyncpg.Record) -> str:
    text = " ".join((record["query"] or "").split()) or "its query is not visible to us"
    shown = text if len(text) <= SHORT else text[: SHORT - 1] + "…"
    return f"{_backend(record)}, {record['state'] or 'busy'}, in a transaction for {record['seconds']:.1f} s: {shown}"


def _backend(record: asyncpg.Record) -> str:
    return f"backend {record['pid']} ({record['application_name'] or 'no name'}, user {record['usename']})"
