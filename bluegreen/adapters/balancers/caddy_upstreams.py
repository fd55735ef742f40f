"""How many requests each upstream of Caddy has under way: `GET /reverse_proxy/upstreams` of its admin API.

Rests on (https://caddyserver.com/docs/api, measured with 2.11, pinned in test_caddy_upstreams.py): the list names each
dial as it is configured, with `num_requests`, the requests that were sent to it and are not ended; server-sent events,
long polls and WebSockets are among them for as long as they last. A dial that no route names any more stays in the list
until its last request has ended; once a route names it again it begins at 0. The same place in two spellings stands
there twice.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from bluegreen.adapters.balancers.caddy_admin import CaddyAdmin
from bluegreen.adapters.balancers.caddy_base import CADDYS_USER
from bluegreen.adapters.balancers.endpoint import Endpoint
from bluegreen.domain.traffic import normal

PATH = "/reverse_proxy/upstreams"


class Upstream(msgspec.Struct):
    """One line of the list."""

    address: str
    num_requests: int = 0


class CaddyUpstreams:
    """The InFlight port on Caddy's admin API, with a client of its own: what it waits for delays no switch."""

    def __init__(
        self, admin: str, *, timeout: float, allow_remote_admin: bool = False, socket_owner: str = CADDYS_USER
    ) -> None:
        """`timeout` in seconds for one question; the socket must belong to root, to us or to `socket_owner`."""
        endpoint = Endpoint.parse(admin, allow_remote=allow_remote_admin)
        self._admin = CaddyAdmin(endpoint, timeout=timeout, owner=socket_owner)
        self._users = 0
        self._list = msgspec.json.Decoder(list[Upstream] | None)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Usable while this lasts, also where it is opened more than once at a time; nothing is sent."""
        if not self._users:
            await self._admin.open()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self._admin.close()

    async def in_flight(self) -> Mapping[str, int]:
        """How many requests each dial, in one spelling, has under way. Raises BalancerUnreachable."""
        body = await self._admin.get(PATH)
        try:
            listed = self._list.decode(body) or []
        except msgspec.DecodeError as exc:
            raise self._admin.unreachable(f"what answers there is no Caddy: {exc}") from exc
        found: dict[str, int] = {}
        for upstream in listed:
            dial = normal(upstream.address)
            found[dial] = max(found.get(dial, 0), upstream.num_requests)
        return found
