"""A colour that is started and stopped in memory, fails when a test says so, and remembers every call."""

import asyncio

from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour


class MemoryRunner:
    """The Runner port. `running` is the release that is up; `calls` every call, as ("up", "1.2.0").

    `failing`: verb to reason; `hanging`: verbs that never return.
    """

    def __init__(self, colour: Colour, running: str = "", slices: int = 0) -> None:
        self.colour = colour
        self._slices = slices
        self.running = running
        self.calls: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        self.hanging: set[str] = set()

    async def up(self, release: Release) -> str:
        await self._called("up", release.version)
        self.running = release.version
        return f"started {release.version}"

    async def down(self) -> str:
        await self._called("down", "")
        self.running = ""
        return "stopped"

    @property
    def slices(self) -> int:
        return self._slices

    async def stop_slice(self, number: int) -> str:
        await self._called("stop_slice", str(number))
        return f"stopped slice {number}"

    async def logs(self, lines: int) -> str:
        return "\n".join([f"{verb} {version}".strip() for verb, version in self.calls][-lines:])

    async def _called(self, verb: str, version: str) -> None:
        self.calls.append((verb, version))
        if verb in self.hanging:
            await asyncio.Event().wait()
        if verb in self.failing:
            raise RunnerFailed(f"`{verb}` of {self.colour} failed: {self.failing[verb]}", output=self.failing[verb])
