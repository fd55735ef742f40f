"""Whose turn it is at the databases: never a dump beside a migration, whoever began which.

A dump's snapshot stalls `CREATE INDEX CONCURRENTLY` and `ALTER`, and a rehearsal takes a dump of the schema. So a
deployment waits for its turn within the deadline of its phase; what an operator only wants to look at does not wait.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.domain.errors import RequestRefused


class Turn:
    """One at a time. `taken_for` says in words what is being done; "" while nothing is."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.taken_for = ""

    @asynccontextmanager
    async def taken(self, what: str) -> AsyncIterator[None]:
        """Wait for the turn, and have it while this lasts. Not to be taken inside itself."""
        async with self._lock:
            self.taken_for = what
            try:
                yield
            finally:
                self.taken_for = ""

    @asynccontextmanager
    async def taken_if_free(self, what: str) -> AsyncIterator[None]:
        """Have it at once. Raises RequestRefused where another has it."""
        if self._lock.locked():
            raise RequestRefused(
                f"not while a database is at work: {self.taken_for or 'another is about to begin'}",
                next=("bluegreen status",),
            )
        async with self.taken(what):
            yield
