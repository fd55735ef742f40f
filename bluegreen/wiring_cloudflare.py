"""From settings to Cloudflare's load balancer, for the daemon and for the way back without it. A part of
wiring_balancer.py."""

from collections.abc import Sequence

from bluegreen.adapters.balancers.cloudflare import PREFIX, CloudflareBalancer
from bluegreen.adapters.balancers.cloudflare_steering import Pools
from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.traffic import Card, Service
from bluegreen.ports import Clock, Timed, untimed
from bluegreen.settings import Settings


def cloudflare(settings: Settings, services: Sequence[Service], clock: Clock, timed: Timed) -> CloudflareBalancer:
    """The load balancer as configured. Raises ConfigurationError where keys are missing."""
    section = settings.cloudflare
    if section.missing or section.token is None:
        raise ConfigurationError(
            f"[cloudflare] {', '.join(section.missing)} is not set", next=("bluegreen config docs cloudflare",)
        )
    return CloudflareBalancer(
        services,
        zone=section.zone or "",
        account=section.account or "",
        load_balancer=section.load_balancer or "",
        pools=Pools(section.blue_pool or "", section.green_pool or ""),
        token=section.token.get_secret_value(),
        timeout=section.timeout,
        clock=clock,
        base=section.api,
        glance_every=section.look_every,
        fallback=section.fallback_to_previous,
        canary=bool(settings.canary.steps),
        timed=timed,
    )


def is_cloudflares(card: Card) -> bool:
    """Whether a cutback card was written for a load balancer at Cloudflare."""
    return card.endpoint.startswith(PREFIX)


def cloudflare_of_card(card: Card, settings: Settings | None, clock: Clock) -> CloudflareBalancer:
    """The load balancer that a cutback card names, with pools and token of the configuration: the card holds no
    secret. Raises ConfigurationError where the configuration cannot be used, or is of another load balancer."""
    place = card.endpoint.removeprefix(PREFIX)
    if settings is None:
        raise ConfigurationError(
            f"the way back is through Cloudflare ({place}), and its token stands in the configuration, which cannot be"
            " used from here",
            next=(
                "CREDENTIALS_DIRECTORY=/etc/bluegreen/credentials bluegreen cutback --offline",
                f"or set default_pools to the pool of {card.colour} alone: https://dash.cloudflare.com",
            ),
        )
    section = settings.cloudflare
    if place != f"zones/{section.zone}/load_balancers/{section.load_balancer}":
        raise ConfigurationError(
            f"the cutback card is for {place}, and [cloudflare] names another load balancer",
            next=("bluegreen cutback --offline --config FILE", "https://dash.cloudflare.com"),
        )
    return cloudflare(settings, card.services, clock, untimed)
