"""What really runs of a colour: its containers or units, as the one who runs them tells."""

from dataclasses import dataclass
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
    `unhealthy`, `starting`, or "" without a health check. `detail`: why it failed, in a few words, nothing secret."""

    name: str
    state: PartState
    image: str = ""
    digest: str = ""
    started_at: datetime | None = None
    health: str = ""
    detail: str = ""
