"""Caddy as the balancer, in mode "rewrite": the upstreams of each service are rewritten through the admin
API.

One read and one conditional write per switch. The read is of all servers, and its ETag guards the write below
it: a foreign change anywhere among the routes, also one that only moves ours to another index, makes the
write fail (412) instead of hitting what then stands at the path. Measured facts: docs of caddy_admin,
caddy_change, caddy_routes.
"""

from bluegreen.adapters.balancers.addresses import refuse_overtaken
from bluegreen.adapters.balancers.caddy_base import CaddyBase
from bluegreen.adapters.balancers.caddy_change import change_split, change_to
from bluegreen.adapters.balancers.caddy_costs import costs_of_loading
from bluegreen.adapters.balancers.caddy_services import traffic_of
from bluegreen.domain.traffic import Colour, Split, Traffic


class CaddyBalancer(CaddyBase):
    """The Balancer port on a Caddy, and the Shares port beside it, through its admin API alone."""

    async def observe(self) -> Traffic:
        """Where every service goes now."""
        _, located = await self._look()
        return traffic_of(located)

    async def validate(self) -> None:
        """Refuse what Caddy accepts and then fails to dial. Raises AddressInvalid, and as `observe` does."""
        await self._validated()

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`: one read, then at most one write (see the port)."""
        servers, located = await self._look()
        change = change_to(colour, generation, located, servers.value, self._style, fallback=fallback)
        if change is None:
            return
        if expected is not None:
            refuse_overtaken(traffic_of(located), colour, generation, expected)
        await self._admin.replace(change.path, change.value, servers.etag)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out, as `switch` makes its own."""
        servers, located = await self._look()
        change = change_split(split, generation, located, servers.value, self._style)
        if change is None:
            return
        refuse_overtaken(traffic_of(located), split.colour, generation, expected)
        await self._admin.replace(change.path, change.value, servers.etag)

    async def costs(self) -> tuple[str, ...]:
        """What a switch costs users; see the port Costs."""
        _, located = await self._look()
        return costs_of_loading(located, self._style)
