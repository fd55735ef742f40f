"""The dynamic file that is ours at Traefik: read, and replaced as a whole, each within its time."""

import asyncio
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from bluegreen.adapters.balancers.own_threads import OwnThreads
from bluegreen.adapters.balancers.swap import Overtaken, Rename, Unsettled, read_whole, swap
from bluegreen.adapters.balancers.traefik_document import parsed, rendered
from bluegreen.domain.errors import (
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    RouteNotFound,
)
from bluegreen.ports import Timed


class TraefikFile:
    """The file at `path`. `timeout` in seconds for reading it, and for replacing it; `timed` is told of each; `rename`
    is for tests that hold it up."""

    def __init__(self, path: Path, *, timeout: float, timed: Timed, rename: Rename | None) -> None:
        self.path, self._timeout, self._timed, self._rename = path, timeout, timed, rename
        self._threads = OwnThreads("traefik")

    async def text(self) -> bytes | None:
        """The file as it is; None where there is none, in a directory that is there. Raises BalancerUnreachable."""
        began = monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._threads.run(lambda: _whole(self.path))
        except TimeoutError as exc:
            raise self._unreadable(f"it takes longer than {self._timeout:g} s") from exc
        except OSError as exc:
            raise self._unreadable(str(exc.strerror or exc)) from exc
        finally:
            self._timed("read", monotonic() - began)

    def _unreadable(self, why: str) -> BalancerUnreachable:
        return BalancerUnreachable(f"Traefik's file {self.path} cannot be read: {why}", next=(f"ls -l {self.path}",))

    def value(self, text: bytes | None) -> dict[str, Any]:
        """What a file says. Raises RouteNotFound where it is missing, or nothing that we can keep."""
        try:
            if text is None:
                raise ValueError("there is no such file")
            return parsed(text)
        except ValueError as exc:
            raise RouteNotFound(
                f"{self.path} is not the JSON that bluegreen keeps there: {exc}. Its first text is in docs/traefik.md",
                next=(f"head {self.path}", "bluegreen config docs traefik.file"),
            ) from exc

    async def replace(self, value: dict[str, Any], was: bytes | None) -> None:
        """Put a value there where `was` stands. Raises ChangeRefused, ForeignChange (no effect), ChangeUnknown,
        ConnectionLost (it was in place; read it again)."""
        began, given_up = monotonic(), Event()
        try:
            async with asyncio.timeout(self._timeout):
                body = rendered(value)
                await self._threads.run(lambda: swap(self.path, body, was, given_up=given_up, rename=self._rename))
        except TimeoutError as exc:
            why = f"{self.path} was not replaced within {self._timeout:g} s: does the disk hang?"
            raise ChangeUnknown(why) from exc
        except Overtaken as exc:
            raise ForeignChange(f"somebody else changed {self.path} in between: {exc}") from exc
        except Unsettled as exc:
            raise ConnectionLost(f"{self.path} was replaced, and cannot be read back: {exc}") from exc
        except OSError as exc:
            raise ChangeRefused(
                f"{self.path} was not replaced: {exc.strerror or exc}",
                next=(f"ls -ld {self.path.parent}", f"df -h {self.path.parent}"),
            ) from exc
        finally:
            given_up.set()
            self._timed("write", monotonic() - began)


def _whole(path: Path) -> bytes | None:
    """The file; None where there is none, in a directory that is there. Raises OSError."""
    text = read_whole(path)
    if text is None:
        path.parent.stat()
    return text
