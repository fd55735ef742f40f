"""Caddy as the balancer, in mode "rewrite": the upstreams of each service are rewritten through the admin
API.

One read and one conditional write per switch. The read is of all servers, and its ETag guards the write below
it: a foreign change anywhere among the routes, also one that only moves ours to another index, makes the
write fail (412) instead of hitting what then stands at the path. Measured facts: docs of caddy_admin,
caddy_change, caddy_routes.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bluegreen.adapters.balancers.addresses import refuse_malformed, refuse_unresolvable
from bluegreen.adapters.balancers.caddy_admin import CaddyAdmin, Reading
from bluegreen.adapters.balancers.caddy_change import change_to
from bluegreen.adapters.balancers.caddy_routes import SERVERS
from bluegreen.adapters.balancers.caddy_services import Located, locate, refuse_unfit, traffic_of
from bluegreen.adapters.balancers.endpoint import Endpoint
from bluegreen.adapters.balancers.snippets import Snippets
from bluegreen.domain.errors import BalancerError, MovedOutside
from bluegreen.domain.traffic import Card, Colour, Service, Traffic
from bluegreen.ports import Clock

CADDYS_USER = "caddy"
"""The user that Caddy's own packages run it as."""


class CaddyBalancer:
    """The Balancer port on a Caddy. Open it before use (`async with`, or `open` and `close`).

    `timeout` in seconds: of each request, of resolving hosts, of writing the snippets in `directory` (None:
    none are kept). The admin socket must belong to root, to us or to `socket_owner`.
    """

    def __init__(
        self,
        admin: str,
        services: Sequence[Service],
        *,
        timeout: float,
        clock: Clock,
        directory: Path | None = None,
        allow_remote_admin: bool = False,
        socket_owner: str = CADDYS_USER,
    ) -> None:
        self._admin = CaddyAdmin(
            Endpoint.parse(admin, allow_remote=allow_remote_admin), timeout=timeout, owner=socket_owner
        )
        self._written, self._services, self._timeout, self._clock = admin, tuple(services), timeout, clock
        self._directory = directory
        self._snippets = Snippets(directory, self._services)

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        await self._admin.open()

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        await self._admin.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def observe(self) -> Traffic:
        """Where every service goes now."""
        _, located = await self._look()
        return traffic_of(located)

    async def validate(self) -> None:
        """Refuse what Caddy accepts and then fails to dial. Raises AddressInvalid, and as `observe` does."""
        refuse_malformed(self._services)
        await refuse_unresolvable(self._services, self._timeout)
        _, located = await self._look()
        refuse_unfit(located)

    async def switch(self, colour: Colour, generation: int, *, expected: Colour | None = None) -> None:
        """One attempt to send every service to `colour`: one read, then at most one write (see the port)."""
        servers, located = await self._look()
        change = change_to(colour, generation, located, servers.value)
        if change is None:
            return
        traffic = traffic_of(located)
        if expected is not None and traffic.colour is not expected:
            raise MovedOutside(
                f"traffic is not all on {expected}, so it is not moved to {colour}: {traffic.describe()}",
                next=("bluegreen status",),
            )
        await self._admin.replace(change.path, change.value, servers.etag)

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs; `deployment` is empty, it is closed, and the failsafe may act on it."""
        traffic = await self.observe()
        return Card(
            deployment="",
            endpoint=self._written,
            colour=colour,
            generation=generation,
            services=self._services,
            paths={each.service: each.paths for each in traffic.services},
            snippets=str(self._directory) if self._directory else "",
            open=False,
            failsafe=True,
            written_at=self._clock.now(),
        )

    def persisted(self) -> Colour | None:
        """The colour in the snippet files."""
        return self._snippets.read()

    async def persist(self, colour: Colour) -> None:
        """Bring the snippet files that exist to `colour`."""
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.to_thread(self._snippets.write, colour)
        except TimeoutError as exc:
            raise BalancerError(
                f"the snippets in {self._directory} were not written within {self._timeout:g} s: does the disk hang?"
            ) from exc

    async def _look(self) -> tuple[Reading, tuple[Located, ...]]:
        reading = await self._admin.read(SERVERS)
        return reading, locate(reading.value, self._services)
