"""Where users go: colours, services, what the balancer dials, and the card that leads back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self


class Colour(StrEnum):
    """Two permanent places to run the stack. Neither is "the new one" for ever."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Colour":
        """The colour that this one is not."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


def normal(dial: str) -> str:
    """One spelling of a dial, to compare it: without the prefix `tcp/`, in lower case, `localhost` as 127.0.0.1."""
    host, colon, port = dial.strip().lower().removeprefix("tcp/").rpartition(":")
    if not colon:
        return port
    return f"{'127.0.0.1' if host in ('', 'localhost') else host}:{port}"


@dataclass(frozen=True, slots=True)
class Service:
    """One routed part of the stack: the sites it answers for and where each colour of it listens.

    `addresses` are dials ("host:port", no scheme); `scheme` is one for both colours, since a rewritten dial
    cannot change a handler's transport. `path` is asked by probes and by the proof through the front door.
    """

    name: str
    addresses: Mapping[Colour, tuple[str, ...]]
    site: str | None = None
    scheme: str = "http"
    probe_path: str = "/"
    every_route: bool = False

    @property
    def host(self) -> str | None:
        """The name to ask for (Host, SNI): the site, a wildcard's label filled in; None without a site."""
        return self.site.replace("*", "bluegreen", 1) if self.site else None


@dataclass(frozen=True, slots=True)
class Split:
    """`share` (of 1) of the users meet `colour`, the others the other one; each user always the same. A canary."""

    colour: Colour
    share: float

    def __str__(self) -> str:
        return f"{100 * self.share:g} % of the users on {self.colour}, the others on {self.colour.other}"


@dataclass(frozen=True, slots=True)
class ServiceTraffic:
    """Where the balancer sends one service: JSON `paths` of the handlers, their dials, the colour those belong to.
    `split`: both colours, by our own doing; then `colour` is None. `fallback`: `colour` first, and the other one where
    that does not answer, by our own doing; then the dials are of both."""

    service: str
    paths: tuple[str, ...]
    dials: tuple[str, ...]
    colour: Colour | None
    generation: int | None
    split: Split | None = None
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Traffic:
    """Where the balancer sends users now, service by service."""

    services: tuple[ServiceTraffic, ...]

    @property
    def colour(self) -> Colour | None:
        """The colour that serves every service; None when it is neither, both or mixed."""
        colours = {service.colour for service in self.services}
        return colours.pop() if len(colours) == 1 else None

    @property
    def split(self) -> Split | None:
        """The one split of every service; None where one of them is not split, or differently."""
        splits = {service.split for service in self.services}
        return splits.pop() if len(splits) == 1 else None

    @property
    def fallback(self) -> bool:
        """Whether the balancer itself lets the other colour answer, for any service, where this one does not."""
        return any(service.fallback for service in self.services)

    @property
    def generation(self) -> int | None:
        """Our stamp, when every service carries the same one."""
        stamps = {service.generation for service in self.services}
        return stamps.pop() if len(stamps) == 1 else None

    @property
    def highest_generation(self) -> int:
        """The highest stamp seen anywhere; 0 without one."""
        return max((service.generation or 0 for service in self.services), default=0)

    def describe(self) -> str:
        """One line for people: each service with what it dials."""
        return ", ".join(_describe(service) for service in self.services)


def _describe(service: ServiceTraffic) -> str:
    aside = f" ({service.split})" if service.split else f" ({service.colour} first)" if service.fallback else ""
    return f"{service.service} -> {' '.join(service.dials) or 'nothing'}{aside}"


@dataclass(frozen=True, slots=True)
class Card:
    """The cutback card: all that is needed to send users back to `colour`, without journal or database.

    `open` from the first forward write to the end of STANDING_BY; `failsafe` is False where only an operator
    may go back (kind rollback, paused, the old colour known dead, STRANDED). How to reach the balancer, too, stands
    here, since the configuration may be what is broken: `timeout` in seconds for a request, the user its socket belongs
    to, the uid of the daemon, whether a TCP address of another machine is meant. No command: root would run it.
    `pointer`: the file that is replaced to send users elsewhere (`mode = "pointer"`); empty in mode "rewrite".
    """

    deployment: str
    endpoint: str
    colour: Colour
    generation: int
    services: tuple[Service, ...]
    paths: Mapping[str, tuple[str, ...]]
    snippets: str
    open: bool
    failsafe: bool
    written_at: datetime
    timeout: float = 5.0
    socket_owner: str = "caddy"
    daemon_uid: int | None = None
    allow_remote_admin: bool = False
    pointer: str = ""

    @classmethod
    def blank(
        cls, endpoint: str, colour: Colour, generation: int, services: tuple[Service, ...], seen: Traffic, at: datetime
    ) -> Self:
        """The card of no deployment yet, for the way back to `colour` from what was `seen`: closed, and the failsafe
        may act on it."""
        return cls(
            deployment="",
            endpoint=endpoint,
            colour=colour,
            generation=generation,
            services=services,
            paths={each.service: each.paths for each in seen.services},
            snippets="",
            open=False,
            failsafe=True,
            written_at=at,
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """What a cutback without the daemon leaves for the next one: which deployment was taken back to which colour,
    under which generation, by whom and when. `failsafe`: nobody asked for it but the failsafe unit."""

    deployment: str
    colour: Colour
    generation: int
    by: str
    at: datetime
    failsafe: bool = False
    reason: str = ""
