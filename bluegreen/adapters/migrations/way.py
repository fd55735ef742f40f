"""Look before you lock: nobody queues behind a statement that was not tried while its tables were in long use.

In the classic incident (a report of 12 s, then an ALTER) a lock_timeout of 200 ms alone costs users 185 ms again and
again; looking first costs them nothing. What is younger than 0.1 s is not waited for: on a busy table there always is
some.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic

import asyncpg
import structlog

from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.locks import SHORT
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.scripts import Target
from bluegreen.domain.errors import MigrationFailed

LOOK_EVERY = 0.25
YOUNG = 0.1
"""Seconds below which a transaction is one of the many short ones."""

STUBBORN = 5.0
"""Seconds below which a transaction is one of many that overlap for ever, so that looking will never find none."""

NUDGE_EVERY = 60.0
NUDGE_TIMEOUT = "3s"
"""More than deadlock_timeout (1 s), after which autovacuum is told to yield."""

log = structlog.get_logger("bluegreen")
own = questions(__package__)


class Way:
    """The way to the locks of a migration's next statements; `backends` are ours, `observer` looks."""

    def __init__(self, job: Job, observer: Connection, backends: Sequence[int], targets: Sequence[Target]) -> None:
        self._job, self._observer, self._targets = job, observer, targets
        self._backends = [*backends, observer.get_server_pid()]
        self._began = monotonic()
        self._seen: frozenset[str] | None = None
        self._told = ""
        self._nudged = -NUDGE_EVERY

    async def clear(self) -> None:
        """Return when nobody has been in the way for long. MigrationFailed when the budget is spent, naming them."""
        if not self._targets:
            return
        while records := await self._look():
            waited = monotonic() - self._began
            if waited >= self._job.source.lock_budget:
                raise self._given_up(records)
            if waited >= self._job.source.name_after:
                self._tell(records, waited)
                if all((record["seconds"] or STUBBORN) < STUBBORN for record in records):
                    return  # each of them ends soon, and the next has begun by then: try, with the lock's short timeout
            await self._nudge(records)
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> list[asyncpg.Record]:
        named = [target.relation.quoted for target in self._targets]
        modes = [target.mode.value for target in self._targets]
        partners = [target.partners for target in self._targets]
        records = await self._observer.fetch(own("in_the_way"), named, modes, partners, self._backends)
        former, self._seen = self._seen, frozenset(record["transaction"] for record in records)
        return [record for record in records if _is_old(record, former)]

    def _tell(self, records: Sequence[asyncpg.Record], waited: float) -> None:
        """Name them once, and again when they are others."""
        if (names := " ".join(sorted(record["transaction"] for record in records))) == self._told:
            return
        self._told = names
        label, blockers = self._job.migration.label, _named(records)
        log.warning("migration.waiting", migration=label, seconds=round(waited), blockers=blockers)
        self._job.note(f"{label} waits for {waited:.0f} s until its tables are free; in the way: {blockers}")

    async def _nudge(self, records: Sequence[asyncpg.Record]) -> None:
        """Make autovacuum yield: it does for whoever waits longer than deadlock_timeout, which a try never does.

        So a lock is asked for that stops no user, and is let go of at once. One that runs to prevent wraparound stays.
        """
        vacuumed = {record["name"] for record in records if record["internal"]}
        if not vacuumed or monotonic() - self._nudged < NUDGE_EVERY:
            return
        self._nudged = monotonic()
        for name in sorted(vacuumed):
            try:
                async with self._observer.transaction():
                    await self._observer.execute(f"SET LOCAL lock_timeout = '{NUDGE_TIMEOUT}'")
                    await self._observer.execute(f"LOCK TABLE ONLY {name} IN SHARE UPDATE EXCLUSIVE MODE")
            except asyncpg.PostgresError as exc:  # it stays, or we may not: who is in the way is named all the same
                log.info("migration.autovacuum_stayed", migration=self._job.migration.label, table=name, error=str(exc))

    def _given_up(self, records: Sequence[asyncpg.Record]) -> MigrationFailed:
        budget, blockers = self._job.source.lock_budget, _named(records)
        pids = [record["pid"] for record in records if record["pid"]]
        ending = (f"SELECT pg_terminate_backend({pids[0]})",) if pids else ()
        return MigrationFailed(
            f"{self._job.migration.file}: its tables were in use all the {budget:g} s (lock_budget), so nothing was"
            f" tried and nothing of it is applied. In the way: {blockers}",
            next=("end the session that is in the way, or wait for it, then deploy again", *ending),
            blocker=blockers,
        )


def _is_old(record: asyncpg.Record, former: frozenset[str] | None) -> bool:
    if record["seconds"] is None:  # not shown to us: old is what was there at the last look, and all at the first
        return former is None or record["transaction"] in former
    return bool(record["seconds"] >= YOUNG)


def _named(records: Sequence[asyncpg.Record]) -> str:
    return "; ".join(_one(record) for record in records)


def _one(record: asyncpg.Record) -> str:
    since = "" if record["seconds"] is None else f", in a transaction for {record['seconds']:.1f} s"
    hidden = record["query"] == "<insufficient privilege>"
    text = "" if hidden else " ".join((record["query"] or "").split())
    shown = text if len(text) <= SHORT else text[: SHORT - 1] + "…"
    if record["gid"] is not None:
        return (
            f"prepared transaction {record['gid']!r} on {record['name']}{since} (COMMIT PREPARED or ROLLBACK PREPARED)"
        )
    if record["internal"]:
        wraparound = " (to prevent wraparound: it does not yield)" if "wraparound" in text else ""
        return f"autovacuum of {record['name']}, backend {record['pid']}{wraparound}{since}"
    return (
        f"backend {record['pid']} ({record['application_name'] or 'no name'}, user {record['usename']}),"
        f" {record['state'] or 'busy'} on {record['name']}{since}: {shown or 'its query is not visible to us'}"
    )
