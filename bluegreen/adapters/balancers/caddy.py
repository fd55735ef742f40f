"""Caddy as the balancer, in mode "rewrite": the upstreams of each service are rewritten through the admin
API.

One read and one conditional write per switch. The read is of all servers, and its ETag guards the write below
it: a foreign change anywhere among the routes, also one that only moves ours to another index, makes the
write fail (412) instead of hitting what then stands at the path. Measured facts: docs of caddy_admin,
caddy_change, caddy_routes.

With a preview secret every write but the way back leaves arms, in which it leads to the other colour. The way back
(no `expected`) is never more than it must be.

A route that follows a file (set up for mode "pointer") does not tell us where users are: it is refused, but for the way
back, which puts the operator's own handler in its place.
"""

from collections.abc import Sequence

from bluegreen.adapters.balancers.addresses import refuse_overtaken
from bluegreen.adapters.balancers.caddy_admin import Reading
from bluegreen.adapters.balancers.caddy_base import CaddyBase
from bluegreen.adapters.balancers.caddy_change import Change, change_split, change_to
from bluegreen.adapters.balancers.caddy_costs import costs_of_loading
from bluegreen.adapters.balancers.caddy_going import previewed
from bluegreen.adapters.balancers.caddy_services import Located, traffic_of
from bluegreen.domain.errors import RouteNotFound
from bluegreen.domain.traffic import Colour, Split, Traffic


class CaddyBalancer(CaddyBase):
    """The Balancer port on a Caddy, and the ports Shares and Costs beside it, through its admin API alone."""

    async def observe(self) -> Traffic:
        """Where every service goes now."""
        _, located = await self._look()
        return _traffic_of(located)

    async def validate(self) -> None:
        """Refuse what Caddy accepts and then fails to dial. Raises AddressInvalid, and as `observe` does."""
        _refuse_following(await self._validated())

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`: one read, then at most one write (see the port)."""
        read, located = await self._look()
        style, wished = self._style, bool(self._style.preview)
        if wished and expected is None and _stands(located, colour, generation, fallback=fallback):
            return  # with a preview beside it, which the way back does not bring
        preview = wished and expected is not None
        change = change_to(colour, generation, located, read.value, style, fallback=fallback, preview=preview)
        await self._make(change, read, located, colour, generation, expected)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out, as `switch` makes its own."""
        read, located = await self._look()
        change = change_split(split, generation, located, read.value, self._style)
        await self._make(change, read, located, split.colour, generation, expected)

    async def previews(self) -> bool:
        """Whether the secret leads to the colour that nobody is sent to, at every service."""
        _, located = await self._look()
        live, secret = _traffic_of(located).colour, self._style.preview or ""
        return live is not None and all(
            previewed(each.service, handler, secret) is live.other for each in located for handler in each.handlers
        )

    async def costs(self) -> tuple[str, ...]:
        """What a switch costs users: one more load of Caddy's configuration."""
        _, located = await self._look()
        return costs_of_loading(located, self._style)

    async def _make(
        self,
        change: Change | None,
        read: Reading,
        located: Sequence[Located],
        colour: Colour,
        generation: int,
        expected: Colour | Split | None,
    ) -> None:
        if change is None:
            return
        if expected is not None:
            refuse_overtaken(_traffic_of(located), colour, generation, expected)
        await self._change(change, read)


def _stands(located: Sequence[Located], colour: Colour, generation: int, *, fallback: bool) -> bool:
    traffic = traffic_of(located)
    goes = {(each.colour, each.generation, each.fallback) for each in traffic.services}
    return goes == {(colour, generation, fallback)}


def _traffic_of(located: Sequence[Located]) -> Traffic:
    _refuse_following(located)
    return traffic_of(located)


def _refuse_following(located: Sequence[Located]) -> None:
    for each in located:
        for handler in each.handlers:
            if handler.armed is not None and handler.armed.pointer:
                kept = "" if handler.original else ", and take our lines out of the Caddyfile"
                raise RouteNotFound(
                    f'{handler.place}, which serves {each.service.name}, was set up for mode = "pointer": it follows '
                    f'{handler.armed.pointer}, and [caddy] mode is "rewrite". Disarm it first, in mode "pointer"{kept}',
                    next=('[caddy] mode = "pointer"', "bluegreen caddy disarm", '[caddy] mode = "rewrite"'),
                    service=each.service.name,
                    path=handler.place,
                )
