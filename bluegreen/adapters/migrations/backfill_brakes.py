"""Who would be hurt by a backfill at full speed: looked for while a batch runs, on a connection of its own."""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar

import asyncpg

from bluegreen.adapters.migrations.backfill_ledger import own
from bluegreen.adapters.postgres.connections import FAILURES, Connection, describe
from bluegreen.domain import pacing
from bluegreen.domain.errors import BluegreenError, MigrationFailed

T = TypeVar("T")

LOOK_EVERY = 0.025
"""Seconds between two looks while a batch runs."""

SELDOM = 1.0
"""Seconds between two looks at replicas and at dead rows."""

MEASURES = 20
"""Reads of one row before the first batch: what later ones are held against."""

NO_RIGHT = "how far replicas are behind (grant pg_monitor to the role of the connection string)"


class Brakes:
    """Looks for harm. `observer` is used by nobody else while a batch runs; `backend` is the one that fills."""

    def __init__(self, observer: Connection, backend: int, table: str, canary: str, timeout: float) -> None:
        """`canary` reads one row of `table` by its key; each question has `timeout` seconds."""
        self._observer, self._backend, self._table = observer, backend, table
        self._read, self._timeout = canary, timeout
        self._canary = pacing.Canary(MEASURES)
        self._harm = ""
        self._slow = ""
        self._looked = float("-inf")
        self.unseen: tuple[str, ...] = ()
        self.in_our_way = "nobody was seen; it may have been several, each for a moment"
        """Whom the last batch that waited waited for."""

    async def measure(self, key: str) -> None:
        """Read the row of a key a few times while nothing else is done."""
        for _ in range(MEASURES):
            await self._time(key, resting=True)

    async def during(self, batch: Coroutine[Any, Any, T], key: str | None) -> T:
        """Run a batch and look meanwhile. Raises what the batch raises, and MigrationFailed, from what asyncpg raised,
        where nobody can look any more."""
        self._harm, over = "", asyncio.Event()
        result: T | BluegreenError
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(over, key), name=f"brakes of backend {self._backend}")
            try:
                result = await batch
            except BluegreenError as exc:
                result = exc  # raised here, the group would wrap it
            finally:
                over.set()
        if isinstance(result, BluegreenError):
            raise result
        if (failed := watch.result()) is not None:
            raise MigrationFailed(f"nobody can look whom it harms: {describe(failed)}") from failed
        return result

    async def why(self) -> str:
        """Why to brake after this batch, in words; "" where nothing speaks against going on. Asks the server, seldom,
        how replicas and the table fare."""
        if monotonic() - self._looked >= SELDOM:
            self._looked = monotonic()
            self._slow = await self._seldom()
        return self._harm or self._canary.brake or self._slow

    async def _watch(self, over: asyncio.Event, key: str | None) -> Exception | None:
        """Look until the batch is over, and never in the middle of a question be cut off."""
        try:
            while not over.is_set():
                await self._look()
                if key is not None:
                    await self._time(key, resting=False)
                await _until(over, LOOK_EVERY)
        except FAILURES as exc:
            return exc
        return None

    async def _look(self) -> None:
        waiter = await self._observer.fetchrow(own("held_up"), self._backend, pacing.BLOCKED, timeout=self._timeout)
        if waiter is not None:
            name, seconds = waiter["application"], waiter["seconds"]
            self._harm = f"backend {waiter['pid']} ({name}) has waited {seconds * 1000:.0f} ms for a row of ours"
        other = await self._observer.fetchrow(own("in_our_way"), self._backend, timeout=self._timeout)
        if other is not None:
            self.in_our_way = (
                f"backend {other['pid']} ({other['application']}), {other['state'] or 'busy'},"
                f" in a transaction for {other['seconds']:.1f} s"
            )

    async def _time(self, key: str, *, resting: bool) -> None:
        began = monotonic()
        try:
            await self._observer.fetch(self._read, key, timeout=self._timeout)
        except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
            return  # somebody else locks the table, or we may write rows that we may not read: that tells nothing
        self._canary.read(monotonic() - began, resting=resting)

    async def _seldom(self) -> str:
        lag = await self._observer.fetchrow(own("lag"), timeout=self._timeout)
        dead = await self._observer.fetchrow(own("dead"), self._table, timeout=self._timeout)
        self.unseen = (NO_RIGHT,) if lag and lag["unseen"] else ()
        behind = pacing.lags(lag["seconds"]) if lag else ""
        return behind or (pacing.piled_up(dead["dead"], dead["living"]) if dead else "")


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
