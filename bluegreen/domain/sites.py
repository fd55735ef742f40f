"""A site: a host name that the balancer answers for, with a route of its own, set up once by `bluegreen site add`."""

from dataclasses import dataclass
from enum import StrEnum


class Tls(StrEnum):
    """Where the certificate of a site comes from."""

    AUTO = "auto"
    """As the balancer gets them for its other sites: automatic HTTPS, where that is on."""
    INTERNAL = "internal"
    """The balancer's own authority; for names that the public ones do not know."""


@dataclass(frozen=True, slots=True)
class SiteWish:
    """A site to be added: requests for `host` go to `dials`, by TLS where `scheme` is "https". `listen`: where the
    balancer must be listening for it already, as it writes it; empty: wherever it does."""

    name: str
    host: str
    dials: tuple[str, ...]
    scheme: str = "http"
    listen: str = ""
    tls: Tls = Tls.AUTO


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was added, as it stands: the JSON `path` of its route, what it dials (empty where more than one
    upstream list stands there), where the balancer listens for it."""

    name: str
    host: str
    path: str
    dials: tuple[str, ...]
    listen: tuple[str, ...]
    tls: Tls


@dataclass(frozen=True, slots=True)
class Left:
    """What a change of sites left that was cut off in the middle: the `file` with the whole configuration from before
    it, and `next`, what to type to put it back, or to keep what is."""

    file: str
    next: tuple[str, ...]


def answers_for(pattern: str, host: str) -> bool:
    """Whether a site as it is configured, maybe with a wildcard for its first label, means this host."""
    first, dot, rest = host.lower().partition(".")
    wanted = pattern.lower()
    return wanted in (host.lower(), f"*{dot}{rest}" if first else host.lower())
