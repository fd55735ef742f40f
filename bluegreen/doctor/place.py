"""This machine: the state directory, the disk for backups, the clock, the commands that are to be run."""

import asyncio
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bluegreen.doctor import kernel
from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.interfaces.peers import account
from bluegreen.settings import Settings
from bluegreen.wiring import STATE_FILE, STATE_VERSION

ROOM_FAILS, ROOM_WARNS = 16 * 2**20, 256 * 2**20
"""Bytes free for the journal: below the first no deployment should start; the second is some years of history."""

LARGEST_COPY = 256 * 2**20
"""Bytes of a state file that is copied to be looked at."""

MAGIC, USER_VERSION = b"SQLite format 3\0", slice(60, 64)
"""Where a SQLite file says what it is, and which version of ours (sqlite.org/fileformat.html, 1.3)."""

SIDES = ("-wal", "-shm")
"""What SQLite lays beside a database."""

ELSEWHERE = ("nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "glusterfs")


async def state(settings: Settings, report: Report) -> Findings:
    """The state directory: whose it is, what others may, its room, and the journal in it."""
    return await asyncio.to_thread(lambda: list(_state(settings.daemon.state_dir, report)))


def _state(directory: Path, report: Report) -> Iterator[Finding]:
    if not directory.is_dir():
        user = account(os.geteuid())
        yield report.fail(f"there is no directory {directory}", f"install -d -m 0700 -o {user} {directory}")
        return
    facts = directory.stat()
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        others = "change" if mode & 0o022 else "read"
        yield report.fail(f"{directory} has mode {mode:04o}: others may {others} it", f"chmod 0700 {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        user = account(os.geteuid())
        detail = f"{directory} belongs to {account(facts.st_uid)}; {user} cannot write there"
        yield report.fail(detail, f"ls -ld {directory}")
    if _filesystem(directory) in ELSEWHERE:
        yield report.fail(f"{directory} lies on {_filesystem(directory)}: it must be a local disk", "findmnt")
    free = shutil.disk_usage(directory).free
    if free < ROOM_WARNS:
        level = report.fail if free < ROOM_FAILS else report.warn
        yield level(f"{directory} has {free // 2**20} MiB free", f"df -h {directory}", f"du -sh {directory}")
    yield from _journal(directory, report)
    alone = "" if mode & 0o077 else " alone"
    yield report.ok(f"{directory} belongs to {account(facts.st_uid)}{alone}, {_gib(free)} free")


def _journal(directory: Path, report: Report) -> Iterator[Finding]:
    """The state file, without opening it: SQLite would leave files beside it."""
    file = directory / STATE_FILE
    copies = [path for path in directory.glob(f"{STATE_FILE}.damaged-*") if not path.name.endswith(SIDES)]
    for copy in sorted(copies):
        yield report.warn(f"{copy} is a damaged journal that was put aside", f"ls -l {directory}")
    if not file.exists():
        return
    with file.open("rb") as stream:
        head = stream.read(100)
    if head and head[:16] != MAGIC:
        yield report.fail(f"{file} is no journal of ours: it is damaged", "systemctl restart bluegreen")
        return
    version = int.from_bytes(head[USER_VERSION], "big")
    if version > STATE_VERSION:
        yield report.fail(
            f"{file} has version {version}, this program knows {STATE_VERSION}: a newer bluegreen wrote it",
            "bluegreen --version",
        )
    elif kernel.lock_holder(directory / "lock") is None and (wrong := _damage(file)):
        yield report.fail(f"{file} is damaged: {wrong}", "systemctl start bluegreen")


def _damage(file: Path) -> str:
    """What SQLite says of a copy; a file that a daemon writes to is not copied."""
    if file.stat().st_size > LARGEST_COPY:
        return ""
    with tempfile.TemporaryDirectory(prefix="bluegreen-doctor-") as directory:
        copy = Path(directory, file.name)
        for suffix in ("", "-wal"):
            if Path(f"{file}{suffix}").exists():
                shutil.copyfile(f"{file}{suffix}", f"{copy}{suffix}")
        try:
            with closing(sqlite3.connect(copy)) as db:
                said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as exc:
            return str(exc)
    return "" if said == "ok" else said


async def backups(settings: Settings, report: Report) -> Findings:
    """The directory of the backups, as it is; it is made by the first backup."""
    backup = settings.backup
    if not settings.databases:
        return [report.ok("no database is configured: nothing to back up")]
    return await asyncio.to_thread(lambda: [_backups(backup.directory, backup.min_free, report)])


def _backups(directory: Path, min_free: int, report: Report) -> Finding:
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        user = account(os.geteuid())
        return report.fail(f"{user} cannot write in {there}", f"install -d -m 0700 -o {user} {directory}")
    free = shutil.disk_usage(there).free
    if free < min_free:
        return report.fail(
            f"{there} has {_gib(free)} free, [backup] min_free asks for {_gib(min_free)} beyond the databases' size",
            f"df -h {there}",
        )
    if there == directory and (mode := stat.S_IMODE(directory.stat().st_mode)) & 0o077:
        return report.warn(f"{directory} has mode {mode:04o}: others may look into dumps", f"chmod 0700 {directory}")
    return report.ok(f"{directory}, {_gib(free)} free")


async def clock(report: Report) -> Findings:
    """Whether the clock is kept right; durations do not depend on it, alerts and the audit do."""
    right = kernel.clock_synchronised()
    if right is None:
        return [report.warn("whether the clock is synchronised cannot be told here", "timedatectl")]
    if not right:
        detail = "the clock is not synchronised: alerts are compared with it, and people read it in the audit"
        return [report.warn(detail, "timedatectl", "timedatectl set-ntp true")]
    return [report.ok("synchronised")]


async def commands(settings: Settings, report: Report) -> Findings:
    """Whether the programs that are configured are there."""
    wanted: list[tuple[str, tuple[str, ...] | None]] = []
    for colour in ("blue", "green"):
        environment = getattr(settings.environments, colour)
        wanted += [
            (f"[environments.{colour}] {key}", getattr(environment, key)) for key in ("up", "down", "logs", "follow")
        ]
    wanted += [(f"smoke {check.name}", check.command) for check in settings.smoke]
    wanted += [(f"migrations {each.name}", each.up) for each in settings.migrations]
    wanted += [(f"notify {each.name}", each.command) for each in settings.notify]
    wanted.append(("[backup] after", settings.backup.after))
    missing = [(key, argv[0]) for key, argv in wanted if argv and shutil.which(argv[0]) is None]
    absent = [report.fail(f"{key}: there is no program {name}", f"command -v {name}") for key, name in missing]
    return absent or [report.ok("every configured program is there")]


def _filesystem(path: Path) -> str:
    """The type of the filesystem that a path lies on (proc_pid_mountinfo(5))."""
    where = path.resolve()
    best, found = -1, ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        mount = Path(fields.split()[4].replace("\\040", " "))
        if where.is_relative_to(mount) and len(mount.parts) >= best:
            best, found = len(mount.parts), rest.split()[0]
    return found


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
