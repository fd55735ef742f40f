"""Papers in memory, for every release the same."""

import asyncio

from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Release


class MemoryPapers:
    """The ReleasePapers port. `papers` is what it answers; `hanging`: it never does."""

    def __init__(self, papers: Papers | None = None) -> None:
        self.papers = papers or Papers()
        self.hanging = False

    async def read(self, release: Release) -> Papers:
        if self.hanging:
            await asyncio.Event().wait()
        return self.papers
