"""Synthetic requests through the front door, always: they notice what writes no access line.

Caddy writes a line when an answer is complete, so a colour that hangs is silent in the log; and at night
there may be no users at all. A probe is a task of its own: one that hangs must not delay the next, or the
colour that hangs most would be asked least.

An answer belongs to the colour that the access log saw give it; where no line came, to whoever serves. What is asked
is a path that users ask for (docs/decisions/008), so that what is slow or broken for them is so for a probe.
"""

import asyncio
import math
from collections.abc import Callable, Iterable

from bluegreen.adapters.signals.moment import OfTheMoment
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.signals import Batch, Counted, Part
from bluegreen.ports import Clock
from bluegreen.ports_traffic import FrontDoor

SOURCE = "probes"

PATIENCE = 1.0
"""Seconds beyond its timeout in which the front door may still say what it got: it also waits for the access line, and
a log that is late must not make an answer look bad."""


class Probes(OfTheMoment):
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
        super().__init__(clock)
        self._front_door = front_door
        self._services = tuple(services)
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
    def problem(self) -> str:
        """Empty: a front door that does not answer is what probes are there to see."""
        return ""

    async def check(self) -> None:
        """Nothing: that the front door answers from the live colour is looked at beside."""

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
        answer = await self._answer(service)
        if not answer.reached:
            return  # nobody listens: that is no colour's doing, and we are silent
        self._heard_at = self._clock.monotonic()
        bad = not answer.served or answer.seconds > self._timeout
        parts = (Part(service, "", 1, 1, self._line(answer)),) if bad else ()
        report(
            Counted(
                SOURCE,
                "probe",
                answer.colour,
                1,
                int(bad),
                key=service,
                since=sent,
                parts=parts,
                version=answer.version,
            )
        )

    async def _answer(self, service: str) -> FrontDoorAnswer:
        """What a probe got. A front door that does not even say so in time got nothing."""
        try:
            async with asyncio.timeout(self._timeout + PATIENCE):
                return await self._front_door.ask(service)
        except TimeoutError:
            return FrontDoorAnswer(service, None, None, self._timeout, f"no answer within {self._timeout:g} s")

    def _line(self, answer: FrontDoorAnswer) -> str:
        """A bad answer, for people."""
        got = f"{answer.status} in {answer.seconds * 1000:.0f} ms" if answer.status is not None else answer.error
        return f"{self._time_of_day()} probe of {answer.service}: {got}"
