"""The first bytes of a dump in the custom format: of which database it is. (pg_restore --list prints that too, but
behind a table of contents that may be long.)

Source: ReadHead in src/bin/pg_dump/pg_backup_archiver.c; an integer is a sign byte and `width` bytes, the low first.
"""

from io import BufferedReader
from pathlib import Path

from bluegreen.domain.errors import BackupFailed

MAGIC = b"PGDMP"
COMPRESSION_BY_NAME = (1, 15)
"""The archive's version from which one byte names the compression; before, an integer was its level."""

TIME_FIELDS = 7
LONGEST = 1024
WIDTHS = (4, 8)


def database_in(dump: Path) -> str:
    """The database that the dump was made of. Raises BackupFailed where this is no dump."""
    try:
        with dump.open("rb") as file:
            return _read(file)
    except (OSError, ValueError, IndexError) as exc:
        raise BackupFailed(f"{dump} is not a dump of pg_dump -Fc: {exc}") from exc


def _read(file: BufferedReader) -> str:
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC.decode()}")
    major, minor, _, width, _, _ = file.read(6)
    if width not in WIDTHS:
        raise ValueError("its integers cannot be read")
    if (major, minor) >= COMPRESSION_BY_NAME:
        file.read(1)
    else:
        _integer(file, width)
    for _ in range(TIME_FIELDS):
        _integer(file, width)
    length = _integer(file, width)
    if not 0 < length <= LONGEST:
        raise ValueError("the name of its database cannot be read")
    return file.read(length).decode()


def _integer(file: BufferedReader, width: int) -> int:
    sign, *digits = file.read(1 + width)
    if len(digits) != width:
        raise ValueError("it ends in its first lines")
    value = int.from_bytes(bytes(digits), "little")
    return -value if sign else value
