"""The directory where dumps lie. A name says "verified": until then a dump is called `.partial`.

    PROJECT-DATABASE-20260101T120000Z-DEPLOYMENT.dump          0600, and beside it its manifest, .dump.json, and the
                                                               roles of the server, .dump.globals.sql

fsync before rename, and of the directory after it: else a power cut may keep the name and lose what it names.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bluegreen.domain.errors import BackupFailed

PARTIAL = ".partial"
MANIFEST = ".json"
GLOBALS = ".globals.sql"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the dumps of one project's database lie."""

    directory: Path
    project: str
    database: str

    def open(self) -> None:
        """Make the directory (0700) if there is none. BackupFailed where it cannot be written."""
        with self._translated("used"):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.directory, os.W_OK | os.X_OK):
                raise PermissionError(f"the user with uid {os.geteuid()} may not write there")

    def check_space(self, needed: int) -> None:
        """BackupFailed unless `needed` bytes are free."""
        with self._translated("looked at"):
            free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise BackupFailed(
                f"{self.directory} has {_gib(free)} free, and a backup of {self.database} needs {_gib(needed)}"
                " (room for the database itself, and [backup] min_free)",
                next=(f"make room in {self.directory}", "or say another one: [backup] directory"),
                free=free,
                needed=needed,
            )

    def clear(self) -> None:
        """Remove what attempts that were killed left: partial dumps, and manifests without a dump."""
        with self._translated("cleared"):
            for path in self._ours(PARTIAL):
                path.unlink(missing_ok=True)
            for ending in (MANIFEST, GLOBALS):
                for path in self._ours(f".dump{ending}"):
                    if not Path(str(path).removesuffix(ending)).exists():
                        path.unlink(missing_ok=True)

    def begin(self, deployment: str, at: datetime) -> Path:
        """An empty file (0600) for a dump, which `keep` renames or `discard` removes."""
        name = f"{self._prefix}{at:%Y%m%dT%H%M%SZ}-{_safe(deployment)}.dump"
        return self._begun(self.directory / (name + PARTIAL))

    def begin_globals(self, partial: Path) -> Path:
        """An empty file (0600) for the roles that belong to a dump."""
        return self._begun(Path(f"{partial.with_suffix('')}{GLOBALS}{PARTIAL}"))

    def _begun(self, path: Path) -> Path:
        with self._translated("written"):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return path

    def discard(self, partial: Path) -> None:
        """Remove a dump that was not kept, and what belongs to it."""
        final = partial.with_suffix("")
        with self._translated("cleared"):
            partial.unlink(missing_ok=True)
            Path(f"{final}{GLOBALS}{PARTIAL}").unlink(missing_ok=True)
            if not final.exists():
                Path(f"{final}{GLOBALS}").unlink(missing_ok=True)

    def seal(self, partial: Path) -> tuple[str, int]:
        """Bring the dump to the disk; its sha256 and size."""
        with self._translated("written"), partial.open("rb") as file:
            os.fsync(file.fileno())
            return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size

    def keep(self, partial: Path, manifest: Mapping[str, Any]) -> Path:
        """Give a verified dump its name, and its manifest first: what has the name is complete."""
        final = partial.with_suffix("")
        draft = Path(f"{final}{MANIFEST}{PARTIAL}")
        with self._translated("written"):
            if "file" in manifest["globals"]:
                Path(f"{final}{GLOBALS}{PARTIAL}").rename(f"{final}{GLOBALS}")
            with open(draft, "w", opener=_private) as file:
                json.dump(manifest, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(f"{final}{MANIFEST}")
            partial.rename(final)
            self._sync_directory()
        return final

    def prune(self, keep: int, needed: Container[str]) -> None:
        """Remove all but the newest `keep`; never those whose ids are needed, nor the newest that was verified by being
        restored, nor what another database's manifest claims."""
        with self._translated("pruned"):
            dumps = sorted(
                ((path, said) for path in self._ours(".dump") if (said := self._manifest(path))), reverse=True
            )
            restored = next((path for path, said in dumps if said.get("verified") == "restore"), None)
            for path, _ in dumps[keep:]:
                if path != restored and path.stem not in needed:
                    for ending in ("", MANIFEST, GLOBALS):
                        Path(f"{path}{ending}").unlink(missing_ok=True)

    @property
    def _prefix(self) -> str:
        return f"{_safe(self.project)}-{_safe(self.database)}-"

    def _ours(self, ending: str) -> list[Path]:
        pattern = re.compile(re.escape(self._prefix) + r"\d{8}T\d{6}Z-[^/]*" + re.escape(ending))
        return [path for path in self.directory.iterdir() if pattern.fullmatch(path.name)]

    def kept(self) -> list[tuple[Path, dict[str, Any]]]:
        """The dumps that are ours with what their manifests say, the latest first; none without a directory."""
        if not self.directory.exists():
            return []
        with self._translated("looked at"):
            found = [(path, manifest) for path in self._ours(".dump") if (manifest := self._manifest(path))]
        return sorted(found, key=lambda each: each[0].name, reverse=True)

    def digest(self, dump: Path) -> str:
        """The sha256 of a dump as it is now."""
        with self._translated("read"), dump.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _manifest(self, dump: Path) -> dict[str, Any]:
        """What its manifest says where that is ours, else nothing: names alone could be another project's (a-b + c,
        a + b-c)."""
        with suppress(FileNotFoundError, ValueError):
            said = json.loads(Path(f"{dump}{MANIFEST}").read_text())
            ours = (self.project, self.database)
            if isinstance(said, dict) and (said.get("project"), said.get("database")) == ours:
                return said
        return {}

    def _sync_directory(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise BackupFailed(f"{self.directory} cannot be {what}: {exc.strerror or exc}") from exc


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
