"""Whether a load balancer of Cloudflare and the pools of the two colours can carry a switch at all, and what one costs.

Rests on Cloudflare's public documentation: a pool needs a monitor for anybody to notice that it is down; a session
affinity keeps a user with the origin of his cookie; a load balancer that is not proxied answers by DNS alone, and
resolvers remember the old answer.
"""

from collections.abc import Iterator, Sequence

from bluegreen.adapters.balancers.cloudflare_steering import NO_AFFINITY, Object, Steering
from bluegreen.domain.errors import AddressInvalid, RouteAmbiguous
from bluegreen.domain.traffic import Colour, Service, normal

DASHBOARD = ("correct it in Cloudflare's dashboard (Traffic, Load Balancing)",)

DEFAULT_SESSION = 82800
"""Seconds that a session's cookie lives where nothing is set: 23 hours."""


def refuse_unsteerable(found: Object, seen: Steering) -> None:
    """Raise AddressInvalid or RouteAmbiguous where a switch of this load balancer would not do what it promises."""
    name = found.get("name")
    if found.get("proxied") is False:
        raise AddressInvalid(
            f"the load balancer {name} is DNS-only (grey cloud): resolvers would go on sending users to the old colour",
            next=DASHBOARD,
        )
    if len(seen.colours) > 1 and seen.generation is None:
        raise RouteAmbiguous(
            f"the load balancer {name} has the pools of both colours: Cloudflare may send users to either",
            next=("leave only the live colour's pool in default_pools, in Cloudflare's dashboard",),
        )


def refuse_unfit_pools(found: dict[Colour, Object], services: Sequence[Service], *, fallback: bool) -> None:
    """Raise AddressInvalid for a pool that could not serve its colour, or serves the other one's."""
    owners: dict[str, Colour] = {}
    for colour, pool in found.items():
        origins = [_place(each) for each in pool.get("origins") or [] if each.get("enabled", True)]
        if pool.get("enabled") is False or not origins:
            raise _invalid(colour, pool, "is switched off, or has no origin that is on")
        if fallback and not pool.get("monitor"):
            raise _invalid(
                colour, pool, "has no monitor: Cloudflare would not notice that it is down, and never fall back"
            )
        foreign = {normal(address) for service in services for address in service.addresses[colour.other]}
        for place in origins:
            if place in foreign:
                raise _invalid(colour, pool, f"has the origin {place}, which [[services]] names for {colour.other}")
            if owners.setdefault(place, colour) is not colour:
                raise _invalid(colour, pool, f"has the origin {place}, and so has the pool of {colour.other}")


def costs(found: Object, *, fallback: bool, canary: bool) -> Iterator[str]:
    """What a switch of this load balancer means for users, in words."""
    yield "Cloudflare: one change of its load balancer; its data centres follow within seconds, each on its own"
    affinity = str(found.get("session_affinity") or "none")
    if affinity not in NO_AFFINITY:
        hours = float(found.get("session_affinity_ttl") or DEFAULT_SESSION) / 3600
        drain = (found.get("session_affinity_attributes") or {}).get("drain_duration") or 0
        yield (
            f"Cloudflare: session_affinity is {affinity!r}: whoever has a session may stay with the old colour for up"
            f" to {hours:g} h after the switch (drain_duration: {drain:g} s), and with the new one after a cutback;"
            " keep the old colour up that long, or set session_affinity to none"
        )
    if canary:
        yield (
            "Cloudflare: a share counts new sessions: it is kept by Cloudflare's own cookie, which the switch ends; who"
            " met the old colour in one step stays there in the next ones"
        )
    if fallback:
        yield (
            "Cloudflare: while it is watched, Cloudflare itself moves users to the old colour where the new pool's"
            " monitor fails: after the monitor's interval and retries, and back again when it passes"
        )


def _place(origin: Object) -> str:
    """An origin as a dial: its address with its port, 0 being the scheme's own."""
    return normal(f"{origin.get('address')}:{origin.get('port') or 0}")


def _invalid(colour: Colour, pool: Object, why: str) -> AddressInvalid:
    return AddressInvalid(f"Cloudflare's pool {pool.get('name')}, of {colour}, {why}", next=DASHBOARD)
