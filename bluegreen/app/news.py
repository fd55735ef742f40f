"""What happened, told once and heard three times: in the log, in the journal, and by everyone who follows.

A journal that cannot be written never stops the story: the line is in the log, and `unwritten` says so.
"""

import asyncio
from collections.abc import AsyncIterator

import structlog

from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.records import Event, Json
from bluegreen.ports import Clock, Journal

PAGE = 1000
"""Events that a follower takes from the journal at a time."""

log = structlog.get_logger("bluegreen")


class News:
    """Tells events and lets callers follow them."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._followers: set[asyncio.Event] = set()
        self.unwritten = ""

    def event(self, name: str, *, deployment: str = "", phase: str = "", **facts: Json) -> Event:
        """An event of now, not yet told."""
        return Event(name, self._clock.now(), deployment, phase, facts)

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
            level = log.warning if event.facts.get("severity") in ("warning", "critical") else log.info
            context = {"deployment": event.deployment, "phase": event.phase, **event.facts}
            level(event.name, **{key: value for key, value in context.items() if value not in ("", None)})
        for follower in self._followers:
            follower.set()

    def failed(self, exc: JournalFailed) -> None:
        """Remember and log that the journal refused a write."""
        self.unwritten = exc.detail
        log.critical("journal.write_failed", reason=exc.detail)

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
