"""The pointer file: one line that says where users go (pointer_words), read by Caddy at each request.

Every way of writing it is bounded: a disk that hangs costs an attempt, and what wakes up late finds that nobody waits
for it, or that its partial file is gone (swap). A person may write it with an editor or `echo`.
"""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TypeVar

from bluegreen.adapters.balancers.own_threads import OwnThreads
from bluegreen.adapters.balancers.pointer_words import Pointed, read_line
from bluegreen.adapters.balancers.swap import Overtaken, Rename, Unsettled, put, read_whole, swap
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
)
from bluegreen.ports import Timed, untimed

T = TypeVar("T")

NONCE = "nonce"
"""The file beside the pointer by which Caddy proves that it sees this directory."""


class Pointing:
    """The file as it was: its bytes (None: there is no file), and what they say (None: nothing that we know)."""

    __slots__ = ("pointed", "raw")

    def __init__(self, raw: bytes | None) -> None:
        self.raw = raw
        self.pointed: Pointed | None = read_line(self.text)

    @property
    def text(self) -> str:
        """As written; empty where there is no file."""
        return (self.raw or b"").decode(errors="replace")


class PointerFile:
    """The pointer at `path`; `timeout` in seconds for each reading and writing. Nothing is held open."""

    def __init__(self, path: Path, *, timeout: float, timed: Timed = untimed, rename: Rename | None = None) -> None:
        """`timed` is told of each "write"; `rename` is for tests that hold it up."""
        self.path, self.threads = path, OwnThreads("pointer")
        self._timeout, self._timed, self._rename = timeout, timed, rename

    async def read(self) -> Pointing:
        """What it says now. Raises BalancerUnreachable where nobody can tell: the disk hangs, the rights forbid it."""
        try:
            return Pointing(await self._within(lambda: read_whole(self.path)))
        except (OSError, TimeoutError) as exc:
            raise BalancerUnreachable(
                f"the pointer file {self.path} cannot be read: {_why(exc, self._timeout)}",
                next=(f"ls -l {self.path.parent}",),
                path=str(self.path),
            ) from exc

    def read_now(self) -> Pointing:
        """The same at once, in the caller's thread: a file of one line. Raises BalancerError."""
        try:
            return Pointing(read_whole(self.path))
        except OSError as exc:
            raise BalancerError(f"the pointer file {self.path} cannot be read: {_why(exc, self._timeout)}") from exc

    async def replace(self, pointed: Pointed, was: Pointing) -> None:
        """Make one attempt to let it say `pointed`, if it still is as it was read.

        Raises ChangeRefused (nothing done: no room, no right), ForeignChange (it is not as it was read any more, or
        another writer was first), ChangeUnknown (no end in time), ConnectionLost (it was in place; read it again).
        """
        began, given_up, body = monotonic(), Event(), pointed.line.encode()
        try:
            await self._written(
                self.path, lambda: swap(self.path, body, was.raw, given_up=given_up, rename=self._rename)
            )
        finally:
            given_up.set()  # who still works on it, in its thread, stops before the rename
            self._timed("write", monotonic() - began)

    async def plant(self, nonce: str) -> None:
        """Put a nonce beside it, over whatever is there: others plant theirs, too. Raises as `replace` does."""
        path = self.path.with_name(NONCE)
        await self._written(path, lambda: put(path, f"{nonce}\n".encode()))

    async def _written(self, path: Path, work: Callable[[], None]) -> None:
        try:
            await self._within(work)
        except Overtaken as exc:
            raise ForeignChange(f"{path} was not written: {exc}", next=(f"cat {path}",), path=str(path)) from exc
        except Unsettled as exc:
            raise ConnectionLost(f"{path} was written, and cannot be read back: {exc}", path=str(path)) from exc
        except TimeoutError as exc:
            raise ChangeUnknown(
                f"{path} was not written within {self._timeout:g} s: does the disk hang? It may still take effect",
                next=(f"cat {path}", "dmesg | tail"),
                path=str(path),
            ) from exc
        except OSError as exc:
            raise ChangeRefused(
                f"{path} was not written: {_why(exc, self._timeout)}", next=_look_at(exc, path), path=str(path)
            ) from exc

    async def _within(self, work: Callable[[], T]) -> T:
        async with asyncio.timeout(self._timeout):
            return await self.threads.run(work)


def _why(exc: Exception, timeout: float) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or f"no end within {timeout:g} s"


def _look_at(exc: OSError, path: Path) -> tuple[str, ...]:
    """What to type where it could not be written."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return (f"df {path.parent}",)
    if exc.errno == errno.EROFS:
        return (f"findmnt -T {path.parent}", "dmesg | tail")
    return (f"ls -ld {path.parent}",)
