"""From settings to the balancer: which one, in which mode, and what it can do beside switching. A part of wiring.py."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.balancers.caddy_upstreams import CaddyUpstreams
from bluegreen.domain.traffic import Service, Traffic
from bluegreen.ports import Clock, Timed, untimed
from bluegreen.ports_traffic import Arming, Balancer, InFlight, Shares
from bluegreen.settings import Settings
from bluegreen.wiring_cloudflare import cloudflare
from bluegreen.wiring_traefik import traefik

POINTER = "live"
"""The name of the pointer file in [caddy] dir."""


@dataclass(frozen=True, slots=True)
class Steered:
    """The balancer, and what it can do beside: each None where it cannot."""

    balancer: Balancer
    shares: Shares | None = None
    arming: Arming | None = None
    in_flight: InFlight | None = None
    glance: Callable[[], Awaitable[Traffic]] | None = None


@asynccontextmanager
async def opened(
    settings: Settings, services: Mapping[str, Service], clock: Clock, timed: Timed = untimed
) -> AsyncIterator[Steered]:
    """The balancer as configured, open."""
    async with AsyncExitStack() as stack:
        if settings.balancer == "traefik":
            balancer = await stack.enter_async_context(traefik(settings, services, clock, timed))
            yield Steered(balancer, shares=balancer)
            return
        if settings.balancer == "cloudflare":
            remote = await stack.enter_async_context(cloudflare(settings, tuple(services.values()), clock, timed))
            yield Steered(remote, shares=remote, glance=remote.glance)
            return
        upstreams = in_flight(settings)
        await stack.enter_async_context(upstreams.opened())
        caddy = await stack.enter_async_context(_caddy(settings, services, clock, timed))
        arming = caddy if isinstance(caddy, CaddyPointer) else None
        yield Steered(caddy, shares=caddy, arming=arming, in_flight=upstreams)


def in_flight(settings: Settings) -> CaddyUpstreams:
    """What is under way, asked on a client of its own."""
    caddy = settings.caddy
    return CaddyUpstreams(caddy.admin, timeout=caddy.timeout, allow_remote_admin=caddy.allow_remote_admin)


def style(settings: Settings) -> Style:
    """What is said of the arms in Caddy's configuration."""
    caddy, canary = settings.caddy, settings.canary
    return Style(
        pointer=pointer(settings) if caddy.mode == "pointer" else None,
        shares=canary.shares,
        cookie_domain=canary.cookie_domain,
        preview=canary.preview.get_secret_value() if canary.preview else None,
        fallback=caddy.fallback_to_previous,
        response_header_timeout=caddy.response_header_timeout,
        stream_close_delay=caddy.stream_close_delay,
    )


def pointer(settings: Settings) -> Path:
    """The file that says where users go, in mode "pointer"."""
    return settings.caddy.dir / POINTER


def _caddy(
    settings: Settings, services: Mapping[str, Service], clock: Clock, timed: Timed
) -> CaddyBalancer | CaddyPointer:
    caddy = settings.caddy
    made = CaddyPointer if caddy.mode == "pointer" else CaddyBalancer
    return made(
        caddy.admin,
        tuple(services.values()),
        timeout=caddy.timeout,
        clock=clock,
        directory=caddy.dir,
        allow_remote_admin=caddy.allow_remote_admin,
        reload=caddy.reload or (),
        timed=timed,
        style=style(settings),
    )
