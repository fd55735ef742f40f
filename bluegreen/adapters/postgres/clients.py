"""The programs of Postgres that take and read a dump: those of the server's own major version.

An older pg_dump refuses a newer server, and what a newer one writes an older server cannot always read back
(pg_dump(1), NOTES).
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.errors import BackupFailed
from bluegreen.processes import CommandFailed, environment, run_command

PACKAGED = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin")
"""Where Debian and the packages of postgresql.org put each major version."""

VERSION_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Clients:
    """The programs, and what version they say they are; `pg_dumpall` None: it is not beside them."""

    pg_dump: Path
    pg_restore: Path
    version: str
    pg_dumpall: Path | None = None


async def find_clients(major: int, bin_dir: Path | None = None) -> Clients:
    """The programs of that major version: from `bin_dir`, from where packages put them, or from PATH.

    BackupFailed says what was found instead, and what to install.
    """
    found: list[str] = []
    for directory in _directories(major, bin_dir):
        dump, restore = directory / "pg_dump", directory / "pg_restore"
        if not (dump.is_file() and restore.is_file()):
            continue
        versions = [await _version(program) for program in (dump, restore)]
        if all(_major(version) == major for version in versions):
            everything = directory / "pg_dumpall"
            return Clients(dump, restore, versions[0], everything if everything.is_file() else None)
        found.append(f"{directory} has {versions[0]}")
    raise BackupFailed(
        f"the server is Postgres {major}, and a backup needs pg_dump and pg_restore of the same major version:"
        f" {'; '.join(found) or 'there are none on this machine'}",
        next=(f"apt-get install postgresql-client-{major}", "or say where they are: [backup] bin_dir"),
        major=major,
    )


def _directories(major: int, bin_dir: Path | None) -> Iterator[Path]:
    if bin_dir is not None:
        yield bin_dir
    yield from (Path(pattern.format(major=major)) for pattern in PACKAGED)
    on_path = shutil.which("pg_dump", path=os.environ.get("PATH"))
    if on_path is not None:
        yield Path(on_path).parent


async def _version(program: Path) -> str:
    try:
        ran = await run_command([str(program), "--version"], timeout=VERSION_TIMEOUT, env=environment())
    except CommandFailed as exc:
        return f"something that does not run ({exc.detail})"
    return ran.last_line


def _major(version: str) -> int | None:
    match = re.search(r"\(PostgreSQL\) (\d+)", version)
    return int(match[1]) if match else None
