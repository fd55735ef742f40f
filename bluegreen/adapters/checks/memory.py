"""Checks that answer what a test tells them to."""

import asyncio
from collections import deque

from bluegreen.domain.checks import CheckResult, Given, Minted, Target
from bluegreen.domain.traffic import Colour


class MemoryCheck:
    """The Checker port on a script: `say` the next answers; then `failures` holds, by colour, what is wrong."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self._next: deque[str] = deque()
        self.failures: dict[Colour, str] = {}
        self.asked: list[Target] = []

    @property
    def name(self) -> str:
        return self._name

    def say(self, *failures: str) -> None:
        """What the next questions are answered, one each: "" is a pass, a text a failure."""
        self._next.extend(failures)

    async def check(self, target: Target) -> CheckResult:
        self.asked.append(target)
        failure = self._next.popleft() if self._next else self.failures.get(target.colour, "")
        return CheckResult(self._name, not failure, failure or "as expected", 0.0)


class MemoryReadiness(MemoryCheck):
    """The Readiness port on the same script."""

    def __init__(self, service: str, consecutive: int = 1, interval: float = 0.0) -> None:
        super().__init__(f"readiness of {service}")
        self._service = service
        self._consecutive = consecutive
        self._interval = interval

    @property
    def service(self) -> str:
        return self._service

    @property
    def consecutive(self) -> int:
        return self._consecutive

    @property
    def interval(self) -> float:
        return self._interval


class MemoryContinuity:
    """The Continuity port on a script. `minting` says by colour why nothing can be had there, `refused` by the colour
    that gave it and the one that is asked why it does not hold, `ending` why it cannot be given back.

    `said` lists the calls: ("mint blue", "use blue on green", "end blue").
    """

    def __init__(
        self, name: str = "login", gives: Given = Given.SESSION, good_for: float | None = None, ends: bool = True
    ) -> None:
        self._name, self._gives, self._good_for, self._ends = name, gives, good_for, ends
        self.minting: dict[Colour, str] = {}
        self.refused: dict[tuple[Colour, Colour], str] = {}
        self.ending = ""
        self.hanging: set[Colour] = set()
        self.said: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def gives(self) -> Given:
        return self._gives

    async def mint(self, target: Target) -> Minted | CheckResult:
        await self._called(f"mint {target.colour}", target.colour)
        if failure := self.minting.get(target.colour, ""):
            return CheckResult(self._name, False, failure, 0.0)
        number = sum(said.startswith("mint") for said in self.said)
        return Minted(self._name, target.colour, {"session": f"session-{number}"}, good_for=self._good_for)

    async def use(self, minted: Minted, target: Target) -> CheckResult:
        await self._called(f"use {minted.colour} on {target.colour}", target.colour)
        failure = self.refused.get((minted.colour, target.colour), "")
        return CheckResult(self._name, not failure, failure or "as expected", 0.0)

    async def end(self, minted: Minted, target: Target) -> CheckResult | None:
        if not self._ends:
            return None
        await self._called(f"end {minted.colour}", target.colour)
        return CheckResult(self._name, not self.ending, self.ending or "as expected", 0.0)

    async def _called(self, what: str, colour: Colour) -> None:
        self.said.append(what)
        if colour in self.hanging:
            await asyncio.Event().wait()
