"""The way users come in, whichever balancer is configured: what the rest needs to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bluegreen.settings.model import Settings

Balancer = Literal["caddy", "traefik", "cloudflare"]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Of the balancer that is configured. `section` is its table in the file, `name` what people call it; `verify` as
    `front_door_verify`; `reload` the argv that makes it read its own files again, empty where there is none."""

    section: Balancer
    name: str
    front_door: str
    verify: bool | None
    access_log: Path | None
    on_drift: Literal["alert", "restore"]
    reload: Sequence[str] = ()


def entrance_of(settings: "Settings") -> Entrance:
    """The balancer's own answers."""
    if settings.balancer == "traefik":
        traefik = settings.traefik
        return Entrance(
            section="traefik",
            name="Traefik",
            front_door=traefik.front_door,
            verify=traefik.front_door_verify,
            access_log=traefik.access_log,
            on_drift=traefik.on_drift,
        )
    caddy = settings.caddy
    return Entrance(
        section="caddy",
        name="Caddy",
        front_door=caddy.front_door,
        verify=caddy.front_door_verify,
        access_log=caddy.access_log,
        on_drift=caddy.on_drift,
        reload=tuple(caddy.reload or ()),
    )
