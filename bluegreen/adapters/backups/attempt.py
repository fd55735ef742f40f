"""One backup in the making, and how the server knows its sessions."""

from dataclasses import dataclass
from datetime import datetime

from bluegreen.adapters.postgres.clients import Clients
from bluegreen.adapters.postgres.connections import application_name
from bluegreen.domain.migrations import DatabaseFacts


def application_of(purpose: str) -> str:
    """The name of the sessions of a backup that is taken for a deployment, or by hand."""
    return application_name(f"bluegreen backup {purpose}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One backup in the making."""

    deployment: str
    release: str
    at: datetime
    facts: DatabaseFacts
    clients: Clients

    @property
    def application(self) -> str:
        """How its sessions are known at the server, also after we were killed."""
        return application_of(self.deployment)
