"""The Traefik that users come through, where it is the balancer: the file that it watches, and how it is seen."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.sections import FrontDoor
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import FilePath, Period


def check_api(value: str) -> str:
    """Where Traefik's API answers. ValueError tells what to write."""
    url = urlsplit(value)
    if url.scheme in ("http", "https") and url.hostname and not url.query and not url.username:
        return value.rstrip("/").removesuffix("/api")
    raise ValueError(f'{quoted(value)} is not where an API is: write "http://127.0.0.1:8080"')


Api = Annotated[str, AfterValidator(check_api), Shape("URL", "http://127.0.0.1:8080")]


class Traefik(Section):
    """The Traefik that users come through, with balancer = "traefik". Its static configuration stays the operator's."""

    file: FilePath = Field(
        default=as_written("/etc/traefik/dynamic/bluegreen.yml"),
        description="The dynamic file that is ours: JSON, which is YAML too, in the directory that Traefik's file "
        "provider watches. Routers name its services as <service>@file. It must exist (see docs/traefik.md), and its "
        "directory must be writable by the daemon; it is only ever replaced as a whole.",
    )
    api: Api | None = Field(
        default=None,
        description="Where Traefik's API answers. With it a switch ends when Traefik has taken it up, and is read back "
        "from there. Not set: the file tells where users go, and the front door proves it.",
        examples=["http://127.0.0.1:8080"],
    )
    timeout: Period = Field(
        default=as_written("5s"),
        description="How long Traefik may take to take up a change, and to answer at `api`. Longer than its "
        "`providersThrottleDuration`, which is 2s unless it is set.",
    )
    access_log: FilePath | None = Field(
        default=None,
        description="Traefik's access log, with `format: json` and the request header X-Bluegreen-Probe kept: it tells "
        "which colour served each request, and how well.",
        examples=["/var/log/traefik/access.log"],
    )
    front_door: FrontDoor = Field(
        default="https://127.0.0.1",
        description="Where Traefik's entry point for users is, as seen from here. Probes and the proof after a switch "
        "connect there and send each service's `site` as Host and SNI.",
    )
    front_door_verify: bool | None = Field(
        default=None,
        description="Whether the certificate at the front door must be valid for the site. Not set: it must, unless "
        "the front door is on loopback.",
        examples=[False],
    )
    on_drift: Literal["alert", "restore"] = Field(
        default="alert",
        description="What to do when nothing is deployed and somebody else moves the traffic, as [caddy] on_drift.",
    )
