"""Synthetic requests through the front door, always: they notice what writes no access line.

Caddy writes a line when an answer is complete, so a colour that hangs is silent in the log; and at night
there may be no users at all. A probe is a task of its own: one that hangs must not delay the next, or the
colour that hangs most would be asked least.
"""

import asyncio
import math
from collections.abc import Callable, Iterable

from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted
from bluegreen.ports import Clock, FrontDoor

SOURCE = "probes"

PATIENCE = 1.0
"""Seconds beyond its timeout in which the front door may still say what it got: it also waits for the access line, and
a log that is late must not make an answer look bad."""


class Probes:
    """The SignalSource port on the front door: one request per service and interval."""

    def __init__(
        self,
        front_door: FrontDoor,
        services: Iterable[str],
        *,
        clock: Clock,
        interval: float = 0.5,
        timeout: float = 1.0,
    ) -> None:
        """`interval` and `timeout` in seconds: a probe that is answered later, or never, was not served."""
        self._front_door = front_door
        self._services = tuple(services)
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._heard_at: float | None = None

    @property
    def name(self) -> str:
        """`probes`."""
        return SOURCE

    @property
    def heard_at(self) -> float | None:
        """When a probe last ended, however it ended."""
        return self._heard_at

    @property
    def caught_up_at(self) -> float | None:
        """Now: nothing that was not asked waits to be reported."""
        return self._clock.monotonic()

    @property
    def behind(self) -> float:
        """0: an answer is heard when it comes."""
        return 0.0

    @property
    def problem(self) -> str:
        """Empty: a front door that does not answer is what probes are there to see."""
        return ""

    async def check(self) -> None:
        """Nothing: that the front door answers from the live colour is looked at beside."""

    def position(self) -> Json:
        """None: what was not asked cannot be asked later."""
        return None

    def resume(self, position: Json) -> bool:
        """True: nothing that could be had is missing."""
        return True

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Ask for every service every interval and report each answer, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for service in self._services:
                group.create_task(self._keep_asking(service, report), name=f"probes:{service}")

    async def _keep_asking(self, service: str, report: Callable[[Batch], None]) -> None:
        """Start one probe per interval; after a stall of ours none is made up for."""
        at_once = asyncio.Semaphore(math.ceil((self._timeout + PATIENCE) / self._interval) + 1)
        async with asyncio.TaskGroup() as group:
            due = self._clock.monotonic()
            while True:
                await at_once.acquire()
                probe = group.create_task(self._probe(service, report), name=f"probe:{service}")
                probe.add_done_callback(lambda _: at_once.release())
                now = self._clock.monotonic()
                due = due + self._interval if due + self._interval > now else now + self._interval
                await asyncio.sleep(due - now)

    async def _probe(self, service: str, report: Callable[[Batch], None]) -> None:
        sent = self._clock.monotonic()
        served = await self._served(service)
        if served is None:
            return
        self._heard_at = self._clock.monotonic()
        report(Counted(SOURCE, "probe", None, 1, 0 if served else 1, key=service, since=sent))

    async def _served(self, service: str) -> bool | None:
        """Whether it was served in time; None where nobody listens: that is no colour's doing, and we are silent."""
        try:
            async with asyncio.timeout(self._timeout + PATIENCE):
                answer = await self._front_door.ask(service)
        except TimeoutError:
            return False
        if not answer.reached:
            return None
        return answer.served and answer.seconds <= self._timeout
