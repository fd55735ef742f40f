"""How a database is, asked in one question."""

from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.errors import DatabaseUnreachable, OutsideError
from bluegreen.domain.migrations import DatabaseFacts


async def ask(access: Access, failure: type[OutsideError] = DatabaseUnreachable) -> DatabaseFacts:
    """The facts; raises `failure` where the database does not answer."""
    async with access.session(failure=failure) as connection:
        record = await connection.fetchrow(query("facts"))
    if record is None:
        raise failure(f"{access.dsn}: no answer to a question that always has one")
    return DatabaseFacts(**dict(record))
