"""Which backups are needed, and why: [backup] keep never removes these."""

from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import OutsideError
from bluegreen.domain.migrations import Backup, MigrationPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.rollback import backup_before
from bluegreen.ports_database import Database

LOOKED_BACK = 50
"""Deployments among which the one that made the live release is looked for."""

RESTORATION = "restoration"
"""The kind of fact by which the journal knows what is being put into service, by database."""


async def needed(world: World, database: Database) -> dict[str, str]:
    """Ids of backups of this database, and what needs them. Raises BackupFailed, JournalFailed."""
    kept = await database.backups()
    why: dict[str, str] = {}
    for deployment, reason in (await _deployments(world)).items():
        why |= {backup.id: reason for backup in kept if backup.deployment == deployment}
    why |= await _way_back(database, kept)
    fact = await world.journal.fact(RESTORATION, database.name)
    return why | ({fact["backup"]: "it is being put into service"} if fact else {})


async def _deployments(world: World) -> dict[str, str]:
    """Those whose backups are needed: what runs or waits for a person, and what made the release that is live."""
    latest = await world.journal.deployments(LOOKED_BACK)
    found = {d.id: f"{d.id} is {d.phase}" for d in latest[:1] if _open(d)}
    live = next((deployment for deployment in latest if deployment.phase is Phase.LIVE), None)
    return found | ({live.id: f"{live.id} made {live.plan.release.version} live"} if live else {})


def _open(deployment: Deployment) -> bool:
    return not deployment.phase.final or deployment.blocks_others


async def _way_back(database: Database, kept: tuple[Backup, ...]) -> dict[str, str]:
    """The backup from before the latest contract: the only way back for a release that needs the old shape."""
    try:
        rows = [row for row in await database.history() if row.phase is MigrationPhase.CONTRACT and row.begun]
    except OutsideError as exc:  # it is away, or a newer program's ledger is in it
        return {backup.id: f"what it is needed for cannot be told: {exc.detail}" for backup in kept}
    backup = backup_before(rows[-1], kept) if rows else None
    return {backup.id: f"the way back to before {rows[-1].label}"} if backup else {}
