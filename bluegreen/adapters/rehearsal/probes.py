"""Questions to production's rows that a change raises: would this UNIQUE find duplicates, this NOT NULL nulls?"""

from bluegreen.adapters.postgres.connections import Access
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.seen import ProbeSeen


async def ask(production: Access, before: Catalogue, after: Catalogue, budget: float) -> tuple[ProbeSeen, ...]:
    """Ask them, read-only, each within a share of `budget` seconds; what has no answer in time says so. Never
    raises for
    an answer that production does not give."""
    return ()
