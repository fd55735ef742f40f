"""What the journal keeps beside deployments: intents, events, the audit, notices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bluegreen.domain.phases import Outcome, Phase

Json = Any
"""What `json.dumps` accepts: the currency of facts in the journal and the API."""


@dataclass(frozen=True, slots=True)
class Intent:
    """An action on the world that was announced in the journal before it was tried (rule 2)."""

    id: str
    deployment: str
    phase: Phase
    action: str
    detail: Mapping[str, Json]
    at: datetime
    outcome: Outcome | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a deployment's story, as the API streams it. `seq` is given by the journal and only grows."""

    name: str
    at: datetime
    deployment: str = ""
    phase: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, from where, why, and what it changed. `seq` is given by the journal and only grows."""

    at: datetime
    who: str
    origin: str
    verb: str
    deployment: str
    reason: str
    before: str
    after: str
    seq: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """A small fact by kind and key."""

    kind: str
    key: str
    value: Json


Record = Event | Intent | AuditRow | Fact
"""What can be stored together with a deployment, all or nothing."""


FACTS_KEPT: Mapping[str, int] = {"plan": 500, "alert": 10_000, "notice": 2_000, "idempotency": 1_000, "image": 500}
"""Of these kinds of facts so many are kept, the latest: they come without end."""

EVENTS_KEPT = 10_000
"""Events of no deployment that are kept."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to people. `key` makes it unique: the same key is never sent twice."""

    key: str
    event: str
    severity: str
    text: str
    at: datetime
    deployment: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)
