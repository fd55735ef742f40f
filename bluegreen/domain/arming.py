"""Whether a service is set up so that a switch is a change of one small file, and no change of a configuration."""

from dataclasses import dataclass
from enum import StrEnum


class Armed(StrEnum):
    """How far a service is set up for `mode = "pointer"`."""

    OURS = "armed"
    """Through the balancer's API: lost where it reads its own configuration files again."""
    KEPT = "armed in its file"
    """In the operator's own configuration file: survives a restart and a reload."""
    OUTDATED = "armed for something else"
    """For other addresses, canary steps or wishes than the configuration names now."""
    BARE = "not armed"
    """The operator's plain route: a switch cannot move it."""


@dataclass(frozen=True, slots=True)
class Arms:
    """One service: how it is set up, at which JSON `paths`, and in words what is missing (`fault`; empty: nothing)."""

    service: str
    armed: Armed
    paths: tuple[str, ...]
    fault: str = ""

    @property
    def serves(self) -> bool:
        """Whether a switch moves its users as it should."""
        return self.armed in (Armed.OURS, Armed.KEPT)
