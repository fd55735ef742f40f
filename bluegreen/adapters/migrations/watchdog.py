"""Watches whoever migrates: what stops users for longer than it may is cancelled, whatever its text says.

A tool's session is known by its application_name (PGAPPNAME), or, where the tool sets one of its own, by the port that
one of its processes talks through. Nobody else's session is ever touched.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import asyncpg
import structlog

from bluegreen.adapters.migrations import tool_processes
from bluegreen.adapters.migrations.files import SqlFile
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.connections import FAILURES, Connection, describe
from bluegreen.adapters.postgres.locks import SHORT
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.errors import BluegreenError, MigrationFailed

LOOK_EVERY = 0.1
AFTER_CANCEL = 1.0
"""Seconds after which a session that was told to stop is ended."""

log = structlog.get_logger("bluegreen")
own = questions(__package__)
T = TypeVar("T")


class Watchdog:
    """`stopped` says, once something was cancelled, what and why; `waiting`: it only waited for a lock itself."""

    def __init__(self, job: Job, observer: Connection, limit: float, mark: str = "") -> None:
        """Others may be stopped for `limit` seconds. `mark` is that of a tool's processes; `observer` is used by nobody
        else meanwhile."""
        self._job, self._observer, self._limit, self._mark = job, observer, limit, mark
        self._since: dict[tuple[int, int], float] = {}
        self._told: dict[int, float] = {}
        self.stopped, self.waiting = "", False

    async def during(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work and watch meanwhile."""
        failed: Exception
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(), name=f"watchdog of {self._job.migration.label}")
            try:
                return await work()
            except (BluegreenError, *FAILURES) as exc:
                failed = exc  # raised here, the group would wrap it
            finally:
                watch.cancel()
        raise failed

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look()
            except FAILURES as exc:  # its lock_timeout still holds, where it reads PGOPTIONS
                log.warning("watchdog.lost", migration=self._job.migration.label, error=describe(exc))
                return

    async def _look(self) -> None:
        records = await self._observer.fetch(own("stopping"))
        ours = await self._ours(records)
        now, former = monotonic(), self._since
        pairs = {(record["pid"], record["stopped"]): record for record in records if record["pid"] in ours}
        self._since = {pair: former.get(pair, now) for pair, record in pairs.items() if record["stopped"] not in ours}
        for pair, since in self._since.items():
            if now - since >= self._limit:
                await self._stop(pairs[pair], now)

    async def _ours(self, records: list[asyncpg.Record]) -> set[int]:
        """The backends among those in `records` that are the tool's."""
        if not records:
            return set()
        ports = await asyncio.to_thread(tool_processes.ports, self._mark) if self._mark else frozenset()
        return {
            pid
            for record in records
            for pid, application, port in (
                (record["pid"], record["application_name"], record["client_port"]),
                (record["stopped"], record["stopped_application"], record["stopped_port"]),
            )
            if application == self._job.application or port in ports
        }

    async def _stop(self, record: asyncpg.Record, now: float) -> None:
        pid: int = record["pid"]
        told = self._told.get(pid)
        if told is not None and now - told < AFTER_CANCEL:
            return
        end = told is not None or record["state"].startswith("idle")  # who is idle does not hear a cancel
        self._told[pid] = now
        await self._observer.execute(f"SELECT {'pg_terminate_backend' if end else 'pg_cancel_backend'}($1)", pid)
        self.waiting = bool(record["waits"])
        self.stopped = (
            f"its session (backend {pid}, {_short(record['query'])}) stopped others for more than"
            f" {self._limit:g} s (backend {record['stopped']}, {_short(record['stopped_query'])}),"
            f" so it was {'ended' if end else 'cancelled'}"
        )
        log.warning("tool.stopped", migration=self._job.migration.label, why=self.stopped)


async def guarded(job: Job, file: SqlFile, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work of a file, which is cancelled once it has stopped others for `strong_timeout`: that a DO block, a
    function or an UPDATE does so cannot be read from its text. A file that says how long it may take is left alone."""
    if file.script.limits_itself or not job.source.strong_timeout:
        await work()
        return
    async with job.desk() as observer:
        watchdog = Watchdog(job, observer, job.source.strong_timeout)
        try:
            await watchdog.during(work)
        except MigrationFailed as exc:
            if not watchdog.stopped:
                raise
            raise MigrationFailed(f"{exc.detail}; {watchdog.stopped}", next=exc.next, **exc.facts) from exc


def _short(query: str | None) -> str:
    text = " ".join((query or "").split())
    return (text if len(text) <= SHORT else text[: SHORT - 1] + "…") or "its query is not visible to us"
