"""A directory of migrations, `NNNN_name.PHASE.sql`, in the order of their numbers: expand, backfill, contract.

All of it is read before anything runs, so that a mistake in the last file is found before the first is applied.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.postgres.scripts import Script, SqlRefused
from bluegreen.adapters.postgres.sql_backfill import Backfill, backfill_of, refuse_directives
from bluegreen.adapters.postgres.sql_text import read
from bluegreen.domain.errors import MigrationFailed, ReleaseInvalid
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.plans import Release

NAME = re.compile(
    r"(?P<version>(?P<number>\d{4,})_[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<phase>expand|backfill|contract)\.sql"
)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file, read and understood; `backfill` is what one of that phase holds."""

    path: Path
    version: str
    phase: MigrationPhase
    checksum: str
    script: Script
    backfill: Backfill | None = None

    @property
    def before_switch(self) -> bool:
        """Whether a backfill says that it runs before the switch."""
        return self.backfill is not None and self.backfill.before_switch


@dataclass(frozen=True, slots=True)
class Listed:
    """One file by its name and what it holds, not understood yet."""

    path: Path
    version: str
    phase: MigrationPhase
    raw: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.raw).hexdigest()

    def read(self) -> SqlFile:
        """Understand it. MigrationFailed names the file, and the line, that cannot be used."""
        try:
            script = read(_text(self.path, self.raw))
            backfill = understand(script, self.phase)
        except SqlRefused as exc:
            where = f"{self.path}:{exc.line}"
            raise MigrationFailed(f"{where}: {exc.why}", file=str(self.path), line=exc.line) from exc
        return SqlFile(self.path, self.version, self.phase, self.checksum, script, backfill)


def read_directory(directory: Path) -> tuple[SqlFile, ...]:
    """Every migration of a directory, in order. MigrationFailed names the file, and the line, that cannot be used."""
    return tuple(listed.read() for listed in list_directory(directory))


def list_directory(directory: Path) -> tuple[Listed, ...]:
    """Every migration of a directory, in order, by its name. MigrationFailed names the file that cannot be used.

    A new file with a number below an applied one is allowed: it is applied where it stands among what is pending.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".sql" and path.name[0] != ".")
    except OSError as exc:
        raise MigrationFailed(f"the migrations in {directory} cannot be listed: {exc.strerror}") from exc
    files = sorted((_listed(path) for path in paths), key=_order)
    _refuse_twins(files)
    return tuple(files)


def up_to(files: Sequence[Listed], release: Release, source: str) -> tuple[Listed, ...]:
    """Those that belong to a release: all, or those up to the last one that it names for their source. ReleaseInvalid
    where that one does not exist."""
    last = release.migrations.get(source)
    if last is None:
        return tuple(files)
    if last not in {file.version for file in files}:
        where = files[0].path.parent if files else "its directory"
        raise ReleaseInvalid(
            f"{release.file or release.version}: [migrations] {source} ends with {last}, and there is no such file in"
            f" {where}; the last one is {files[-1].version if files else 'not there either: it is empty'}",
            next=(f"$EDITOR {release.file}", "bluegreen migrate status"),
            release=release.version,
        )
    return tuple(file for file in files if _number(file) <= number_of(last))


def read_file(path: Path) -> SqlFile:
    """One migration. MigrationFailed where it cannot be read or used."""
    return _listed(path).read()


def _listed(path: Path) -> Listed:
    match = NAME.fullmatch(path.name)
    if match is None:
        raise MigrationFailed(
            f"{path}: the name says neither order nor phase: it must be NNNN_name.expand.sql, NNNN_name.backfill.sql or"
            " NNNN_name.contract.sql, with letters, digits, _ and - in name",
            file=str(path),
        )
    try:
        return Listed(path, match["version"], MigrationPhase(match["phase"]), path.read_bytes())
    except OSError as exc:
        raise MigrationFailed(f"{path} cannot be read: {exc.strerror}", file=str(path)) from exc


def understand(script: Script, phase: MigrationPhase) -> Backfill | None:
    """The backfill that a file of that phase holds; None in another. SqlRefused for what it may not hold."""
    if phase is MigrationPhase.BACKFILL:
        return backfill_of(script)
    refuse_directives(script)
    return None


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as exc:
        raise MigrationFailed(f"{path} is not UTF-8 (byte {exc.start})", file=str(path)) from exc


def _order(file: Listed) -> tuple[int, str, int]:
    return _number(file), file.version, tuple(MigrationPhase).index(file.phase)


def number_of(version: str) -> int:
    """What the order is by: 7 of 0007_email."""
    return int(version.partition("_")[0])


def _number(file: Listed) -> int:
    return number_of(file.version)


def _refuse_twins(files: list[Listed]) -> None:
    seen: dict[int, Listed] = {}
    for file in files:
        twin = seen.setdefault(_number(file), file)
        if twin.version != file.version:
            raise MigrationFailed(
                f"{twin.path.name} and {file.path.name} have the same number, so their order is not said:"
                " give one of them another number",
                file=str(file.path),
            )
