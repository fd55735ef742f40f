"""A balancer in memory: the same contract as a real one, with the faults that a real one has, on demand.

A write is conditional on what was read for it, as in Caddy: one that lands late has no effect when anything
was written in between.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.adapters.balancers.addresses import belongs, colour_of, refuse_malformed, refuse_overtaken
from bluegreen.adapters.balancers.memory_faults import Fault as Fault
from bluegreen.adapters.balancers.memory_faults import meet
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    RouteNotFound,
)
from bluegreen.domain.traffic import Card, Colour, Service, ServiceTraffic, Split, Traffic
from bluegreen.ports import Clock


@dataclass(frozen=True, slots=True)
class Route:
    """Where one service goes and our stamp on it. `split`: how users are shared out, where the dials are of both
    colours by our own doing; `fallback`: the first dials serve, and those of the other colour where they do not."""

    dials: tuple[str, ...]
    generation: int | None = None
    split: Split | None = None
    fallback: bool = False


Routes = dict[str, Route]


class MemoryBalancer:
    """The Balancer port on a dictionary, and the Shares port beside it.

    Scripted from outside: `faults` are met by the next writes, one each; `reachable` False makes everything
    fail; `point`, `remove` and `forget` are what others do to a balancer. `written` lists what took effect, `reloads`
    counts reloads, which fail while `reload_fault` says why.
    """

    def __init__(
        self, services: Sequence[Service], *, clock: Clock, serving: Colour = Colour.BLUE, snippets: bool = False
    ) -> None:
        self._services, self._clock = tuple(services), clock
        self._started_with = serving
        self._late: list[tuple[Routes, Routes, Colour | Split, int]] = []
        self.routes: Routes = {each.name: Route(each.addresses[serving]) for each in services}
        self.snippets: dict[str, Colour] = {each.name: serving for each in services} if snippets else {}
        self.faults: deque[Fault] = deque()
        self.reachable = True
        self.disk_full = False
        self.reload_fault: str | None = "no command to reload it is configured"
        self.written: list[tuple[Colour | Split, int]] = []
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

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`; meets the next scripted fault where it would write."""
        second = colour.other if fallback else colour
        wanted = {
            each.name: Route(
                tuple(dict.fromkeys(each.addresses[colour] + each.addresses[second])), generation, fallback=fallback
            )
            for each in self._services
        }
        await self._write(wanted, colour, generation, expected)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out, as `switch` makes its own."""
        wanted = {
            each.name: Route(each.addresses[split.colour] + each.addresses[split.colour.other], generation, split)
            for each in self._services
        }
        await self._write(wanted, split, generation, expected)

    async def _write(
        self, routes: Routes, to: Colour | Split, generation: int, expected: Colour | Split | None
    ) -> None:
        traffic = await self.observe()
        read = self.routes
        wanted = read | routes
        if wanted == read:
            return
        if expected is not None:
            refuse_overtaken(traffic, to.colour if isinstance(to, Split) else to, generation, expected)
        fault = self.faults.popleft() if self.faults else None
        if fault in (None, Fault.LOST_WITH_EFFECT):
            self._take_effect(read, wanted, to, generation)
        if fault is Fault.LANDS_LATE:
            self._late.append((read, wanted, to, generation))
        if fault is not None:
            meet(fault)

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs; `deployment` is empty, it is closed, and the failsafe may act on it."""
        seen = await self.observe()
        return Card.blank("memory", colour, generation, self._services, seen, self._clock.now())

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
        for read, wanted, to, generation in late:
            self._take_effect(read, wanted, to, generation)

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
        first = route.dials[:1] if route.fallback else route.dials
        colour = colour_of(service, first)
        paths = (f"memory/{service.name}",)
        return ServiceTraffic(
            service.name, paths, route.dials, colour, route.generation, route.split, fallback=route.fallback
        )

    def _take_effect(self, read: Routes, wanted: Routes, to: Colour | Split, generation: int) -> None:
        if self.routes == read:
            self.routes = wanted
            self.written.append((to, generation))

    def _refuse_unreachable(self) -> None:
        if not self.reachable:
            raise BalancerUnreachable
