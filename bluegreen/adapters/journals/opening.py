"""Opening the journal's file: made, brought up to date, refused, set aside where it is damaged, or only read.

Facts: a database in WAL mode cannot be opened on a full or read-only disk, since its index must be written [measured];
the version stands in the file's header at byte 60 (https://sqlite.org/fileformat2.html).
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import msgspec

from bluegreen.domain.errors import JournalUnreadable

SCHEMA_VERSION = 3
SIDES = ("-wal", "-shm")
"""What SQLite lays beside a database."""

ASIDE = ".damaged-"
HEADER = slice(60, 64)
MAGIC = b"SQLite format 3\0"

Check = Callable[[sqlite3.Connection], None]
"""Reads what must be legible. Raises sqlite3.DatabaseError or JournalUnreadable where it is not."""


def refuse_newer(path: Path) -> None:
    """Raise JournalUnreadable for a file of a newer program, having touched nothing."""
    header = _header(path)
    if header.startswith(MAGIC) and len(header) == HEADER.stop:
        _refuse_newer(path, int.from_bytes(header[HEADER], "big"))


def is_no_database(path: Path) -> bool:
    """True for a file that is something else: SQLite would throw its log away when it finds out."""
    header = _header(path)
    return header != b"" and not header.startswith(MAGIC)


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEADER.stop)
    except OSError:
        return b""  # there is none, or opening it will say why


def connect(path: Path, busy: float, check: Check) -> sqlite3.Connection:
    """The file, made where there is none and brought up to date. `busy` in seconds for another's lock.

    Raises sqlite3.OperationalError and OSError where it cannot be written, other sqlite3.DatabaseError and
    JournalUnreadable where it is damaged or too new.
    """
    _set_stray_sides_aside(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        _set_up(db, path)
        _require_whole(db)
        check(db)
    except BaseException:  # whatever it was, the connection is ours to close
        db.close()
        raise
    return db


def set_aside(path: Path) -> Path:
    """Move a damaged file away with all that belongs to it, and return where it is now."""
    copy = _free_name(path)
    for side in ("", *SIDES):
        found = path.with_name(path.name + side)
        if found.exists():
            found.rename(copy.with_name(copy.name + side))
    return copy


def read_copy(path: Path) -> sqlite3.Connection:
    """What the file holds, in memory: for a disk that takes no writes. Raises sqlite3.Error or OSError."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-journal-") as directory:
        copy = Path(directory) / path.name
        for side in ("", "-wal"):
            found = path.with_name(path.name + side)
            if not side or found.exists():
                shutil.copyfile(found, copy.with_name(copy.name + side))
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with closing(sqlite3.connect(copy)) as db:
            db.backup(memory)
    memory.execute("PRAGMA query_only = ON")
    return memory


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    _refuse_newer(path, version)  # its header may have been in the WAL
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    for number in range(version + 1, SCHEMA_VERSION + 1):
        script = files(__package__).joinpath(f"version_{number}.sql").read_text()
        db.executescript(f"BEGIN IMMEDIATE;\n{script}")
        if number == 1:
            _tell_of_damage(db, path)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def _tell_of_damage(db: sqlite3.Connection, path: Path) -> None:
    """A new file beside a damaged one knows that something is missing: written with its very first transaction, so that
    a crash between setting aside and beginning anew loses nothing of it."""
    copies = sorted(found for found in path.parent.glob(f"{path.name}{ASIDE}*") if not found.name.endswith(SIDES))
    if copies:
        value = msgspec.json.encode({"copy": str(copies[-1]), "at": datetime.now(UTC).isoformat()})
        db.execute("INSERT INTO fact (kind, key, value) VALUES ('journal', 'damaged', ?)", (value,))


def _require_whole(db: sqlite3.Connection) -> None:
    (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(said)


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise JournalUnreadable(
            f"{path} was written by a newer bluegreen (state version {version}, this program knows {SCHEMA_VERSION})",
            next=("install the newer bluegreen again",),
        )


def _set_stray_sides_aside(path: Path) -> None:
    """A WAL without its database would be taken for a part of the new one: we died while setting aside."""
    if not path.exists():
        for side in SIDES:
            stray = path.with_name(path.name + side)
            if stray.exists():
                stray.rename(_free_name(path).with_name(_free_name(path).name + side))


def _free_name(path: Path) -> Path:
    base = f"{path.name}{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = [base, *(f"{base}.{number}" for number in range(1, 100))]
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())
