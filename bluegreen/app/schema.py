"""What a deployment does to the shared schema: backups, expand and contract migrations, and naming what was applied."""

from bluegreen.app.run import Run
from bluegreen.app.smoke import require_smoke
from bluegreen.domain.errors import DatabaseUnreachable, StepFailed
from bluegreen.domain.migrations import Applied, Migration, MigrationPhase
from bluegreen.ports_database import Database


async def back_up(run: Run) -> str:
    """Take a verified backup of every database; returns what was taken, for people."""
    taken = []
    for database in run.world.databases.values():
        async with run.action("back_up", database=database.name):
            backup = await database.back_up(run.deployment.id, run.deployment.plan.release.version)
        await run.tell(
            "backup.verified",
            database=backup.database,
            file=backup.file,
            bytes=backup.size,
            sha256=backup.sha256,
            verified=backup.verified,
            tables=backup.tables,
            rows=backup.rows,
            seconds=round(backup.seconds, 3),
        )
        taken.append(f"{backup.database} ({backup.rows:,} rows in {backup.tables} tables, {backup.verified} checked)")
    return ", ".join(taken)


async def pending_expand(run: Run) -> tuple[Migration, ...]:
    """Expand migrations that still have to run, over all databases in order."""
    release = run.deployment.plan.release
    found = [await database.pending(MigrationPhase.EXPAND, release) for database in run.world.databases.values()]
    return tuple(migration for migrations in found for migration in migrations)


async def apply_expand(run: Run) -> tuple[str, ...]:
    """Apply what is pending of the expand phase, database by database, each under its lock. Returns the labels."""
    labels: list[str] = []
    for database in run.world.databases.values():
        labels += await _apply(run, database, MigrationPhase.EXPAND, frozenset())
    return tuple(labels)


async def apply_contract(run: Run) -> tuple[str, ...]:
    """Apply the contract migrations that were asked for, or run by themselves, after a fresh backup.

    Never those whose own expand this deployment applied: the old release was still on standby with it.
    """
    release = run.deployment.plan.release
    own = {(row.source, row.version) for row in await applied(run) if row.phase is MigrationPhase.EXPAND}
    labels: list[str] = []
    for database in run.world.databases.values():
        pending = await database.pending(MigrationPhase.CONTRACT, release)
        reasons = {migration.label: _why_held(run, migration, own) for migration in pending}
        held = {label: reason for label, reason in reasons.items() if reason}
        for label, reason in held.items():
            await run.tell("migration.held_back", migration=label, reason=reason)
        if len(held) < len(pending):
            await back_up(run)
            labels += await _apply(run, database, MigrationPhase.CONTRACT, frozenset(held))
    return tuple(labels)


def _why_held(run: Run, migration: Migration, own: set[tuple[str, str]]) -> str:
    """Why a contract migration does not run in this deployment; empty where it does."""
    if (migration.source, migration.version) in own:
        return "its expand ran in this deployment"
    asked = run.deployment.plan.terms.contract or migration.source in run.world.contracts_after_standby
    return "" if asked else "contract migrations were not asked for"


async def _apply(run: Run, database: Database, phase: MigrationPhase, held: frozenset[str]) -> list[str]:
    plan = run.deployment.plan
    labels: list[str] = []
    if not await database.pending(phase, plan.release):
        return labels
    async with database.locked():
        for migration in await database.pending(phase, plan.release):
            if migration.label in held:
                continue
            run.note(f"applying {migration.label}")
            async with run.action("migrate", migration=migration.label):
                await database.apply(migration, run.deployment.id, plan.release)
            await run.tell("migration.applied", migration=migration.label, database=database.name)
            labels.append(migration.label)
    return labels


async def applied(run: Run) -> tuple[Applied, ...]:
    """What this deployment changed in any database, by the ledgers. Raises DatabaseUnreachable."""
    rows = [await database.applied(run.deployment.id) for database in run.world.databases.values()]
    return tuple(row for database in rows for row in database)


async def prove_live(run: Run) -> str:
    """Prove the live colour on what was applied (old-on-new); returns what was found, for people.

    Raises StepFailed where it fails its checks: its users are hurt by the expand. A warning only where the live
    colour was known to be down.
    """
    labels = await applied_labels(run)
    if labels == ():
        return "nothing was applied: the schema is as it was"
    named = f"applied and kept: {', '.join(labels)}" if labels else "the ledger cannot be read"
    try:
        await require_smoke(run.world, run.old_target)
    except StepFailed as exc:
        if not run.deployment.plan.trusts_live:
            await run.warn(exc.detail)
            return named
        raise StepFailed(
            f"users on {run.deployment.old} are hurt by the changed schema ({named}): {exc.detail}",
            next=("undo the migration by hand, then: bluegreen retry", f"bluegreen logs {run.deployment.id}"),
        ) from exc
    return f"{named}; {run.deployment.old} passes its checks on it"


async def applied_labels(run: Run) -> tuple[str, ...] | None:
    """Labels of what this deployment left in the schema, half done or whole; None where nobody can tell."""
    try:
        rows = await applied(run)
    except DatabaseUnreachable as exc:
        await run.warn(f"what was applied cannot be told: {exc.detail}")
        return None
    left = [row for row in rows if row.state == "done" or row.statements_done > 0 or row.state == "running"]
    return tuple(row.label if row.state == "done" else f"{row.label} ({row.state})" for row in left)
