"""Which colour answered, where no access log says so: told by the version of the answer, proved as well as by a line.

A version is a witness only where one colour alone runs it. So PREPARING refuses what could not be proved later
(soundings.py): a service whose answers do not say their version, and one release on both colours.
"""

import asyncio
from collections.abc import Mapping

from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Journal

JOURNAL_SECONDS = 0.5
"""Seconds that the journal has for saying what runs: the way back is proved without it, by what was known last."""


async def running_release(journal: Journal, configured: Mapping[Colour, str], colour: Colour) -> str:
    """The release that a colour runs, by the journal; before we ever started it, by the configuration. Empty where it
    was stopped, or nobody knows. Raises JournalUnreadable."""
    known = await journal.fact("release", colour)
    if not known and await journal.fact("ran", colour):
        return ""
    return str(known or configured.get(colour) or "")


async def nobody(version: str) -> Colour | None:
    """For who only looks, and knows of no release: it is no colour's."""
    return None


class Witness:
    """Says whose a version is."""

    def __init__(self, journal: Journal, configured: Mapping[Colour, str]) -> None:
        """`configured`: what each colour runs before we ever started it."""
        self._journal, self._configured = journal, configured
        self._known: dict[Colour, str] = {}

    async def colour(self, version: str) -> Colour | None:
        """The colour that runs this version and is the only one; None where there is none, or both do."""
        try:
            async with asyncio.timeout(JOURNAL_SECONDS):
                self._known = {each: await self._release(each) for each in Colour}
        except (JournalFailed, TimeoutError):
            pass  # it stays as it was known
        found = [each for each, release in self._known.items() if release == version]
        return found[0] if version and len(found) == 1 else None

    async def _release(self, colour: Colour) -> str:
        return await running_release(self._journal, self._configured, colour)
