"""What callers of the routes of `bluegreen site` send, validated. See requests.py."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from bluegreen.app.requests import SiteRequest as WantedSite
from bluegreen.domain.sites import Tls
from bluegreen.interfaces.requests import PATTERNS, RELEASE, Reason, ReasonRequest, ReleaseName, Request

HOST = r"^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
DIAL = r"^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}$"
LISTEN = r"^[A-Za-z0-9.:\[\]/_-]{1,255}$"

PATTERNS.update(
    {
        HOST: "must be a host name such as shop.example.org, maybe with *. before it",
        DIAL: "must be an address as Caddy dials it: HOST:PORT",
        LISTEN: "must be a place to listen as Caddy writes it: :443 or 127.0.0.1:8080",
    }
)


class SiteRequest(Request):
    """A site: for the live colour of `service`, or for the addresses in `dials`."""

    name: ReleaseName
    host: Annotated[str, Field(pattern=HOST, max_length=253)]
    service: Annotated[str, Field(pattern=RELEASE)] | None = None
    dials: Annotated[tuple[Annotated[str, Field(pattern=DIAL)], ...], Field(max_length=64, strict=False)] = ()
    scheme: Annotated[str, Field(pattern=r"^https?$")] | None = None
    listen: Annotated[str, Field(pattern=LISTEN)] | None = None
    tls: Annotated[Tls, Field(strict=False)] = Tls.AUTO
    reason: Reason = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.service is None) == (not self.dials):
            raise ValueError('give either "service" or "dials"')
        if self.service is not None and self.scheme is not None:
            raise ValueError('the "scheme" of a service is configured')
        if any(int(dial.rpartition(":")[2]) not in range(1, 65536) for dial in self.dials):
            raise ValueError('a port in "dials" is none: they go from 1 to 65535')
        return self

    def wanted(self) -> WantedSite:
        """As the app takes it."""
        return WantedSite(
            self.name,
            self.host,
            self.service or "",
            self.dials,
            self.scheme or "",
            self.listen or "",
            self.tls,
            self.reason,
        )


class RemoveSiteRequest(ReasonRequest):
    """`force`: also one that users of a service come by, or that was not added here."""

    force: bool = False
