"""The whole configuration from before a change, kept aside as a file: it may hold private keys, so it is ours alone."""

import os
from pathlib import Path

from bluegreen.domain.errors import JournalUnwritable

SUFFIX = ".before.json"


class Saved:
    """One file in a directory, while a change is made. Blocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def files(self) -> tuple[Path, ...]:
        """What is kept; more than one only where somebody put it there."""
        return tuple(sorted(self._directory.glob(f"site-*{SUFFIX}")))

    def write(self, name: str, raw: bytes) -> Path:
        """Keep a configuration, durably. Raises JournalUnwritable."""
        path = self._directory / f"site-{name}{SUFFIX}"
        partial = path.with_suffix(".partial")
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(handle)
            partial.replace(path)
            self._sync()
        except OSError as exc:
            partial.unlink(missing_ok=True)
            raise JournalUnwritable(
                f"Caddy's configuration cannot be kept aside as {path}: {exc.strerror}; nothing was changed",
                next=(f"df -h {self._directory}",),
            ) from exc
        return path

    def remove(self, path: Path) -> None:
        """It is not needed any more; nothing where it is gone. Where it cannot be removed it is found again."""
        try:
            path.unlink(missing_ok=True)
            self._sync()
        except OSError:
            return

    def _sync(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
