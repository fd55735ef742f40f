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
from bluegreen.domain.records import EVENTS_KEPT, FACTS_KEPT, AuditRow, Event, Fact, Intent, Json, Record

T = TypeVar("T")


class MemoryJournal:
    """The Journal port on dicts. With `full` set every write is refused, as on a full disk; `damaged`: everything.
    `free` is the room left, in bytes."""

    def __init__(self) -> None:
        self.full = False
        self.damaged = False
        self.free = 1 << 40
        self._deployments: dict[str, Deployment] = {}
        self._intents: dict[str, Intent] = {}
        self._events: list[Event] = []
        self._told = 0
        self._audit: list[AuditRow] = []
        self._facts: dict[tuple[str, str], Json] = {}
        self._chunks: dict[tuple[str, str, int], Json] = {}

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

    async def audit(self, row: AuditRow, *facts: Fact) -> None:
        self._check()
        self._audit.append(row)
        for fact in facts:
            self._facts[fact.kind, fact.key] = _kept(fact.value, Any)

    async def audited(self, limit: int, before: int = 0) -> tuple[AuditRow, ...]:
        self._look()
        numbered = [replace(row, seq=seq) for seq, row in enumerate(self._audit, 1)]
        return tuple(row for row in reversed(numbered) if not before or row.seq < before)[:limit]

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

    async def prune(self, deployments: int) -> int:
        self._check()
        old = list(self._deployments.values())[: max(0, len(self._deployments) - deployments)]
        gone = {deployment.id for deployment in old if deployment.phase.final}
        self._deployments = {id: kept for id, kept in self._deployments.items() if id not in gone}
        self._intents = {id: kept for id, kept in self._intents.items() if kept.deployment not in gone}
        of_none = [event.seq for event in self._events if not event.deployment][:-EVENTS_KEPT]
        self._events = [e for e in self._events if e.deployment not in gone and e.seq not in of_none]
        for kind, key in list(self._facts):
            if key.partition(":")[0] in gone:
                del self._facts[kind, key]
        self._chunks = {at: value for at, value in self._chunks.items() if at[1] not in gone}
        for kind, keep in FACTS_KEPT.items():
            for key in [key for its_kind, key in self._facts if its_kind == kind][:-keep]:
                del self._facts[kind, key]
        return len(gone)

    async def append(self, kind: str, key: str, number: int, value: Json) -> None:
        self._check()
        self._chunks[kind, key, number] = _kept(value, Any)

    async def chunks(self, kind: str, key: str, after: int = -1, limit: int = 1000) -> tuple[tuple[int, Json], ...]:
        self._look()
        numbers = sorted(n for its_kind, its_key, n in self._chunks if (its_kind, its_key) == (kind, key) and n > after)
        return tuple((number, self._chunks[kind, key, number]) for number in numbers[:limit])

    async def shorten(self, kind: str, key: str, before: int) -> None:
        self._check()
        for its_kind, its_key, number in list(self._chunks):
            if (its_kind, its_key) == (kind, key) and number < before:
                del self._chunks[its_kind, its_key, number]

    async def room(self) -> int:
        self._look()
        return self.free

    async def forget(self, kind: str, key: str) -> None:
        self._check()
        self._facts.pop((kind, key), None)

    def _append(self, event: Event) -> Event:
        self._told += 1
        numbered = replace(_kept(event, Event), seq=self._told)
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
