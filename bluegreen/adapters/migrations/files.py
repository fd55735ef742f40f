"""A directory of migrations: `NNNN_name.expand.sql` and `NNNN_name.contract.sql`, in the order of their numbers.

All of it is read before anything runs, so that a mistake in the last file is found before the first is applied.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.postgres.scripts import Script, SqlRefused
from bluegreen.adapters.postgres.sql_text import read
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationPhase

NAME = re.compile(
    r"(?P<version>(?P<number>\d{4,})_[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<phase>expand|backfill|contract)\.sql"
)
BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file, read and understood."""

    path: Path
    version: str
    phase: MigrationPhase
    checksum: str
    script: Script


def read_directory(directory: Path) -> tuple[SqlFile, ...]:
    """Every migration of a directory, in order. MigrationFailed names the file, and the line, that cannot be used.

    A new file with a number below an applied one is allowed: it is applied where it stands among what is pending.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".sql" and path.name[0] != ".")
    except OSError as exc:
        raise MigrationFailed(f"the migrations in {directory} cannot be listed: {exc.strerror}") from exc
    files = sorted((read_file(path) for path in paths), key=_order)
    _refuse_twins(files)
    return tuple(files)


def read_file(path: Path) -> SqlFile:
    """One migration. MigrationFailed where it cannot be read or used."""
    match = NAME.fullmatch(path.name)
    if match is None:
        raise MigrationFailed(
            f"{path}: the name says neither order nor phase: it must be NNNN_name.expand.sql or"
            " NNNN_name.contract.sql, with letters, digits, _ and - in name",
            file=str(path),
        )
    if match["phase"] == BACKFILL:
        raise MigrationFailed(
            f"{path}: backfill files are not run by this version of bluegreen, and leaving one out would let"
            " contract run too early: do the backfill with a tool of your own (in small batches), then remove the file",
            file=str(path),
        )
    raw, text = _content(path)
    try:
        script = read(text)
    except SqlRefused as exc:
        raise MigrationFailed(f"{path}:{exc.line}: {exc.why}", file=str(path), line=exc.line) from exc
    return SqlFile(path, match["version"], MigrationPhase(match["phase"]), hashlib.sha256(raw).hexdigest(), script)


def _content(path: Path) -> tuple[bytes, str]:
    try:
        raw = path.read_bytes()
        return raw, raw.decode("utf-8-sig")  # some editors write a byte order mark
    except OSError as exc:
        raise MigrationFailed(f"{path} cannot be read: {exc.strerror}", file=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise MigrationFailed(f"{path} is not UTF-8 (byte {exc.start})", file=str(path)) from exc


def _order(file: SqlFile) -> tuple[int, str, bool]:
    return _number(file), file.version, file.phase is MigrationPhase.CONTRACT


def _number(file: SqlFile) -> int:
    return int(file.version.partition("_")[0])


def _refuse_twins(files: list[SqlFile]) -> None:
    seen: dict[int, SqlFile] = {}
    for file in files:
        twin = seen.setdefault(_number(file), file)
        if twin.version != file.version:
            raise MigrationFailed(
                f"{twin.path.name} and {file.path.name} have the same number, so their order is not said:"
                " give one of them another number",
                file=str(file.path),
            )
