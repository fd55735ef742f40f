"""The cutback card as `cutback.json`: temp + fsync + rename, readable by people and by a second program."""

import asyncio
import os
from pathlib import Path
from threading import Lock

import msgspec

from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.traffic import Card


class FileCards:
    """The Cards port on one file."""

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        """`timeout` in seconds for each reading and writing."""
        self._path = path
        self._timeout = timeout
        # A write whose caller gave up goes on in its thread: the next one waits for it, and so is the last.
        self._writing = Lock()

    async def write(self, card: Card) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.to_thread(self._replace, msgspec.json.format(msgspec.json.encode(card)))
        except (OSError, TimeoutError) as exc:
            raise JournalUnwritable(
                f"the cutback card {self._path} cannot be written: {str(exc) or 'no answer in time'}",
                path=str(self._path),
            ) from exc

    async def read(self) -> Card | None:
        try:
            async with asyncio.timeout(self._timeout):
                body = await asyncio.to_thread(self._path.read_bytes)
            return msgspec.json.decode(body, type=Card)
        except FileNotFoundError:
            return None
        except (OSError, TimeoutError, msgspec.MsgspecError) as exc:
            raise JournalUnreadable(
                f"the cutback card {self._path} cannot be read: {str(exc) or 'no answer in time'}",
                path=str(self._path),
            ) from exc

    def _replace(self, body: bytes) -> None:
        with self._writing:
            _replace(self._path, body)


def _replace(path: Path, body: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
