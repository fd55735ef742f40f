"""What really runs of a colour: its containers or units, as the one who runs them tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PartState(StrEnum):
    """How a part fares, by the word of who runs it."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Part:
    """A container or a unit. `image` is the reference that it was started with, `digest` the identity of what really
    runs (`sha256:...`), `started_at` UTC; each "" or None where it has none or nobody can tell. `health`: `healthy`,
    `unhealthy`, `starting`, or "" without a health check. `detail`: why it failed, in a few words, nothing secret.
    `properties`: what else its supervisor says of it, by name (a unit's file, main process, invocation, restarts)."""

    name: str
    state: PartState
    image: str = ""
    digest: str = ""
    started_at: datetime | None = None
    health: str = ""
    detail: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def image_variable(part: str) -> str:
    """The environment variable in which a part finds the image that the release names for it: KRATOS_IMAGE."""
    return re.sub(r"[^A-Z0-9]", "_", part.upper()) + "_IMAGE"
