"""Cloudflare Load Balancing, where it is the balancer: which load balancer, whose pools, and how its API is asked."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bluegreen.settings.credentials import Token
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.sections import FrontDoor
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Period, is_loopback, matching

ID = re.compile(r"[0-9a-f]{32}")


def check_api(value: str) -> str:
    """Where Cloudflare's API answers; the token goes there. ValueError tells what to write."""
    url = urlsplit(value)
    plain = bool(url.hostname) and not url.query and not url.username
    if plain and (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))):
        return value.rstrip("/")
    raise ValueError(f'{quoted(value)} is not where the API is: write "https://api.cloudflare.com/client/v4"')


CloudflareId = Annotated[
    str,
    AfterValidator(matching(ID, "an id of Cloudflare", "it has 32 digits and letters from a to f")),
    Shape("id", "699d98642c564d2e855e9661899b7252"),
]
Api = Annotated[str, AfterValidator(check_api), Shape("URL", "https://api.cloudflare.com/client/v4")]


class Cloudflare(Section):
    """The load balancer at Cloudflare that users come through, with balancer = "cloudflare". A switch changes which
    pool it sends users to; its other settings stay the operator's."""

    zone: CloudflareId | None = Field(
        default=None,
        description='The id of the zone. Needed with balancer = "cloudflare", as are the four below and `token`.',
        examples=["023e105f4ecef8ad9ca31a8372d0c353"],
    )
    account: CloudflareId | None = Field(
        default=None,
        description="The id of the account, whose pools they are.",
        examples=["01a7362d577a6c3019a474fd6f485823"],
    )
    load_balancer: CloudflareId | None = Field(
        default=None,
        description="The id of the load balancer: one for all services, since two of them cannot be changed at once. "
        "Other hostnames may point to it by CNAME.",
        examples=["699d98642c564d2e855e9661899b7252"],
    )
    blue_pool: CloudflareId | None = Field(
        default=None,
        description="The id of the pool whose origins are blue.",
        examples=["17b5962d775c646f3f9725cbc7a53df4"],
    )
    green_pool: CloudflareId | None = Field(
        default=None,
        description="The id of the pool whose origins are green.",
        examples=["9290f38c5d07c2e2f4df57b1f61d4196"],
    )
    token: Token | None = Field(
        default=None,
        description="An API token with `Load Balancers: Edit` for the zone and `Load Balancing: Monitors and Pools: "
        "Read` for the account, and nothing else. The cutback card does not hold it: `bluegreen cutback --offline` "
        "reads it from here.",
        examples=[{"credential": "cloudflare-token"}],
    )
    api: Api = Field(
        default="https://api.cloudflare.com/client/v4",
        description="Where the API answers; another address than Cloudflare's own is for a proxy of yours.",
    )
    timeout: Period = Field(
        default=as_written("10s"),
        description="How long one request to the API may take. A change that got no answer by then counts as failed; "
        "it may still take effect later, and nothing can keep it out (see docs/cloudflare.md).",
    )
    look_every: Period = Field(
        default=as_written("5s"),
        description="How often it is looked where users go while nobody moves them: the API allows 1,200 requests in "
        "five minutes for all that one user does. Traffic that others move is noticed that much later.",
    )
    front_door: FrontDoor = Field(
        default="https://127.0.0.1",
        description="Where users come in, at Cloudflare: the scheme and host of the site. Probes and the proof after a "
        "switch connect there and send each service's `site` as Host and SNI.",
        examples=["https://app.example.org"],
    )
    on_drift: Literal["alert", "restore"] = Field(
        default="restore",
        description="What to do when nothing is deployed and the load balancer is changed by somebody else, or by a "
        "late request of ours: as [caddy] on_drift.",
    )
    fallback_to_previous: bool = Field(
        default=False,
        description="Whether Cloudflare itself sends users to the old colour, while a release is watched, where the "
        "monitor of the new colour's pool fails. Both pools need a monitor.",
    )

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys without which it cannot be the balancer, as far as they are not set."""
        needed = ("zone", "account", "load_balancer", "blue_pool", "green_pool", "token")
        return tuple(key for key in needed if getattr(self, key) is None)
