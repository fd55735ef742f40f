"""One opened log file and our place in it: complete lines only, bounded reads, never a wrong byte.

A file's number is soon given to another file (Caddy compresses and removes a rotated log within milliseconds;
measured with 2.11.7 on ext4), and an emptied file may have grown beyond where we stood. Therefore each read
begins with the bytes given out last: when they are no longer there, neither is what followed.
"""

import os
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

CHUNK = 256 * 1024
"""Bytes read in one turn."""

LONGEST = 1024 * 1024
"""Bytes an unfinished line may have; a longer one is dropped."""

MARK = 1024
"""Bytes before our place that must still be there: more than a line, so that they hold its time."""

OPENING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not stop us


@dataclass(slots=True)
class Losses:
    """What was not given out: lines longer than LONGEST or never finished, and how often a file was emptied."""

    dropped: int = 0
    rewritten: int = 0


@dataclass(slots=True)
class OpenLog:
    """One opened file and our place in it: the first byte that was not given out as part of a line."""

    fd: int
    inode: int
    losses: Losses
    offset: int = 0
    mark: bytes = b""
    dropping: bool = False

    @classmethod
    def at(cls, path: Path, losses: Losses) -> "OpenLog":
        """A file from its beginning. Raises OSError, also where it is no regular file."""
        fd = os.open(path, OPENING)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError("it is not a regular file: tail a file, a log sent to a pipe or socket can stop the writer")
        return cls(fd, status.st_ino, losses)

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self.fd).st_size

    def to_end(self) -> None:
        """Go behind everything that is in the file; a line that is being written now is dropped."""
        self._stand_at(self.size)

    def to(self, offset: int, digest: str) -> bool:
        """Go to a saved place; False where the bytes before it are not the ones that were there."""
        self._stand_at(offset)
        return self.offset == offset and self.digest == digest

    @property
    def digest(self) -> str:
        """A short name of the bytes before our place."""
        return blake2b(self.mark, digest_size=8).hexdigest()

    def read(self) -> tuple[list[bytes], bool]:
        """The next complete lines without their ends, and whether there may be more to read at once."""
        data, begin, whole = self._take(CHUNK)
        end = data.rfind(b"\n") + 1
        if end <= begin and whole:
            data, begin, whole = self._take(LONGEST)
            end = data.rfind(b"\n") + 1
        if end <= begin:
            if whole:
                self._drop(data)
            return [], whole
        self._advance(data, end, end - begin)
        lines = data[begin : end - 1].split(b"\n")
        if self.dropping:
            self.dropping = False
            lines = lines[1:]
        return lines, whole

    def _take(self, limit: int) -> tuple[bytes, int, bool]:
        """Up to `limit` new bytes, behind the mark; where they begin; whether there may be more."""
        data = os.pread(self.fd, len(self.mark) + limit, self.offset - len(self.mark))
        if not data.startswith(self.mark):
            self.losses.rewritten += 1
            self.offset, self.mark, self.dropping = 0, b"", False
            data = os.pread(self.fd, limit, 0)
        return data, len(self.mark), len(data) - len(self.mark) >= limit

    def _drop(self, data: bytes) -> None:
        self.losses.dropped += not self.dropping
        self.dropping = True
        self._advance(data, len(data), len(data) - len(self.mark))

    def _advance(self, data: bytes, end: int, size: int) -> None:
        self.offset += size
        self.mark = data[max(0, end - MARK) : end]

    def _stand_at(self, offset: int) -> None:
        begin = max(0, offset - MARK)
        self.mark = os.pread(self.fd, offset - begin, begin)
        self.offset = begin + len(self.mark) if self.mark else 0
        self.dropping = bool(self.mark) and not self.mark.endswith(b"\n")
