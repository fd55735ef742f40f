"""The backups that are kept: listed by their manifests, and verified once more without being touched."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from bluegreen.adapters.backups.attempt import application_of
from bluegreen.adapters.backups.backup import Backups
from bluegreen.adapters.backups.comparison import differences
from bluegreen.adapters.backups.manifest import backup_in, compared_in, contents_in
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
    read = [backup_in(path, manifest) for path, manifest in found]
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


async def found(backups: Backups, backup: Backup) -> tuple[Path, dict[str, Any]]:
    """The dump as it was taken, and its manifest. Raises BackupFailed where it is gone or another one by now."""
    path, manifest = await lying(backups, backup)
    await _check(backups, path, manifest["sha256"])
    roles = manifest.get("globals") or {}
    if "sha256" in roles:
        await _check(backups, path.parent / roles["file"], roles["sha256"])
    return path, manifest


async def _verified(backups: Backups, backup: Backup) -> Backup:
    began, rules = monotonic(), backups.rules
    path, manifest = await found(backups, backup)
    now = await facts.ask(backups.access, BackupFailed)
    clients = await find_clients(now.major, rules.bin_dir)
    dumper = Dumper(clients, application_name(f"bluegreen verify {backup.id}"), rules.timeout)
    if rules.verify == "decode":
        await backups.decoded(dumper, path)
        return replace(backup, verified="decode", compared="", seconds=monotonic() - began)
    expected = contents_in(manifest)
    compare = compared_in(manifest)
    purpose = f"verify-{hashlib.sha256(backup.id.encode()).hexdigest()[:12]}"
    restored = await backups.restored(dumper, purpose, path, compare)
    if wrong := differences(expected, restored):
        raise BackupFailed(f"{path} does not hold what was measured when it was taken: {wrong}")
    return replace(backup, verified="restore", compared=compare, seconds=monotonic() - began)


async def lying(backups: Backups, backup: Backup) -> tuple[Path, dict[str, Any]]:
    """Where the dump lies, and its manifest; what it holds is not looked at. Raises BackupFailed."""
    for path, manifest in await asyncio.to_thread(backups.shelf.kept):
        if path.stem == backup.id and backup_in(path, manifest) is not None:
            return path, manifest
    raise BackupFailed(f"there is no backup {backup.id} any more", next=("bluegreen backup list",))


async def _check(backups: Backups, file: Path, written: str) -> None:
    digest = await asyncio.to_thread(backups.shelf.digest, file)
    if digest != written:
        raise BackupFailed(
            f"{file} is not what was taken: its sha256 is {digest}, and {written} was written down",
            next=("bluegreen backup list",),
        )
