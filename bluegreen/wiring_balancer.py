"""From settings to the balancer: which one, in which mode, and what it can do beside switching. A part of wiring.py."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.balancers.caddy_snippet import snippet
from bluegreen.adapters.balancers.caddy_upstreams import CaddyUpstreams
from bluegreen.adapters.balancers.cloudflare import CloudflareBalancer
from bluegreen.adapters.balancers.traefik import ENDPOINT as TRAEFIKS
from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.sites.caddy import CaddySites
from bluegreen.domain.errors import JournalUnreadable
from bluegreen.domain.traffic import Card, Service, Traffic
from bluegreen.ports import Cards, Clock, Timed, untimed
from bluegreen.ports_traffic import Arming, Balancer, InFlight, Shares
from bluegreen.settings import Settings
from bluegreen.wiring_cloudflare import cloudflare, cloudflare_of_card, is_cloudflares
from bluegreen.wiring_traefik import traefik

POINTER = "live"
"""The name of the pointer file in [caddy] dir."""


WHOLE_LOAD = 10.0
"""Seconds, at least, for Caddy to take a whole configuration."""

WayBack = CaddyBalancer | CaddyPointer | TraefikBalancer | CloudflareBalancer
"""A balancer that its card leads back, without configuration."""


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
        caddy = _caddy(settings, services, clock, timed)
        await stack.enter_async_context(caddy)
        arming = caddy if isinstance(caddy, CaddyPointer) else None
        yield Steered(caddy, shares=caddy, arming=arming, in_flight=upstreams)


async def believe(balancer: Balancer, cards: Cards) -> None:
    """Tell a balancer that follows a file what an open card says of it: it may not answer when we begin."""
    if isinstance(balancer, CaddyPointer):
        with suppress(JournalUnreadable):  # whoever needs the card tells that
            card = await cards.read()
            if card is not None and card.open:
                balancer.believe(card)


def way_back(card: Card, daemon_uid: int, reload: Sequence[str], settings: Settings | None = None) -> WayBack:
    """The balancer as its card knows it, for a cutback without the daemon; open it first. `settings`, where they can be
    read: only Cloudflare needs them, for its token. Raises ConfigurationError."""
    clock = SystemClock()
    if is_cloudflares(card):
        return cloudflare_of_card(card, settings, clock)
    if card.endpoint.startswith(TRAEFIKS):
        return TraefikBalancer.of_card(card, clock)
    made = CaddyPointer if card.pointer else CaddyBalancer
    return made.of_card(card, clock, daemon_uid=daemon_uid, reload=reload)


def sites(settings: Settings, state: Path) -> CaddySites | None:
    """Who sets up sites, keeping in the state directory what was there before; None where the balancer is no Caddy."""
    caddy = settings.caddy
    if settings.balancer != "caddy":
        return None
    timeout = max(caddy.timeout, WHOLE_LOAD)
    return CaddySites(caddy.admin, state, timeout=timeout, allow_remote_admin=caddy.allow_remote_admin)


def lines_for_caddyfile(settings: Settings, services: Mapping[str, Service]) -> str:
    """What keeps mode "pointer" over a reload of Caddy; nothing is asked of anybody."""
    return snippet(tuple(services.values()), style(settings))


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
