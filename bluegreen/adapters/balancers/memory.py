"""A balancer in memory: the same contract as a real one, with the faults that a real one has, on demand.

A write is conditional on what was read for it, as in Caddy: one that lands late has no effect when anything
was written in between.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bluegreen.adapters.balancers.addresses import belongs, colour_of, refuse_malformed, refuse_overtaken
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    RouteNotFound,
)
from bluegreen.domain.traffic import Card, Colour, Service, ServiceTraffic, Traffic
from bluegreen.ports import Clock


class Fault(StrEnum):
    """What happens to one write."""

    UNREACHABLE = "no connection: nothing was sent"
    LANDS_LATE = "no answer in time; the write stays under way until `land()`"
    LOST_WITH_EFFECT = "the connection is lost after the write took effect"
    LOST_WITHOUT_EFFECT = "the connection is lost before the write took effect"
    REFUSED = "the balancer answers and refuses"
    FOREIGN_CHANGE = "somebody else changed the configuration meanwhile"
    NO_EFFECT = "answered with success, and nothing happened"


@dataclass(frozen=True, slots=True)
class Route:
    """Where one service goes and our stamp on it."""

    dials: tuple[str, ...]
    generation: int | None = None


Routes = dict[str, Route]


class MemoryBalancer:
    """The Balancer port on a dictionary.

    Scripted from outside: `faults` are met by the next writes, one each; `reachable` False makes everything
    fail; `point`, `remove` and `forget` are what others do to a balancer. `written` lists what took effect, `reloads`
    counts reloads, which fail while `reload_fault` says why.
    """

    def __init__(
        self, services: Sequence[Service], *, clock: Clock, serving: Colour = Colour.BLUE, snippets: bool = False
    ) -> None:
        self._services, self._clock = tuple(services), clock
        self._started_with = serving
        self._late: list[tuple[Routes, Routes, Colour, int]] = []
        self.routes: Routes = {each.name: Route(each.addresses[serving]) for each in services}
        self.snippets: dict[str, Colour] = {each.name: serving for each in services} if snippets else {}
        self.faults: deque[Fault] = deque()
        self.reachable = True
        self.disk_full = False
        self.reload_fault: str | None = "no command to reload it is configured"
        self.written: list[tuple[Colour, int]] = []
        self.reloads = 0

    async def observe(self) -> Traffic:
        """Where every service goes now."""
        self._refuse_unreachable()
        for service in self._services:
            if not self._found(service):
                raise RouteNotFound(
                    f"no route of the balancer serves {service.name}; there are {self.routes}",
                    next=("bluegreen config check",),
                    service=service.name,
                )
        return Traffic(tuple(self._traffic(service) for service in self._services))

    async def validate(self) -> None:
        """Refuse malformed and doubled addresses. Raises AddressInvalid, and as `observe` does."""
        refuse_malformed(self._services)
        await self.observe()

    async def switch(self, colour: Colour, generation: int, *, expected: Colour | None = None) -> None:
        """One attempt to send every service to `colour`; meets the next scripted fault where it would write."""
        traffic = await self.observe()
        read = self.routes
        wanted = read | {each.name: Route(each.addresses[colour], generation) for each in self._services}
        if wanted == read:
            return
        if expected is not None:
            refuse_overtaken(traffic, colour, generation, expected)
        fault = self.faults.popleft() if self.faults else None
        if fault in (None, Fault.LOST_WITH_EFFECT):
            self._take_effect(read, wanted, colour, generation)
        if fault is Fault.LANDS_LATE:
            self._late.append((read, wanted, colour, generation))
        if fault is not None:
            _meet(fault)

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs; `deployment` is empty, it is closed, and the failsafe may act on it."""
        traffic = await self.observe()
        return Card(
            deployment="",
            endpoint="memory",
            colour=colour,
            generation=generation,
            services=self._services,
            paths={each.service: each.paths for each in traffic.services},
            snippets="",
            open=False,
            failsafe=True,
            written_at=self._clock.now(),
        )

    def persisted(self) -> Colour | None:
        """The colour that all snippets name; None where none is kept."""
        colours = set(self.snippets.values())
        if len(colours) > 1:
            raise BalancerError(f"the snippets name different colours: {self.snippets}")
        return next(iter(colours), None)

    async def persist(self, colour: Colour) -> None:
        """Bring the snippets that exist to `colour`; BalancerError with `disk_full`."""
        if self.disk_full and self.snippets:
            raise BalancerError("the snippets were not written: no space left on device")
        self.snippets = dict.fromkeys(self.snippets, colour)

    async def reload(self) -> str:
        """Read its own files again; also while our own way to it is unreachable. BalancerError with `reload_fault`."""
        if self.reload_fault is not None:
            raise BalancerError(self.reload_fault)
        self.reloads += 1
        self.forget()
        return "reloaded"

    def land(self) -> None:
        """Let the writes arrive that are still under way: each has effect only if nothing was written since
        its read.
        """
        late, self._late = self._late, []
        for read, wanted, colour, generation in late:
            self._take_effect(read, wanted, colour, generation)

    def point(self, service: str, *dials: str, generation: int | None = None) -> None:
        """Send one service elsewhere, as somebody else's change would."""
        self.routes = self.routes | {service: Route(dials, generation)}

    def remove(self, service: str) -> None:
        """Take a service's route away, as somebody else's change would."""
        self.routes = {name: route for name, route in self.routes.items() if name != service}

    def forget(self) -> None:
        """Restart the balancer: every service where its snippet says, or where it was at the beginning; no stamps."""
        self.routes = {
            each.name: Route(each.addresses[self.snippets.get(each.name, self._started_with)])
            for each in self._services
        }

    def _found(self, service: Service) -> bool:
        route = self.routes.get(service.name)
        return route is not None and (belongs(service, route.dials) or route.generation is not None)

    def _traffic(self, service: Service) -> ServiceTraffic:
        route = self.routes[service.name]
        colour = colour_of(service, route.dials)
        return ServiceTraffic(service.name, (f"memory/{service.name}",), route.dials, colour, route.generation)

    def _take_effect(self, read: Routes, wanted: Routes, colour: Colour, generation: int) -> None:
        if self.routes == read:
            self.routes = wanted
            self.written.append((colour, generation))

    def _refuse_unreachable(self) -> None:
        if not self.reachable:
            raise BalancerUnreachable


def _meet(fault: Fault) -> None:
    match fault:
        case Fault.UNREACHABLE:
            raise BalancerUnreachable
        case Fault.LANDS_LATE:
            raise ChangeUnknown
        case Fault.LOST_WITH_EFFECT | Fault.LOST_WITHOUT_EFFECT:
            raise ConnectionLost
        case Fault.REFUSED:
            raise ChangeRefused
        case Fault.FOREIGN_CHANGE:
            raise ForeignChange
        case Fault.NO_EFFECT:
            return
