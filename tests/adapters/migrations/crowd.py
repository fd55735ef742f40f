"""Users of a database who do not wait for each other, and what Postgres itself saw of their waiting for locks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import asyncpg

NAME = "user"
WAITING = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::double precision"
    " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND a.application_name = $1"
    " AND a.datname = current_database()"
)


@dataclass
class Crowd:
    """`latencies` in seconds from when a question was due to its answer; `waited`: the longest wait for a lock that the
    server has seen, in seconds."""

    latencies: list[float] = field(default_factory=list)
    waited: float = 0.0
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def crowd(dsn: str, rate: float, question: Callable[[int], str], connections: int = 20) -> AsyncIterator[Crowd]:
    """Question number i is due at t0 + i / rate, whatever became of those before it."""
    seen, ended = Crowd(), asyncio.Event()
    options = {"application_name": NAME}
    async with asyncpg.create_pool(
        dsn, min_size=connections, max_size=connections, server_settings=options, statement_cache_size=0
    ) as pool:
        observer = await asyncpg.connect(dsn)
        async with asyncio.TaskGroup() as group:
            group.create_task(_watch(observer, seen, ended), name="lock waits")
            group.create_task(_ask_on(pool, rate, question, seen, ended), name="crowd")
            try:
                yield seen
            finally:
                ended.set()
        await observer.close(timeout=10.0)


async def _watch(observer: "asyncpg.Connection[asyncpg.Record]", seen: Crowd, ended: asyncio.Event) -> None:
    while not ended.is_set():
        seen.waited = max(seen.waited, await observer.fetchval(WAITING, NAME))
        await asyncio.sleep(0.01)


async def _ask_on(
    pool: "asyncpg.Pool[asyncpg.Record]",
    rate: float,
    question: Callable[[int], str],
    seen: Crowd,
    ended: asyncio.Event,
) -> None:
    began, number = monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while not ended.is_set():
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - monotonic()))
            group.create_task(_ask(pool, question(number), due, seen), name=f"question {number}")
            number += 1


async def _ask(pool: "asyncpg.Pool[asyncpg.Record]", sql: str, due: float, seen: Crowd) -> None:
    try:
        async with pool.acquire() as connection:
            await connection.execute(sql)
    except asyncpg.PostgresError as exc:
        seen.failures.append(str(exc))
    seen.latencies.append(monotonic() - due)
