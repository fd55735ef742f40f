"""Migrations by a tool of the operator's (`kratos migrate sql`, alembic, Flyway …): opaque, run once per release.

Whether it is done is what its exit code says, and its `status` command after it. It is never cut off: nobody knows
what half of it would mean. libpq, pgx and what is built on them read PGAPPNAME, PGOPTIONS and PGPASSFILE.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from time import monotonic

from bluegreen.adapters.migrations import tool_processes
from bluegreen.adapters.migrations.gentle import Crowded, milliseconds, retrying
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.migrations.watchdog import Watchdog
from bluegreen.adapters.postgres.dsn import SHARED_WITH_LIBPQ
from bluegreen.adapters.postgres.ledger import Entry
from bluegreen.adapters.postgres.locks import check_held
from bluegreen.adapters.postgres.rules import DSN, RELEASE, Source
from bluegreen.domain.errors import MigrationFailed, OutsideError
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.finishing import to_the_end
from bluegreen.processes import Ran, environment, run_command

IDLE = "idle_in_transaction_session_timeout=60s"
"""A tool that keeps a transaction open and does nothing holds its locks; that long, it has come to grief."""

LOCK_TIMEOUT = re.compile(r"lock timeout|\b55P03\b|lock_not_available|LockNotAvailable")
"""How tools pass on what Postgres says when a lock was not to be had in time."""

POLL = 0.25


def migration(database: str, source: Source, release: Release) -> Migration:
    """The one migration that a tool makes for a release."""
    said = json.dumps([source.up, source.status, release.digest])
    return Migration(
        database=database,
        source=source.name,
        version=release.version,
        phase=MigrationPhase.EXPAND,
        kind=MigrationKind.COMMAND,
        checksum=hashlib.sha256(said.encode()).hexdigest(),
        transactional=False,
        statements=1,
    )


async def run(job: Job) -> None:
    """Run the tool to its end, also when we are cancelled, and write what came of it. One that did not get a lock in
    time is run again while the budget lasts. Raises MigrationFailed."""
    await _wait_for_former(job)
    async with job.desk() as desk:
        await job.write(desk, Entry("running", 0, in_flight=True, new_attempt=True))

    async def one_run() -> None:
        await to_the_end(_run(job), f"{job.migration.label} by {job.source.up[0]}")

    try:
        await retrying(job.source)(one_run)
    except Crowded as exc:
        failure = MigrationFailed(
            f"{exc}; it was tried again and again for {job.source.lock_budget:g} s (lock_budget)",
            next=("deploy again when the table is less busy",),
        )
        await job.write_failure(failure, Entry("failed", 0, in_flight=False, error=failure.detail))
        raise failure from exc
    except asyncio.CancelledError as exc:
        if not isinstance(exc.__cause__, MigrationFailed):  # in a pause between two runs; what is done stays so
            await _write_interrupted(job, exc)
        raise


async def _write_interrupted(job: Job, cancelled: asyncio.CancelledError) -> None:
    try:
        await job.write_end(Entry("interrupted", 0, in_flight=False))
    except MigrationFailed as exc:  # the row stays "running", which the next attempt resumes just the same
        cancelled.add_note(f"the ledger does not say that {job.migration.label} was interrupted: {exc.detail}")


async def _run(job: Job) -> None:
    try:
        with job.access.dsn.passfile(MigrationFailed) as passfile:
            env = _environment(job, passfile)
            said = await _watched(job, env)
            if job.source.status:
                await _call(job, job.source.status, env)
    except MigrationFailed as exc:
        await job.write_failure(exc, Entry("failed", 0, in_flight=False, error=exc.detail))
        raise
    await job.write_end(Entry("done", 1, in_flight=False, output=said.last_line))


async def call(job: Job) -> Ran:
    """Run the tool and its status command once, and write nothing down: on a copy. Raises MigrationFailed."""
    with job.access.dsn.passfile(MigrationFailed) as passfile:
        env = _environment(job, passfile)
        said = await _call(job, job.source.up, env)
        if job.source.status:
            await _call(job, job.source.status, env)
    return said


async def _watched(job: Job, env: Mapping[str, str]) -> Ran:
    """Run `up` under the eyes of a watchdog. Crowded where it only did not get its locks."""
    async with job.desk() as observer:
        await check_held(observer, job.lock)
        watchdog = Watchdog(job, observer, job.source.block_timeout, _mark(job))
        try:
            return await watchdog.during(lambda: _call(job, job.source.up, env))
        except MigrationFailed as exc:
            reason = f"{exc.detail}; {watchdog.stopped}" if watchdog.stopped else exc.detail
            held = bool(watchdog.stopped) and not watchdog.waiting
            if not held and (watchdog.stopped or LOCK_TIMEOUT.search(str(exc.facts.get("output", "")))):
                raise Crowded(reason) from exc
            raise MigrationFailed(reason, next=exc.next, **exc.facts) from exc


async def _wait_for_former(job: Job) -> None:
    """Return when no process is left of a former attempt whose daemon was killed. MigrationFailed after `timeout`."""
    deadline = monotonic() + job.source.timeout
    while pids := await asyncio.to_thread(tool_processes.marked, _mark(job)):
        if monotonic() >= deadline:
            raise MigrationFailed(
                f"{job.migration.label}: a former attempt still runs after {job.source.timeout:g} s, as process"
                f" {pids[0]}",
                next=(f"kill {pids[0]}",),
                process=pids[0],
            )
        await asyncio.sleep(POLL)


async def _call(job: Job, argv: tuple[str, ...], env: Mapping[str, str]) -> Ran:
    dsn = job.access.dsn
    words = [_filled(word, dsn.safe, job.release) for word in argv]
    try:
        ran = await run_command(words, timeout=job.source.timeout, env=env)
    except OutsideError as exc:
        raise MigrationFailed(f"{job.migration.label}: {dsn.redact(exc.detail)}", argv=words) from exc
    said = Ran(ran.code, dsn.redact(ran.output), ran.seconds)
    if said.code != 0:
        raise MigrationFailed(
            f"{job.migration.label}: {words[0]} ended with {said.code}: {said.last_line}",
            argv=words,
            output=said.output,
        )
    return said


def _environment(job: Job, passfile: Mapping[str, str]) -> dict[str, str]:
    source, full = job.source, job.access.dsn.full
    named = {name: _filled(value, full, job.release) for name, value in source.environment.items()}
    options = f"-c lock_timeout={milliseconds(source.lock_timeout)} -c {IDLE}"
    ours = {"PGAPPNAME": job.application, **passfile}
    if source.dsn_env:
        ours[source.dsn_env] = full
    always = {"PGOPTIONS": f"{options} {named.get('PGOPTIONS', '')}".rstrip(), tool_processes.MARK: _mark(job)}
    return environment(ours | named | always, SHARED_WITH_LIBPQ)


def _mark(job: Job) -> str:
    """What tells the processes of this migration from all others."""
    return f"{job.migration.label} {job.access.dsn.where}/{job.access.dsn.database}"


def _filled(text: str, dsn: str, release: Release) -> str:
    return text.replace(RELEASE, release.version).replace(DSN, dsn)
