"""Migrations by a tool of the operator's (`kratos migrate sql`, alembic, Flyway …): opaque, run once per release.

Whether it is done is what its exit code says, and its `status` command after it. It is never cut off: nobody knows
what half of it would mean. libpq, pgx and what is built on them read PGAPPNAME, PGOPTIONS and PGPASSFILE.
"""

import hashlib
import json
from collections.abc import Mapping

from bluegreen.adapters.migrations.gentle import milliseconds
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.dsn import SHARED_WITH_LIBPQ
from bluegreen.adapters.postgres.ledger import Entry
from bluegreen.adapters.postgres.rules import DSN, RELEASE, Source
from bluegreen.domain.errors import MigrationFailed, OutsideError
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.finishing import to_the_end
from bluegreen.processes import Ran, environment, run_command


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
    """Run the tool to its end, also when we are cancelled, and write what came of it. Raises MigrationFailed."""
    async with job.desk() as desk:
        await job.write(desk, Entry("running", 0, in_flight=True, new_attempt=True))
    await to_the_end(_run(job), f"{job.migration.label} by {job.source.up[0]}")


async def _run(job: Job) -> None:
    try:
        with job.access.dsn.passfile(MigrationFailed) as passfile:
            env = _environment(job, passfile)
            said = await _call(job, job.source.up, env)
            if job.source.status:
                await _call(job, job.source.status, env)
    except MigrationFailed as exc:
        await job.write_failure(exc, Entry("failed", 0, in_flight=False, error=exc.detail))
        raise
    await job.write_end(Entry("done", 1, in_flight=False, output=said.last_line))


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
            f"{job.migration.label}: {words[0]} ended with {said.code}: {said.last_line}{_advice(job, said)}",
            argv=words,
            output=said.output,
        )
    return said


def _environment(job: Job, passfile: Mapping[str, str]) -> dict[str, str]:
    source, full = job.source, job.access.dsn.full
    options = f"-c lock_timeout={milliseconds(source.lock_timeout)}"
    named = {name: _filled(value, full, job.release) for name, value in source.environment.items()}
    ours = {"PGAPPNAME": job.application, "PGOPTIONS": options, **passfile}
    if source.dsn_env:
        ours[source.dsn_env] = full
    return environment(ours | named, SHARED_WITH_LIBPQ)


def _filled(text: str, dsn: str, release: Release) -> str:
    return text.replace(RELEASE, release.version).replace(DSN, dsn)


def _advice(job: Job, said: Ran) -> str:
    if "lock timeout" not in said.output:
        return ""
    return (
        f" (it waited {job.source.lock_timeout:g} s for a lock: deploy again when the table is less busy, or raise"
        f" lock_timeout of migrations {job.source.name!r})"
    )
