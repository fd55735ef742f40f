"""The bench of Cloudflare: the contract of a Balancer on a stand-in for its API. What cannot be there is skipped."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from bluegreen.adapters.balancers.cloudflare import CloudflareBalancer
from bluegreen.adapters.balancers.cloudflare_steering import Pools
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports_traffic import Balancer
from tests.adapters.balancers import sites
from tests.adapters.balancers.cloudflare_stand_in import (
    ACCOUNT,
    BLUE_POOL,
    GREEN_POOL,
    LOAD_BALANCER,
    OTHER_POOL,
    TOKEN,
    ZONE,
    CloudflareStandIn,
    Json,
    load_balancer,
    pool,
)

TIMEOUT = 2.5

UNCONDITIONAL = "Cloudflare's API has no conditional write: nobody is told of a foreign change, and no fence holds"
AS_ONE = "one load balancer sends all services: none can be moved alone"
REMEMBERS = "Cloudflare does not forget, and reads no file"


def dials(colour: Colour, services: Sequence[Service] = sites.SERVICES) -> list[str]:
    """All addresses of a colour."""
    return [dial for service in services for dial in service.addresses[colour]]


def stand_in(**keys: Json) -> CloudflareStandIn:
    """A load balancer on blue, with a pool for each colour and one of somebody else's."""
    return CloudflareStandIn(
        load_balancer(**keys),
        pool(BLUE_POOL, "blue", *dials(Colour.BLUE)),
        pool(GREEN_POOL, "green", *dials(Colour.GREEN)),
        pool(OTHER_POOL, "maintenance", "203.0.113.9:443"),
    )


def balancer_at(
    server: CloudflareStandIn, services: Sequence[Service] = sites.SERVICES, **keys: Json
) -> CloudflareBalancer:
    """A balancer that asks this stand-in."""
    given: dict[str, Any] = {
        "token": TOKEN,
        "timeout": TIMEOUT,
        "clock": sites.StoppedClock(),
        "base": server.base,
    } | keys
    return CloudflareBalancer(
        services,
        zone=ZONE,
        account=ACCOUNT,
        load_balancer=LOAD_BALANCER,
        pools=Pools(BLUE_POOL, GREEN_POOL),
        **given,
    )


class CloudflareBench:
    endpoint = f"cloudflare:zones/{ZONE}/load_balancers/{LOAD_BALANCER}"

    def __init__(self) -> None:
        self.server = stand_in()
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CloudflareBench"]:
        async with self.server, self._stack:
            self.balancer = await self._stack.enter_async_context(balancer_at(self.server))
            yield self

    def meet(self, *faults: Fault) -> None:
        if Fault.FOREIGN_CHANGE in faults:
            pytest.skip(UNCONDITIONAL)
        self.server.faults.extend(faults)

    async def land(self) -> None:
        if self.server.landed > 1:
            pytest.skip(UNCONDITIONAL)
        self.server.land()

    def written(self) -> int:
        return self.server.landed

    async def point(self, service: str, *dials: str) -> None:
        pytest.skip(AS_ONE)

    async def remove(self, service: str) -> None:
        pytest.skip(AS_ONE)

    async def restart(self) -> None:
        pytest.skip(REMEMBERS)

    async def unplug(self) -> None:
        await self.server.close()

    def keep_snippets(self, colour: Colour) -> None:
        pytest.skip(REMEMBERS)

    def reload_with(self, exit_code: int) -> Balancer:
        pytest.skip(REMEMBERS)

    def beside(self, *services: Service) -> Balancer:
        return balancer_at(self.server, services)
