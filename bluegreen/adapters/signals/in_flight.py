"""Requests that are taken and not answered: they see a colour that hangs for users while our own probes are answered.

A hanging request writes no line of the access log, and a probe asks for one path only. But the balancer counts what it
has sent and not got back. A sample of a service is bad where since the one before users got no answer of it, and yet
STUCK requests or more wait. Server-sent events, long polls and WebSockets wait too, and hide nothing: a service that
has them shows such samples on the live colour as well, so that its own baseline tolerates them.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.adapters.signals.moment import OfTheMoment
from bluegreen.domain.errors import BalancerError, SignalFailed
from bluegreen.domain.signals import Batch, Counted, Part
from bluegreen.domain.traffic import Colour, Service, normal
from bluegreen.ports import Clock, SignalSource
from bluegreen.ports_traffic import InFlight

SOURCE = "in_flight"
SIGNAL = "stuck"

STUCK = 3
"""Requests that wait, from which on it is worth a thought: one or two may just be slow."""

LOG_FRESH = 2.5
"""Seconds within which the access log must have been read to its end: it is looked at once a second at least."""

Key = tuple[str, Colour]


class Counts(InFlight, Protocol):
    """In-flight numbers from a client that is opened for as long as they are asked for."""

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Usable while this lasts."""


class Answered:
    """How many answers users have got of each service and colour, as the access log counts them."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def add(self, service: str, colour: Colour, n: int) -> None:
        """Some more answers."""
        self._counts[service, colour] = self._counts.get((service, colour), 0) + n

    def of(self, key: Key) -> int:
        """All of them so far."""
        return self._counts.get(key, 0)


class InFlightSource(OfTheMoment):
    """The SignalSource port on what a balancer has under way; one signal per service, `stuck:<service>`."""

    def __init__(
        self,
        counts: Counts,
        services: Mapping[str, Service],
        answered: Answered,
        log: SignalSource,
        *,
        clock: Clock,
        interval: float = 0.5,
    ) -> None:
        """`log` is the source that `answered` is counted by: while it cannot be heard, nothing is said here either.
        `interval` in seconds."""
        super().__init__(clock)
        self._counts, self._answered, self._log = counts, answered, log
        self._dials = {
            (service.name, colour): tuple(normal(dial) for dial in dials)
            for service in services.values()
            for colour, dials in service.addresses.items()
        }
        self._interval = interval
        self._heard_at: float | None = None
        self._asked_at: float | None = None
        self._before: dict[Key, int] = {}
        self._dialled: frozenset[str] = frozenset()
        self._problem = ""

    @property
    def name(self) -> str:
        """`in_flight`."""
        return SOURCE

    @property
    def heard_at(self) -> float | None:
        """When the balancer last told its numbers."""
        return self._heard_at

    @property
    def problem(self) -> str:
        """Why the balancer did not tell its numbers; empty where it did."""
        return self._problem

    async def check(self) -> None:
        """Ask once. Raises SignalFailed."""
        try:
            async with self._counts.opened():
                await self._counts.in_flight()
        except BalancerError as exc:
            raise SignalFailed(
                f"how many requests are under way cannot be told: {exc}", source=SOURCE, next=exc.next
            ) from exc

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Ask every interval and report a sample of each service and colour that is dialled, until cancelled.

        The first sample of a colour comes one interval after it is dialled: what waits then has waited for a while. A
        balancer that does not answer is a problem of ours and no bad sample.
        """
        self._asked_at, self._before, self._dialled = None, {}, frozenset()
        async with self._counts.opened():
            while True:
                await self._ask(report)
                await asyncio.sleep(self._interval)

    async def _ask(self, report: Callable[[Batch], None]) -> None:
        asked_at = self._clock.monotonic()
        try:
            waiting = await self._counts.in_flight()
        except BalancerError as exc:
            self._problem, self._asked_at = str(exc), None
            return
        self._problem, self._heard_at = "", self._clock.monotonic()
        since, self._asked_at = self._asked_at, asked_at
        fair = since is not None and asked_at - since < 3 * self._interval and self._log_is_heard()
        for key, dials in self._dials.items():
            now = self._answered.of(key)
            answers, self._before[key] = now - self._before.get(key, now), now
            if fair and any(dial in waiting and dial in self._dialled for dial in dials):
                report(self._sample(key, sum(waiting.get(dial, 0) for dial in dials), answers, since))
        self._dialled = frozenset(waiting)

    def _log_is_heard(self) -> bool:
        """Whether that nobody was answered would be known."""
        read_at = self._log.caught_up_at
        if self._log.problem or read_at is None or self._log.behind > self._interval:
            return False
        return self._clock.monotonic() - read_at < LOG_FRESH

    def _sample(self, key: Key, waiting: int, answers: int, since: float | None) -> Counted:
        service, colour = key
        bad = answers == 0 and waiting >= STUCK
        line = f"{self._time_of_day()} {waiting} requests of {service} wait at {colour}, and none was answered"
        parts = (Part(service, "", 1, 1, line),) if bad else ()
        return Counted(SOURCE, f"{SIGNAL}:{service}", colour, 1, int(bad), key=service, since=since, parts=parts)
