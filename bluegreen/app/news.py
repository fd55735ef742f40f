"""What happened, told once and heard three times: in the log, in the journal, and by everyone who follows.

A journal that cannot be written never stops the story: the line is in the log, and `unwritten` says so. Every event
is made here, so that here secrets are blanked out of whatever came from outside.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import structlog

from bluegreen.app.log_lines import lines
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.records import Event, Json
from bluegreen.ports import Clock, Journal

PAGE = 1000
"""Events that a follower takes from the journal at a time."""

log = structlog.get_logger("bluegreen")


class News:
    """Tells events and lets callers follow them. `redact` blanks out secrets in a text."""

    def __init__(self, journal: Journal, clock: Clock, redact: Callable[[str], str] = str) -> None:
        self._journal = journal
        self._clock = clock
        self._redact = redact
        self._followers: set[asyncio.Event] = set()
        self._newest = 0
        self.unwritten = ""
        self.on_unstored: Callable[[Event], None] = _to_nobody
        """Is told of the events that the journal refused: no follower ever hears of them."""

    def event(self, name: str, *, deployment: str = "", phase: str = "", **facts: Json) -> Event:
        """An event of now, not yet told."""
        masked: dict[str, Json] = redacted(facts, self._redact)
        return Event(name, self._clock.now(), deployment, phase, masked)

    async def tell(self, name: str, *, deployment: str = "", phase: str = "", **facts: Json) -> bool:
        """Tell an event; False where it could not be made durable."""
        event = self.event(name, deployment=deployment, phase=phase, **facts)
        try:
            self.heard(await self._journal.record(event))
        except JournalFailed as exc:
            self.failed(exc)
            self.heard(event)
            return False
        return True

    def heard(self, *events: Event) -> None:
        """Log events that were stored elsewhere (or could not be), and wake the followers."""
        self.unwritten = self.unwritten if not any(event.seq for event in events) else ""
        for event in events:
            for level, name, fields in lines(event):
                getattr(log, level)(name, **fields)
            if not event.seq:
                self.on_unstored(event)
        for follower in self._followers:
            follower.set()

    def failed(self, exc: JournalFailed) -> None:
        """Remember and log that the journal refused a write."""
        self.unwritten = exc.detail
        log.critical("journal.write_failed", reason=exc.detail)

    async def newest(self) -> int:
        """The number of the last stored event; 0 before the first."""
        while stored := await self._journal.events(self._newest, "", PAGE):
            self._newest = stored[-1].seq
        return self._newest

    async def follow(self, after: int, deployment: str = "") -> AsyncIterator[Event]:
        """Stored events above `after`, then each as it comes; never ends by itself."""
        wake = asyncio.Event()
        self._followers.add(wake)
        try:
            while True:
                wake.clear()
                stored = await self._journal.events(after, deployment, PAGE)
                for event in stored:
                    after = event.seq
                    yield event
                if len(stored) < PAGE and not wake.is_set():
                    await wake.wait()
        finally:
            self._followers.discard(wake)


def redacted(value: Json, redact: Callable[[str], str]) -> Json:
    """The same with `redact` done to every text in it."""
    if type(value) is str:  # a name of ours (an enum) is no text from outside
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, redact) for item in value]
    return value


def _to_nobody(event: Event) -> None:
    """Until somebody wants to know."""
