"""The cutback card as `cutback.json`, and beside it the mark `cutback-done.json`: temp + fsync + rename, readable by
people and by a second program.

That program may be root's while the directory is the daemon's: what is written belongs to the directory's owner.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

import msgspec

from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.traffic import Card, Mark

T = TypeVar("T")

MARK = "cutback-done.json"


class FileCards:
    """The Cards port on two files of one directory."""

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        """`path` of the card; `timeout` in seconds for each reading and writing."""
        self._path = path
        self._mark = path.with_name(MARK)
        self._timeout = timeout
        # A write whose caller gave up goes on in its thread: the next one waits for it, and so is the last.
        self._writing = Lock()

    async def write(self, card: Card) -> None:
        await self._change(self._path, lambda: _replace(self._path, _packed(card)))

    async def read(self) -> Card | None:
        return await self._read(self._path, Card)

    async def mark(self, mark: Mark) -> None:
        await self._change(self._mark, lambda: _replace(self._mark, _packed(mark)))

    async def marked(self) -> Mark | None:
        return await self._read(self._mark, Mark)

    async def unmark(self) -> None:
        await self._change(self._mark, lambda: _remove(self._mark))

    async def _read(self, path: Path, type: type[T]) -> T | None:
        try:
            async with asyncio.timeout(self._timeout):
                body = await asyncio.to_thread(path.read_bytes)
            return msgspec.json.decode(body, type=type)
        except FileNotFoundError:
            return None
        except (OSError, TimeoutError, msgspec.MsgspecError) as exc:
            raise JournalUnreadable(
                f"{_words(path)} cannot be read: {str(exc) or 'no answer in time'}", path=str(path)
            ) from exc

    async def _change(self, path: Path, work: Callable[[], None]) -> None:
        def alone() -> None:
            with self._writing:
                work()

        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.to_thread(alone)
        except (OSError, TimeoutError) as exc:
            raise JournalUnwritable(
                f"{_words(path)} cannot be written: {str(exc) or 'no answer in time'}", path=str(path)
            ) from exc


def _words(path: Path) -> str:
    return f"the mark {path}" if path.name == MARK else f"the cutback card {path}"


def _packed(value: Card | Mark) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value))


def _replace(path: Path, body: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)  # torn by a crash, or a link that would lead root elsewhere
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _give_to_owner(file.fileno(), path.parent)
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync(path.parent)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _give_to_owner(descriptor: int, directory: Path) -> None:
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
