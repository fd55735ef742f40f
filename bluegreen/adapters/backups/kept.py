"""The backups that are kept: listed by their manifests, and verified once more without being touched."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bluegreen.adapters.backups.backup import Backups, application_of
from bluegreen.adapters.backups.snapshot import differences
from bluegreen.adapters.postgres import facts
from bluegreen.adapters.postgres.clients import find_clients
from bluegreen.adapters.postgres.connections import application_name
from bluegreen.adapters.postgres.dump import Dumper
from bluegreen.adapters.postgres.scratch import drop_leftovers
from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup


async def listed(backups: Backups) -> tuple[Backup, ...]:
    """What lies on the shelf, the latest first; a dump whose manifest says too little is left out. BackupFailed."""
    found = await asyncio.to_thread(backups.shelf.kept)
    read = [_read(path, manifest) for path, manifest in found]
    return tuple(backup for backup in read if backup is not None)


async def verified(backups: Backups, backup: Backup) -> Backup:
    """Verify one as [backup] verify says, against its manifest. Raises BackupFailed with what is wrong with it."""
    budget = backups.rules.timeout
    try:
        async with asyncio.timeout(budget):
            return await _verified(backups, backup)
    except TimeoutError as exc:
        raise BackupFailed(f"verifying {backup.id} took longer than {budget:g} s ([backup] timeout)") from exc


async def tidied(backups: Backups, purpose: str) -> None:
    """Remove what is left of a backup that was cut off. Raises BackupFailed."""
    await backups.clear_former(application_of(purpose))
    admin = backups.access.to(backups.admin_database)
    async with admin.session(failure=BackupFailed) as connection:
        await drop_leftovers(connection, backups.project, backups.name)


async def _verified(backups: Backups, backup: Backup) -> Backup:
    began, rules = monotonic(), backups.rules
    path, manifest = await _found(backups, backup)
    digest = await asyncio.to_thread(backups.shelf.digest, path)
    if digest != manifest["sha256"]:
        raise BackupFailed(
            f"{path} is not what was taken: its sha256 is {digest}, and {manifest['sha256']} was written down",
            next=("bluegreen backup list",),
        )
    now = await facts.ask(backups.access, BackupFailed)
    clients = await find_clients(now.major, rules.bin_dir)
    dumper = Dumper(clients, application_name(f"bluegreen verify {backup.id}"), rules.timeout)
    if rules.verify == "decode":
        await dumper.decode(path, backups.access.dsn)
    else:
        purpose = f"verify-{hashlib.sha256(backup.id.encode()).hexdigest()[:12]}"
        restored = await backups.restored(dumper, purpose, path)
        if wrong := differences(manifest["rows"], restored):
            raise BackupFailed(f"{path} does not hold the rows that were counted when it was taken: {wrong}")
    return replace(backup, verified=rules.verify, seconds=monotonic() - began)


async def _found(backups: Backups, backup: Backup) -> tuple[Path, dict[str, Any]]:
    for path, manifest in await asyncio.to_thread(backups.shelf.kept):
        if path.stem == backup.id and _read(path, manifest) is not None:
            return path, manifest
    raise BackupFailed(f"there is no backup {backup.id} any more", next=("bluegreen backup list",))


def _read(path: Path, manifest: dict[str, Any]) -> Backup | None:
    """A backup as its manifest has it; None where that was written by nobody of ours."""
    try:
        return Backup(
            id=path.stem,
            database=manifest["database"],
            file=str(path),
            size=int(manifest["size"]),
            sha256=str(manifest["sha256"]),
            verified=str(manifest["verified"]),
            tables=len(manifest["rows"]),
            rows=sum(manifest["rows"].values()),
            taken_at=datetime.fromisoformat(manifest["taken_at"]),
            seconds=float(manifest.get("seconds", 0.0)),
            deployment=str(manifest["deployment"]),
            release=str(manifest["release"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
