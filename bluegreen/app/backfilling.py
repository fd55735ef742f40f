"""Backfills: run when they are due in a deployment, or by hand; slowed down for users; paused and cancelled by people.

Each holds its database's migration lock, and the turn at the databases, only while it really runs. Paused, nothing is
held. What was done stays done, whoever stops it, and the same command goes on from there.
"""

import asyncio
from dataclasses import replace

from bluegreen.app.run import Run
from bluegreen.app.watch import Watch
from bluegreen.app.work import Work
from bluegreen.domain import pacing
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import BluegreenError, StepFailed
from bluegreen.domain.migrations import Migration
from bluegreen.ports_database import Brake, Database

TELL_EVERY = 10.0
"""Seconds between two events that say how far it is."""

ENOUGH = 100
"""Requests of a service that must have been seen before, and lately, for their durations to say something."""

SHARE = 0.99


async def run_due(run: Run, database: Database) -> tuple[str, ...]:
    """Run the backfills of a database that have rows to do, in order, waiting while one is paused; returns their
    labels. It takes the turn at the databases and the migration lock itself. Raises MigrationFailed, LockBusy, and
    StepFailed where a person cancelled one: it stays to be done, and so does its contract."""
    return await _run_all(run, database, await database.unfilled())


async def before_switch(run: Run) -> tuple[str, ...]:
    """The same in EXPANDING, in every database, for backfills that say `-- bluegreen: before-switch`."""
    labels: tuple[str, ...] = ()
    for database in run.world.databases.values():
        early = tuple(migration for migration in await database.unfilled() if migration.before_switch)
        for migration in early:
            await run.warn(
                f"{migration.label} runs before the switch, as its file says: rows that {run.deployment.old} writes in"
                " the old shape afterwards are found by no batch, only when a contract looks"
            )
        labels += await _run_all(run, database, early)
    return labels


async def _run_all(run: Run, database: Database, due: tuple[Migration, ...]) -> tuple[str, ...]:
    if not due:
        return ()
    paused = {p.label: p for p in await database.backfills() if p.state is BackfillState.PAUSED}
    labels = []
    for migration in due:
        former = paused.get(migration.label)
        if former is not None and former.deployment != run.purpose:
            await run.warn(f"{migration.label} was paused by hand and stays so: bluegreen migrate backfill resume")
            break  # what comes after it may stand on it
        await _carry(run, database, migration, former)
        labels.append(migration.label)
    return tuple(labels)


async def _carry(run: Run, database: Database, migration: Migration, former: Progress | None) -> None:
    """Run one to its end, however often it is paused. `former`: it was paused when the daemon ended."""
    filling = run.world.filling
    progress = former
    while True:
        if progress is None:
            async with run.action("backfill", migration=migration.label, database=database.name):
                progress = await fill(run, database, migration, run.watch)
        if progress.state is BackfillState.PAUSED:
            run.note(f"{migration.label} is paused{filling.by_whom}: bluegreen migrate backfill resume")
            if not await filling.resumed(progress):
                await database.cancel_backfill(migration.source, migration.version)
                progress = replace(progress, state=BackfillState.CANCELLED)
        if progress.state is BackfillState.CANCELLED:
            raise StepFailed(
                f"{migration.label} was cancelled{filling.by_whom} after {progress.rows_done:,} rows: the rest stays to"
                " be done, and so does its contract",
                next=(f"bluegreen migrate backfill {migration.label}",),
            )
        if progress.state is BackfillState.DONE:
            return
        progress = None


async def fill(work: Work, database: Database, migration: Migration, watch: Watch) -> Progress:
    """Run one until it is done or a person stops it; tells how far it is, and how it ended. Raises MigrationFailed,
    LockBusy."""
    filling, label = work.world.filling, migration.label
    work.note(f"{label} waits for its turn")
    async with work.world.turn.taken(f"{label} is being run for {work.purpose}"), database.locked():
        filling.begin(_at_first(migration))
        try:
            work.note(f"{label} is running")
            await work.tell("backfill.begun", migration=label, database=database.name)
            progress = await _told(work, database, migration, users(watch))
        except BluegreenError as exc:
            await work.tell("backfill.failed", migration=label, reason=exc.detail, severity="warning")
            raise
        finally:
            filling.end()
    name = {BackfillState.PAUSED: "backfill.paused", BackfillState.CANCELLED: "backfill.cancelled"}
    await work.tell(name.get(progress.state, "backfill.finished"), **facts(progress))
    return progress


async def _told(work: Work, database: Database, migration: Migration, brake: Brake) -> Progress:
    """Run it, and tell every now and then how far it is."""
    filling = work.world.filling

    def report(progress: Progress) -> None:
        filling.now = progress

    outcome: Progress | BluegreenError
    async with asyncio.TaskGroup() as group:
        teller = group.create_task(_tell(work), name=f"progress:{migration.label}")
        try:
            outcome = await database.backfill(migration, work.purpose, work.release, brake, report, filling.halt)
        except BluegreenError as exc:
            outcome = exc  # raised here, the group would wrap it
        finally:
            teller.cancel()
    if isinstance(outcome, BluegreenError):
        raise outcome
    return outcome


async def _tell(work: Work) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY)
        if work.world.filling.now is not None:
            await work.tell("backfill.progressed", **facts(work.world.filling.now))


def facts(progress: Progress) -> "dict[str, str | int | float | None]":
    """How far it is, for events."""
    left = progress.seconds_left
    return {
        "migration": progress.label,
        "database": progress.database,
        "rows_done": progress.rows_done,
        "rows_total": progress.rows_total,
        "rate": round(progress.rate),
        "seconds_left": None if left is None else round(left),
        "batch": progress.batch,
        "brake": progress.brake,
        "passes": progress.passes,
    }


def users(watch: Watch) -> Brake:
    """Why users of a service are worse off than before now, from the access log; "" where they are not, or nobody can
    tell."""
    before = watch.baseline.percentiles(SHARE, ENOUGH)

    def brake() -> str:
        lately = watch.recent.percentiles(SHARE, ENOUGH, watch.now)
        reasons = (
            pacing.slower(f"{service} (99 % of requests)", lately[service], usual)
            for service, usual in before.items()
            if service in lately
        )
        return next(filter(None, reasons), "")

    return brake


def _at_first(migration: Migration) -> Progress:
    m = migration
    return Progress(m.database, m.source, m.version, "", BackfillState.RUNNING)
