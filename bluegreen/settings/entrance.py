"""The way users come in, whichever balancer is configured: what the rest needs to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bluegreen.settings.sections import Caddy
from bluegreen.settings.sections_cloudflare import Cloudflare
from bluegreen.settings.sections_traefik import Traefik

Balancer = Literal["caddy", "traefik", "cloudflare"]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Of the balancer that is configured. `section` is its table in the file, `name` what people call it; `verify` as
    `front_door_verify`; `reload` the argv that makes it read its own files again, empty where there is none.
    `fallback`: it lets the old colour answer by itself, while a release is watched."""

    section: Balancer
    name: str
    front_door: str
    verify: bool | None
    access_log: Path | None
    on_drift: Literal["alert", "restore"]
    reload: Sequence[str] = ()
    fallback: bool = False


def entrance_of(balancer: Balancer, caddy: Caddy, traefik: Traefik, cloudflare: Cloudflare) -> Entrance:
    """What the section of the balancer says."""
    if balancer == "traefik":
        return Entrance(
            section="traefik",
            name="Traefik",
            front_door=traefik.front_door,
            verify=traefik.front_door_verify,
            access_log=traefik.access_log,
            on_drift=traefik.on_drift,
        )
    if balancer == "cloudflare":
        return Entrance(
            section="cloudflare",
            name="Cloudflare",
            front_door=cloudflare.front_door,
            verify=None,
            access_log=None,
            on_drift=cloudflare.on_drift,
            fallback=cloudflare.fallback_to_previous,
        )
    return Entrance(
        section="caddy",
        name="Caddy",
        front_door=caddy.front_door,
        verify=caddy.front_door_verify,
        access_log=caddy.access_log,
        on_drift=caddy.on_drift,
        reload=tuple(caddy.reload or ()),
        fallback=caddy.fallback_to_previous,
    )
