"""Checks that answer what a test tells them to."""

from collections import deque

from bluegreen.domain.checks import CheckResult, Target
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
