"""What the routes of `bluegreen site` send, as JSON. See models.py."""

from bluegreen.domain.sites import Tls
from bluegreen.interfaces.models_base import Answer


class Site(Answer):
    """A site as it stands: the JSON `path` of its route, what it dials, where Caddy listens for it."""

    name: str
    host: str
    path: str
    dials: tuple[str, ...]
    listen: tuple[str, ...]
    tls: Tls


class SiteShown(Answer):
    """A site, and the service whose users come by it, empty for none."""

    site: Site
    service: str


class Left(Answer):
    """What a change left that was cut off: the `file` with Caddy's configuration from before it, and what to type."""

    file: str
    next: tuple[str, ...]


class Sites(Answer):
    """The sites that were added, and what a change left that was cut off, null for nothing."""

    items: tuple[SiteShown, ...]
    left: Left | None


class SiteChange(Answer):
    """A site that was added or removed; `written` false: it was so already."""

    site: SiteShown
    written: bool
