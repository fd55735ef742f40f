"""The running version's own queries: what it asks of production, prepared on the copy before and after a migration."""

from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.seen import QuerySeen


@dataclass
class LiveQueries:
    """The queries and how they stood before the migration; `not_seen` says why there are none, or too few."""

    queries: tuple[QuerySeen, ...] = ()
    not_seen: tuple[str, ...] = ()
    before: dict[str, str] = field(default_factory=dict)

    async def prepare(self, scratch: Connection) -> None:
        """Prepare all on the copy as it is now, as the baseline: what fails here is not verifiable."""

    async def again(self, scratch: Connection, before: Catalogue, after: Catalogue) -> tuple[QuerySeen, ...]:
        """Prepare all again after a migration and compare; then this is the baseline of the next one."""
        return self.queries


async def collect(production: Access, file: Path | None, answer_within: float) -> LiveQueries:
    """What production was asked: from pg_stat_statements, where present, and from the operator's file of queries."""
    return LiveQueries()
