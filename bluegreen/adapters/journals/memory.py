"""The journal in memory, for the fast tests of the app: the same contract, and writes that fail on demand.

What is kept goes through JSON as in a file, so that a restart on this journal finds what a real one would.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.phases import Outcome
from bluegreen.domain.records import AuditRow, Event, Fact, Intent, Json, Record

T = TypeVar("T")


class MemoryJournal:
    """The Journal port on dicts. With `full` set every write is refused, as on a full disk; `damaged`: everything."""

    def __init__(self) -> None:
        self.full = False
        self.damaged = False
        self._deployments: dict[str, Deployment] = {}
        self._intents: dict[str, Intent] = {}
        self._events: list[Event] = []
        self._audit: list[AuditRow] = []
        self._facts: dict[tuple[str, str], Json] = {}

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def save(self, deployment: Deployment, *records: Record) -> tuple[Event, ...]:
        self._check()
        self._deployments[deployment.id] = _kept(deployment, Deployment)
        for record in records:
            match record:
                case Intent():
                    self._intents[record.id] = _kept(record, Intent)
                case AuditRow():
                    self._audit.append(record)
                case Fact():
                    self._facts[record.kind, record.key] = _kept(record.value, Any)
        return tuple(self._append(record) for record in records if isinstance(record, Event))

    async def deployment(self, id: str) -> Deployment | None:
        self._look()
        return self._deployments.get(id)

    async def deployments(self, limit: int, before: str = "") -> tuple[Deployment, ...]:
        self._look()
        latest_first = list(reversed(self._deployments.values()))
        ids = [deployment.id for deployment in latest_first]
        start = ids.index(before) + 1 if before in ids else (len(ids) if before else 0)
        return tuple(latest_first[start : start + limit])

    async def conclude(self, intent: str, outcome: Outcome, note: str = "") -> None:
        self._check()
        if intent in self._intents:
            self._intents[intent] = replace(self._intents[intent], outcome=outcome, note=note)

    async def intents(self, deployment: str) -> tuple[Intent, ...]:
        self._look()
        return tuple(intent for intent in self._intents.values() if intent.deployment == deployment)

    async def record(self, event: Event) -> Event:
        self._check()
        return self._append(event)

    async def events(self, after: int, deployment: str = "", limit: int = 1000) -> tuple[Event, ...]:
        self._look()
        wanted = (event for event in self._events if event.seq > after)
        return tuple(event for event in wanted if deployment in ("", event.deployment))[:limit]

    async def audit(self, row: AuditRow) -> None:
        self._check()
        self._audit.append(row)

    async def audited(self, limit: int) -> tuple[AuditRow, ...]:
        self._look()
        return tuple(reversed(self._audit))[:limit]

    async def keep(self, kind: str, key: str, value: Json) -> None:
        self._check()
        self._facts[kind, key] = _kept(value, Any)

    async def claim(self, kind: str, key: str, value: Json) -> bool:
        self._check()
        if (kind, key) in self._facts:
            return False
        self._facts[kind, key] = _kept(value, Any)
        return True

    async def fact(self, kind: str, key: str) -> Any:
        self._look()
        return _kept(self._facts.get((kind, key)), Any)

    async def facts(self, kind: str) -> Mapping[str, Json]:
        self._look()
        return {key: _kept(value, Any) for (its_kind, key), value in self._facts.items() if its_kind == kind}

    async def forget(self, kind: str, key: str) -> None:
        self._check()
        self._facts.pop((kind, key), None)

    def _append(self, event: Event) -> Event:
        numbered = replace(_kept(event, Event), seq=len(self._events) + 1)
        self._events.append(numbered)
        return numbered

    def _look(self) -> None:
        if self.damaged:
            raise JournalUnreadable("the journal in memory was told to be damaged")

    def _check(self) -> None:
        self._look()
        if self.full:
            raise JournalUnwritable("the journal in memory was told to refuse writes")


def _kept(value: T, type: type[T]) -> T:
    return msgspec.json.decode(msgspec.json.encode(value), type=type)
