"""A number from a JSON document over HTTP: an application's own statistics, an orchestrator's, a queue's.

Where the document is about one colour, it is asked of each by itself: its url names the colour, or the address of a
service in it; then every address is asked and each answer is a sample.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.json_place import JsonPlace, decoded
from bluegreen.adapters.signals.questions import Answer
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class Document:
    """One document: whose (None: of whoever serves), and where. `place` tells those of one colour apart."""

    colour: Colour | None
    url: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class JsonQuestions:
    """`total`: the place of the number that `value` counts the bad ones of, in the same document."""

    documents: tuple[Document, ...]
    value: JsonPlace
    fetcher: Fetcher
    total: JsonPlace | None = None

    @property
    def colours(self) -> tuple[Colour | None, ...]:
        """Whose documents there are."""
        return tuple(dict.fromkeys(document.colour for document in self.documents))

    async def ask(self) -> Sequence[Answer]:
        """The value of every document, asked at once; each failure is that document's."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._answer(one), name=f"document:{one.place}") for one in self.documents]
        return [task.result() for task in asked]

    async def _answer(self, document: Document) -> Answer:
        colour, place = document.colour, document.place
        try:
            async with asyncio.timeout(self.fetcher.timeout):
                return Answer(colour, *await self._numbers(document), place=place)
        except TimeoutError:
            return Answer(colour, trouble=f"no answer within {self.fetcher.timeout:g} s", place=place)
        except SignalFailed as exc:
            return Answer(colour, trouble=exc.detail, place=place)

    async def _numbers(self, document: Document) -> tuple[float, float | None]:
        page = await self.fetcher.get(document.url)
        where = urlsplit(document.url).netloc
        if not 200 <= page.status < 300:
            raise SignalFailed(f"{where}: it answers {page.status}")
        try:
            found = decoded(page.body)
            return await self.value.number(found), await self.total.number(found) if self.total else None
        except SignalFailed as exc:
            raise SignalFailed(f"{where}: {exc.detail}") from None
