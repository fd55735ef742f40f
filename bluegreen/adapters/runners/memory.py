"""A colour that is started and stopped in memory, fails when a test says so, and remembers every call."""

import asyncio

from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour

LOOKS = ("prepare", "parts")
"""Verbs that start and stop nothing."""


class MemoryRunner:
    """The Runner port. `running` is the release that is up, `alone` that of its live-only parts; `found` is what
    `parts` tells; `calls` every call that changes something, as ("up", "1.2.0"), and `looked` the others.

    `failing`: verb to reason; `hanging`: verbs that never return.
    """

    def __init__(self, colour: Colour, running: str = "", slices: int = 0, live_only: tuple[str, ...] = ()) -> None:
        self.colour = colour
        self.live_only = live_only
        self.alone = ""
        self.found: tuple[Part, ...] = ()
        self._slices = slices
        self.running = running
        self.calls: list[tuple[str, str]] = []
        self.looked: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        self.hanging: set[str] = set()

    async def prepare(self, release: Release) -> str:
        await self._called("prepare", release.version)
        return f"{release.version} is there"

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        if live_only:
            await self._called("up live-only", release.version)
            self.alone = release.version
            return f"started {', '.join(self.live_only)} of {release.version}"
        await self._called("up", release.version)
        self.running = release.version
        return f"started {release.version}"

    async def down(self, *, live_only: bool = False) -> str:
        await self._called("down live-only" if live_only else "down", "")
        self.alone = ""
        if not live_only:
            self.running = ""
        return "stopped"

    async def parts(self) -> tuple[Part, ...]:
        await self._called("parts", "")
        return self.found

    @property
    def slices(self) -> int:
        return self._slices

    async def stop_slice(self, number: int) -> str:
        await self._called("stop_slice", str(number))
        return f"stopped slice {number}"

    async def logs(self, lines: int) -> str:
        return "\n".join([f"{verb} {version}".strip() for verb, version in self.calls][-lines:])

    async def _called(self, verb: str, version: str) -> None:
        (self.looked if verb in LOOKS else self.calls).append((verb, version))
        if verb in self.hanging:
            await asyncio.Event().wait()
        if verb in self.failing:
            raise RunnerFailed(f"`{verb}` of {self.colour} failed: {self.failing[verb]}", output=self.failing[verb])
