"""A log followed over its files, oldest first: across rotation, truncation and a restart of ours.

A rotating writer closes and renames the file and opens a new one (Caddy: `access-<time>.log`, then compressed
and removed). One writer writes to one file at a time: once a new file holds anything the old one is finished,
so it is read to its end then, and never given up earlier. Open descriptors keep what was renamed or removed
readable.
"""

import os
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.adapters.signals.log_file import Losses, OpenLog
from bluegreen.domain.records import Json


@dataclass(slots=True)
class Tail:
    """The lines of the log at `path`, one file after the other, oldest first."""

    path: Path
    losses: Losses = field(default_factory=Losses)
    _files: deque[OpenLog] = field(default_factory=deque)
    _started: bool = False

    def read(self) -> tuple[list[bytes], bool]:
        """The next complete lines, and whether there may be more to read at once. Raises OSError."""
        self._look()
        if not self._files:
            return [], False
        finished = any(file.size for file in list(self._files)[1:])
        lines, more = self._files[0].read()
        if finished and not more:
            self._finish()
            return lines, True
        return lines, more

    @property
    def descriptors(self) -> list[int]:
        """The files that are open."""
        return [file.fd for file in self._files]

    def position(self) -> Json:
        """The first byte not yet given out; None while there is no file."""
        if not self._files:
            return None
        file = self._files[0]
        return {"inode": file.inode, "offset": file.offset, "mark": file.digest}

    def resume(self, position: Json) -> bool:
        """Stand where `position` says, also in a file that was rotated once since; False where data is missing."""
        match position:
            case {"inode": int(inode), "offset": int(offset), "mark": str(mark)} if offset >= 0:
                return self._resume(inode, offset, mark)
        return False

    def close(self) -> None:
        """Close every file; what is read then begins at the end again."""
        self._started = False
        while self._files:
            os.close(self._files.popleft().fd)

    def _look(self) -> None:
        """Open what is at the path now, if it is not what was there before."""
        try:
            inode = self.path.stat().st_ino
            if self._files and self._files[-1].inode == inode:
                return
            file = OpenLog.at(self.path, self.losses)
        except FileNotFoundError:
            self._started = True  # what appears from now on is new from its first byte
            return
        if not self._started:
            self._started = True
            file.to_end()
        self._files.append(file)

    def _finish(self) -> None:
        file = self._files.popleft()
        self.losses.dropped += file.size > file.offset and not file.dropping
        os.close(file.fd)

    def _resume(self, inode: int, offset: int, mark: str) -> bool:
        self.close()
        try:
            path = self._holding(inode)
            file = OpenLog.at(path, self.losses) if path is not None else None
        except OSError:
            return False
        if file is None:
            return False
        if file.inode != inode or not file.to(offset, mark):
            os.close(file.fd)
            return False
        self._started = True
        self._files.append(file)
        return True

    def _holding(self, inode: int) -> Path | None:
        """The path of a file: the log's own, or the name it was rotated to last."""
        if self.path.exists() and self.path.stat().st_ino == inode:
            return self.path
        names = re.compile(rf"{re.escape(self.path.stem)}({re.escape(self.path.suffix)})?[-.]\d.*")
        rotated = [entry for entry in os.scandir(self.path.parent) if names.fullmatch(entry.name)]
        latest = max(rotated, key=lambda entry: entry.stat().st_mtime_ns, default=None)
        return Path(latest.path) if latest is not None and latest.inode() == inode else None
