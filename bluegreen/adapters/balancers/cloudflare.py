"""Cloudflare Load Balancing as the balancer: each colour has a pool, and a switch changes which pool takes the users.

One load balancer is one hostname, with more of them pointing to it by CNAME: it carries all [[services]], so one PATCH
moves them together. The API has no conditional write: a change is made after a fresh look at what it should replace,
and a change that got no answer may land over a later one. The stamp in the description tells it then: it is lower than
ours. What the keys mean: cloudflare_steering; what may be in the way: cloudflare_fitness.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from bluegreen.adapters.balancers.addresses import refuse_malformed, refuse_overtaken, refuse_unresolvable
from bluegreen.adapters.balancers.cloudflare_api import HTTPS, CloudflareApi
from bluegreen.adapters.balancers.cloudflare_fitness import costs, refuse_unfit_pools, refuse_unsteerable
from bluegreen.adapters.balancers.cloudflare_steering import Object, Pools, is_so, keys_for, steering
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Card, Colour, Service, Split, Traffic
from bluegreen.ports import Clock, Timed, untimed

PREFIX = "cloudflare:"
"""What the endpoint of a cutback card begins with, before the place of the load balancer."""


class CloudflareBalancer:
    """The ports Balancer, Shares and Costs on a load balancer of Cloudflare. Open it before use (`async with`, or
    `open` and `close`).

    `timeout` in seconds, of each request and of resolving hosts; `glance_every` in seconds, for `glance`. `fallback`
    and `canary`: whether the configuration wishes for them, so that `validate` and `costs` speak of them.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        zone: str,
        account: str,
        load_balancer: str,
        pools: Pools,
        token: str,
        timeout: float,
        clock: Clock,
        base: str = HTTPS,
        glance_every: float = 5.0,
        fallback: bool = False,
        canary: bool = False,
        timed: Timed = untimed,
    ) -> None:
        """`timed` is told of each "read" and "write"."""
        self._api = CloudflareApi(base, token, timeout=timeout, timed=timed)
        self._services, self._pools, self._timeout, self._clock = tuple(services), pools, timeout, clock
        self._place = f"zones/{zone}/load_balancers/{load_balancer}"
        self._pool_place = f"accounts/{account}/load_balancers/pools"
        self._every, self._fallback, self._canary = glance_every, fallback, canary
        self._glanced: tuple[float, Traffic | BalancerError] | None = None
        self._changes = 0

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        await self._api.open()

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        await self._api.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def observe(self) -> Traffic:
        """Where every service goes now, asked anew."""
        return self._traffic(await self._api.read(self._place))

    async def glance(self) -> Traffic:
        """The same, or what was seen (or failed) less than `glance_every` seconds ago and was not changed by us since:
        for who looks all the time, since the API counts how often it is asked."""
        now = self._clock.monotonic()
        if self._glanced is None or now - self._glanced[0] >= self._every:
            changes, seen = self._changes, await self._seen()
            if changes != self._changes:  # a change of ours overtook this look: it saw another moment
                seen = await self._seen()
            self._glanced = now, seen
        seen = self._glanced[1]
        if isinstance(seen, BalancerError):
            raise seen
        return seen

    async def _seen(self) -> Traffic | BalancerError:
        try:
            return await self.observe()
        except BalancerError as exc:
            return exc

    async def validate(self) -> None:
        """Refuse addresses, pools and settings of the load balancer with which a switch would not do what it says.
        Raises AddressInvalid, and as `observe` does."""
        refuse_malformed(self._services)
        await refuse_unresolvable(self._services, self._timeout)
        found = await self._api.read(self._place)
        refuse_unsteerable(found, steering(found, self._pools))
        pools = {colour: await self._api.read(f"{self._pool_place}/{self._pools.of(colour)}") for colour in Colour}
        refuse_unfit_pools(pools, self._services, fallback=self._fallback)

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`: one look, then at most one change (see the port)."""
        await self._send(colour, colour, generation, expected, fallback=fallback)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out, by Cloudflare's weights and its cookie (see the port)."""
        await self._send(split, split.colour, generation, expected)

    async def _send(
        self,
        to: Colour | Split,
        colour: Colour,
        generation: int,
        expected: Colour | Split | None,
        *,
        fallback: bool = False,
    ) -> None:
        found = await self._api.read(self._place)
        keys = keys_for(to, generation, found, self._pools, fallback=fallback)
        if is_so(keys, found):
            return
        if expected is not None:
            refuse_overtaken(self._traffic(found), colour, generation, expected)
        try:
            await self._api.change(self._place, keys)
        finally:
            self._changes, self._glanced = self._changes + 1, None

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs but for the token, which only the configuration has: the card holds no secret.
        `deployment` is empty, it is closed, and the failsafe may act on it."""
        seen = await self.observe()
        blank = Card.blank(f"{PREFIX}{self._place}", colour, generation, self._services, seen, self._clock.now())
        return replace(
            blank,
            timeout=self._timeout,
        )

    def persisted(self) -> Colour | None:
        """Nothing is kept in a file: Cloudflare does not forget."""
        return None

    async def persist(self, colour: Colour) -> None:
        """Nothing to do."""

    async def reload(self) -> str:
        """There is no file that Cloudflare would read again. Raises BalancerError."""
        raise BalancerError(
            "Cloudflare has no configuration file of its own that could be read again: no reload is configured",
            next=("https://www.cloudflarestatus.com", "set the pools in Cloudflare's dashboard"),
        )

    async def costs(self) -> tuple[str, ...]:
        """What a switch means for users of this load balancer as it is now. Raises as `observe` does."""
        return tuple(costs(await self._api.read(self._place), fallback=self._fallback, canary=self._canary))

    def _traffic(self, found: Object) -> Traffic:
        return steering(found, self._pools).traffic(self._services, self._place)
