"""Tells people: one outbox, one queue and one worker per receiver, so that a hanging receiver delays nothing.

A notice is claimed in the journal by its key before it is sent, so that a restart does not lose it; one that was
delivered right before the daemon was killed comes again, under the same key. Where the journal refuses, it is sent all
the same and de-duplicated in memory.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from bluegreen.app.news import redacted
from bluegreen.domain.errors import JournalFailed, NotifierFailed
from bluegreen.domain.records import Json, Notice
from bluegreen.finishing import to_the_end
from bluegreen.ports import Journal, Notifier

ATTEMPTS = 5
QUEUE = 1000
REMEMBERED = 10_000
"""Keys of notices known in memory, for when the journal refuses; the latest."""

log = structlog.get_logger("bluegreen")


class Outbox:
    """Keeps notices until every receiver that wants them has them."""

    def __init__(self, journal: Journal, notifiers: tuple[Notifier, ...], redact: Callable[[str], str] = str) -> None:
        """`redact` blanks out secrets in a text."""
        self._journal, self._redact = journal, redact
        self._queues = {notifier.name: asyncio.Queue[Notice](QUEUE) for notifier in notifiers}
        self._notifiers = notifiers
        self._posted: dict[str, None] = {}
        self._waiting: dict[str, set[str]] = {}
        self.undeliverable = {notifier.name: 0 for notifier in notifiers}
        """Notices given up since the start of the daemon, by receiver."""

    def undelivered(self) -> dict[str, int]:
        """Notices that wait to be delivered, by receiver."""
        waiting = [receiver for receivers in self._waiting.values() for receiver in receivers]
        return {notifier.name: waiting.count(notifier.name) for notifier in self._notifiers}

    async def post(self, notice: Notice) -> bool:
        """Queue a notice; False where this key was posted before. Never waits for a receiver."""
        if notice.key in self._posted:
            return False
        self._remember(notice.key)
        facts: dict[str, Json] = redacted(notice.facts, self._redact)
        notice = replace(notice, text=self._redact(notice.text), facts=facts)
        waiting = [notifier.name for notifier in self._notifiers if notifier.wants(notice)]
        try:
            new = await self._journal.claim("notice", notice.key, _kept(notice, waiting))
        except JournalFailed:
            new = True
        if new:
            self._queue(notice, waiting)
        return new

    async def run(self) -> None:
        """Deliver until cancelled; first what an earlier daemon left undelivered."""
        try:
            await self._take_up()
        except JournalFailed as exc:
            log.error("notice.unread", reason=exc.detail)
        async with asyncio.TaskGroup() as group:
            for notifier in self._notifiers:
                group.create_task(self._deliver(notifier), name=f"notify:{notifier.name}")

    async def _take_up(self) -> None:
        """Queue what an earlier daemon left undelivered."""
        for key, kept in (await self._journal.facts("notice")).items():
            self._remember(key)
            self._queue(_from_json(kept["notice"]), kept["waiting"])

    def _remember(self, key: str) -> None:
        self._posted[key] = None
        if len(self._posted) > REMEMBERED:
            self._posted.pop(next(iter(self._posted)))

    def _queue(self, notice: Notice, receivers: list[str]) -> None:
        if not receivers or notice.key in self._waiting:
            return  # posted by this daemon before the outbox ran
        self._waiting[notice.key] = set(receivers)
        for name in receivers:
            queue = self._queues.get(name)
            if queue is None or queue.full():
                log.error(
                    "notice.dropped",
                    deployment=notice.deployment,
                    receiver=name,
                    key=notice.key,
                    text=notice.text,
                )
            else:
                queue.put_nowait(notice)

    async def _deliver(self, notifier: Notifier) -> None:
        queue = self._queues[notifier.name]
        while True:
            notice = await queue.get()
            try:
                await _send(notifier, notice)
            except NotifierFailed as exc:
                self.undeliverable[notifier.name] += 1
                log.error(
                    "notice.failed",
                    deployment=notice.deployment,
                    receiver=notifier.name,
                    key=notice.key,
                    reason=exc.detail,
                    text=notice.text,
                )
            else:
                log.info("notice.sent", receiver=notifier.name, key=notice.key, deployment=notice.deployment)
            await to_the_end(self._settle(notifier.name, notice), f"settle:{notifier.name}")

    async def _settle(self, receiver: str, notice: Notice) -> None:
        """Cross the receiver off, also after the last attempt failed: the log has it, and a loop helps nobody."""
        waiting = self._waiting[notice.key]
        waiting.discard(receiver)
        try:
            await self._journal.keep("notice", notice.key, _kept(notice, waiting))
        except JournalFailed as exc:
            log.error(
                "notice.unsettled", deployment=notice.deployment, receiver=receiver, key=notice.key, reason=exc.detail
            )
        if not waiting:
            self._waiting.pop(notice.key, None)


async def _send(notifier: Notifier, notice: Notice) -> None:
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(NotifierFailed),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=30),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            await notifier.send(notice)


def _kept(notice: Notice, waiting: Iterable[str]) -> Json:
    """A notice in the journal, with the receivers that still wait for it."""
    return {"notice": _to_json(notice), "waiting": sorted(waiting)}


def _to_json(notice: Notice) -> Json:
    return {
        "key": notice.key,
        "event": notice.event,
        "severity": notice.severity,
        "text": notice.text,
        "at": notice.at.isoformat(),
        "deployment": notice.deployment,
        "facts": dict(notice.facts),
    }


def _from_json(kept: Json) -> Notice:
    return Notice(**{**kept, "at": datetime.fromisoformat(kept["at"])})
