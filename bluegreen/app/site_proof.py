"""What must be so after a site was set up or taken away: nobody else was moved, and a switch moves whom it should."""

from dataclasses import dataclass

from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, NotFound, RouteNotFound, StepFailed
from bluegreen.domain.sites import Site
from bluegreen.domain.traffic import Colour, Traffic
from bluegreen.ports_traffic import Sites

Routed = dict[str, tuple[Colour | None, tuple[str, ...]]]
"""Where each service goes: its colour and its dials. Paths are not in it: a route put before others moves theirs."""


@dataclass(frozen=True, slots=True)
class Unmoved:
    """Awaited by the port after its write, which it undoes where this raises StepFailed. `before`: where services went
    (None: one of them had no route). `joins` is the service that the new `site` serves, `leaves` the one whose route is
    taken away; empty for none."""

    world: World
    sites: Sites
    before: Routed | None
    joins: str = ""
    site: str = ""
    leaves: str = ""

    async def __call__(self) -> None:
        """Look where everybody goes now."""
        try:
            now = routed(await self.world.balancer.observe())
            followed = not self.joins or await self._is_followed()
        except RouteNotFound as exc:
            if self.leaves and exc.facts.get("service") == self.leaves:
                return
            raise _failed(exc) from exc
        except BluegreenError as exc:
            raise _failed(exc) from exc
        moved = [name for name, goes in (self.before or {}).items() if not self._stayed(name, goes, now)]
        if moved:
            raise StepFailed(f"the change would have moved users of {', '.join(moved)}", next=("bluegreen status -v",))
        if not followed:
            raise StepFailed(
                f"a switch would not move it: its route is not among those that are found for {self.joins}",
                next=("bluegreen config docs services",),
            )

    def _stayed(self, name: str, goes: tuple[Colour | None, tuple[str, ...]], now: Routed) -> bool:
        """Where a site joins or leaves, the service has more or fewer routes, and the same colour."""
        if name == self.leaves:
            return now[name][0] is goes[0] if name in now else True
        if name == self.joins:
            return name in now and now[name][0] is goes[0]
        return now.get(name) == goes

    async def _is_followed(self) -> bool:
        path = (await one(self.sites, self.site)).path
        traffic = await self.world.balancer.observe()
        return any(
            within(each, path) for found in traffic.services if found.service == self.joins for each in found.paths
        )


async def one(sites: Sites, name: str) -> Site:
    """The site of this name. Raises NotFound."""
    for site in await sites.sites():
        if site.name == name:
            return site
    raise NotFound(f"there is no site {name}", next=("bluegreen site show",))


def routed(traffic: Traffic) -> Routed:
    """Where each service goes."""
    return {each.service: (each.colour, each.dials) for each in traffic.services}


def within(path: str, outer: str) -> bool:
    """Whether a JSON path is at another one, or below it."""
    return f"{path}/".startswith(f"{outer}/")


def _failed(exc: BluegreenError) -> StepFailed:
    return StepFailed(f"after the change it cannot be told where users go: {exc.detail}", next=exc.next)
