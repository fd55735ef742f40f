"""What is written down of a backup beside it, and read again: a restore is compared with it, also years later."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bluegreen.adapters.backups.comparison import Compare, Contents, Table
from bluegreen.domain.migrations import Backup

Manifest = Mapping[str, Any]


def of_contents(contents: Contents) -> dict[str, Any]:
    """What a backup holds, as the manifest has it."""
    objects = contents.large_objects
    return {
        "rows": {name: table.rows for name, table in contents.tables.items()},
        "checksums": {name: table.checksum for name, table in contents.tables.items() if table.checksum},
        "sequences": {name: list(bounds) for name, bounds in contents.sequences.items()},
        "large_objects": {"count": objects.rows, "checksum": objects.checksum} if objects else None,
    }


def compared_in(manifest: Manifest) -> Compare:
    """What a restore can be compared by; an older one wrote down how many rows there are."""
    return "checksum" if manifest.get("compare") == "checksum" else "count"


def contents_in(manifest: Manifest) -> Contents:
    """What a manifest says the backup holds; an older one knows the rows and no more."""
    checksums = manifest.get("checksums", {})
    tables = {name: Table(int(rows), checksums.get(name, "")) for name, rows in manifest["rows"].items()}
    sequences = {name: (int(low), int(high)) for name, (low, high) in manifest.get("sequences", {}).items()}
    objects = manifest.get("large_objects")
    return Contents(tables, sequences, Table(int(objects["count"]), objects["checksum"]) if objects else None)


def backup_in(file: Path, manifest: Manifest) -> Backup | None:
    """A backup as its manifest has it; None where that was written by nobody of ours."""
    try:
        contents = contents_in(manifest)
        return Backup(
            id=file.stem,
            database=manifest["database"],
            file=str(file),
            size=int(manifest["size"]),
            sha256=str(manifest["sha256"]),
            verified=str(manifest["verified"]),
            tables=len(contents.tables),
            rows=contents.rows,
            taken_at=datetime.fromisoformat(manifest["taken_at"]),
            seconds=float(manifest.get("seconds", 0.0)),
            deployment=str(manifest["deployment"]),
            release=str(manifest["release"]),
            compared=compared_in(manifest) if manifest["verified"] == "restore" else "",
            notes=_notes(manifest),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _notes(manifest: Manifest) -> tuple[str, ...]:
    roles = manifest.get("globals") or {}
    return (f"without the roles of the server: {roles['problem']}",) if "problem" in roles else ()
