"""Whether a release may serve on the schemas as they are now: from the ledgers, and from when each release served."""

from collections.abc import Mapping

from bluegreen.app.requests import SchemaFit
from bluegreen.app.world import World
from bluegreen.domain.errors import BackupFailed, GateRefused, OutsideError
from bluegreen.domain.migrations import Applied, Backup
from bluegreen.domain.rollback import Fit, Life, backup_before, fit, lives

LOOKED_BACK = 500
"""Deployments from which it is known when a release served."""


async def known(world: World, serving: str) -> Mapping[str, Life]:
    """When each release served; `serving` serves now. Raises JournalFailed."""
    return lives(await world.journal.deployments(LOOKED_BACK), serving, world.clock.now())


async def look(world: World, release: str, serving: str) -> SchemaFit:
    """Whether a release fits every schema. Raises DatabaseUnreachable, JournalFailed."""
    since = await known(world, serving)
    barriers: list[Applied] = []
    doubts: list[Applied] = []
    for database in world.databases.values():
        found: Fit = fit(release, await database.history(), since)
        barriers += found.barriers
        doubts += found.doubts
    first = min(barriers, key=_applied_at, default=None)
    return SchemaFit(
        release=release,
        may_serve=not barriers,
        migration=first.label if first else "",
        applied_for=first.release if first else "",
        backup=await _backup_before(world, first) if first else "",
        doubts=tuple(row.label for row in doubts),
    )


async def require(world: World, release: str, serving: str) -> tuple[str, ...]:
    """Warnings where nobody can tell; raises GateRefused where the release needs a shape that is gone."""
    try:
        found = await look(world, release, serving)
    except OutsideError as exc:
        return (f"whether {release} may serve on this schema cannot be told: {exc.detail}",)
    if not found.may_serve:
        raise GateRefused(refusal(found), next=way_out(found), migration=found.migration, backup=found.backup)
    if not found.doubts:
        return ()
    return (f"nobody can tell whether {release} works on what was applied after it: {', '.join(found.doubts)}",)


def refusal(found: SchemaFit) -> str:
    """Why a release may not serve, for people."""
    kept = f"the backup from before it is {found.backup}" if found.backup else "no backup from before it is kept"
    kept += "; restoring it loses what was written since" if found.backup else ""
    return (
        f"{found.release} cannot serve on this schema any more: {found.migration}, applied for {found.applied_for},"
        f" took away what it needs; {kept}"
    )


def way_out(found: SchemaFit) -> tuple[str, ...]:
    """What to type where a release may not serve."""
    if not found.backup:
        return ("bluegreen backup list", "bluegreen history")
    verbs = ("restore-command", "restore")
    return (*(f"bluegreen backup {verb} {found.backup}" for verb in verbs), "bluegreen history")


async def _backup_before(world: World, row: Applied) -> str:
    try:
        kept: tuple[Backup, ...] = await world.databases[row.database].backups()
    except BackupFailed:
        return ""
    found = backup_before(row, kept)
    return found.id if found else ""


def _applied_at(row: Applied) -> float:
    return row.finished_at.timestamp() if row.finished_at else float("inf")
