"""What a Cloudflare load balancer's keys mean for the two colours, and the keys that send users elsewhere. Pure.

Rests on Cloudflare's public documentation (Load Balancing: "Standard traffic steering policies", "How endpoints and
pools become unhealthy", "Session affinity"): `default_pools` are in the order of failover; with `steering_policy`
"off" the first healthy one takes all, and the next one where a monitor calls it critical; with "random" a new session
goes by `random_steering.pool_weights`. `fallback_pool` takes all where every pool is critical. `region_pools`,
`country_pools`, `pop_pools` and `rules` go before `default_pools`. Our stamp stands in the description.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.domain.errors import ChangeRefused, RouteAmbiguous, RouteNotFound
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Split, Traffic

Object = Mapping[str, Json]

STAMP = re.compile(r"\s*\[bluegreen g(?P<generation>\d+)(?P<cookie>, its cookie)?\]")
"""What we append to the description. "its cookie": the session affinity is ours, as long as users are shared out."""

OVERRULING = ("region_pools", "country_pools", "pop_pools")
"""Keys that send some users past `default_pools`."""

NO_AFFINITY = ("", "none")


@dataclass(frozen=True, slots=True)
class Pools:
    """The pool of each colour, by its id."""

    blue: str
    green: str

    def of(self, colour: Colour) -> str:
        """The pool of a colour."""
        return self.blue if colour is Colour.BLUE else self.green

    def colour(self, pool: str) -> Colour | None:
        """Whose pool this is; None where it is neither's."""
        return next((colour for colour in Colour if self.of(colour) == pool), None)


@dataclass(frozen=True, slots=True)
class Steering:
    """Where a load balancer sends users: `colours` in the order of its pools, our stamp, and what they mean together.
    `colour` None: both, not by our doing. `ours`: its session affinity was set for a split of ours."""

    colours: tuple[Colour, ...]
    colour: Colour | None
    split: Split | None
    fallback: bool
    generation: int | None
    ours: bool

    def traffic(self, services: tuple[Service, ...], place: str) -> Traffic:
        """The same for every service: one load balancer sends all of them. The dials are those of the configuration,
        since what Cloudflare dials (a public address, a tunnel) may be another name for them."""
        return Traffic(
            tuple(
                ServiceTraffic(
                    service=service.name,
                    paths=(place,),
                    dials=tuple(dict.fromkeys(dial for each in self.colours for dial in service.addresses[each])),
                    colour=self.colour,
                    generation=self.generation,
                    split=self.split,
                    fallback=self.fallback,
                )
                for service in services
            )
        )


def steering(found: Object, pools: Pools) -> Steering:
    """Read a load balancer. Raises RouteNotFound where it is switched off or has a pool that is neither's,
    RouteAmbiguous where other keys than `default_pools` decide for some users."""
    name = found.get("name")
    if found.get("enabled") is False:
        raise RouteNotFound(
            f"the load balancer {name} is switched off", next=("switch it on in Cloudflare's dashboard",)
        )
    overruled = [key for key in OVERRULING if found.get(key)] + (["rules"] if _overruling_rule(found) else [])
    if overruled:
        raise RouteAmbiguous(
            f"the load balancer {name} has {' and '.join(overruled)}: they send some users past default_pools, and"
            " bluegreen could not move those",
            next=("remove them in Cloudflare's dashboard, or use a load balancer without them",),
        )
    colours = _colours(found, pools)
    generation, ours = stamp(found)
    policy = found.get("steering_policy") or "off"
    split = _split(found, pools, colours) if ours and policy == "random" and len(colours) > 1 else None
    first = len(colours) == 1 or policy == "off"
    return Steering(
        colours=colours,
        colour=colours[0] if first else None,
        split=split,
        fallback=first and len(colours) > 1,
        generation=generation,
        ours=ours,
    )


def stamp(found: Object) -> tuple[int | None, bool]:
    """Our generation in the description, None without one; and whether the session affinity is ours."""
    stamped = STAMP.search(str(found.get("description") or ""))
    return (int(stamped["generation"]), stamped["cookie"] is not None) if stamped else (None, False)


def keys_for(to: Colour | Split, generation: int, found: Object, pools: Pools, *, fallback: bool = False) -> Object:
    """What to change in a load balancer so that users go there; all other keys stay as they are."""
    keys = _keys_of_split(to, found, pools) if isinstance(to, Split) else _keys_of_colour(to, found, pools, fallback)
    text = STAMP.sub("", str(found.get("description") or ""))
    cookie = ", its cookie" if isinstance(to, Split) else ""
    return {**keys, "description": f"{text} [bluegreen g{generation}{cookie}]".strip()}


def is_so(keys: Object, found: Object) -> bool:
    """Whether a load balancer has all of these keys already."""
    return all(found.get(key) == value for key, value in keys.items())


def _keys_of_colour(colour: Colour, found: Object, pools: Pools, fallback: bool) -> dict[str, Json]:
    keys: dict[str, Json] = {
        "default_pools": [pools.of(colour), pools.of(colour.other)] if fallback else [pools.of(colour)],
        "fallback_pool": pools.of(colour),
        "steering_policy": "off",
    }
    return {**keys, "session_affinity": "none"} if stamp(found)[1] else keys


def _keys_of_split(split: Split, found: Object, pools: Pools) -> dict[str, Json]:
    if not stamp(found)[1] and found.get("session_affinity") not in (None, *NO_AFFINITY):
        raise ChangeRefused(
            f"users are not shared out: the load balancer {found.get('name')} has session_affinity ="
            f" {found.get('session_affinity')!r} of its own, and whoever holds its cookie would stay where he is",
            next=("set session_affinity to none in Cloudflare's dashboard, or remove [canary]",),
        )
    share = round(split.share, 2)
    if share != round(split.share, 6):
        raise ChangeRefused(
            f"{100 * split.share:g} % of the users: Cloudflare's weights go by 0.01, so a share is a whole percentage",
            next=("bluegreen config docs canary",),
        )
    new, old = pools.of(split.colour), pools.of(split.colour.other)
    return {
        "default_pools": [new, old],
        "fallback_pool": old,
        "steering_policy": "random",
        "random_steering": {"default_weight": 1, "pool_weights": {new: share, old: round(1 - share, 2)}},
        "session_affinity": "cookie",
    }


def _colours(found: Object, pools: Pools) -> tuple[Colour, ...]:
    given = [str(each) for each in found.get("default_pools") or []]
    strange = [pool for pool in given if pools.colour(pool) is None]
    if strange or not given:
        told = f"the pool {', '.join(strange)}, which is neither colour's" if strange else "no pool at all"
        raise RouteNotFound(
            f"the load balancer {found.get('name')} sends users to {told}",
            next=("compare blue_pool and green_pool of [cloudflare] with Cloudflare's dashboard",),
        )
    return tuple(dict.fromkeys(colour for pool in given if (colour := pools.colour(pool)) is not None))


def _split(found: Object, pools: Pools, colours: tuple[Colour, ...]) -> Split | None:
    """The split of ours; None where its weights, or its affinity, are not what we write."""
    steered = found.get("random_steering") or {}
    weights = steered.get("pool_weights") or {}
    new, old = (weights.get(pools.of(each)) for each in colours)
    if new is None or old is None or round(new + old, 6) != 1 or found.get("session_affinity") != "cookie":
        return None
    return Split(colours[0], round(float(new), 4))


def _overruling_rule(found: Object) -> bool:
    """Whether a rule that is on sends users elsewhere, or answers by itself."""
    rules = found.get("rules") or []
    return any(not rule.get("disabled") and (rule.get("overrides") or rule.get("fixed_response")) for rule in rules)
