"""Which notices a receiver asked for, and the document that it gets."""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bluegreen.domain.records import Notice

SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Wishes:
    """`events` are names with * and ?, none of them means all; `severity` is the least that is wanted."""

    events: tuple[str, ...] = ()
    severity: str = "info"

    def match(self, notice: Notice) -> bool:
        """Whether a notice is wanted. One of a severity that we do not know counts as the highest."""
        wanted = not self.events or any(fnmatchcase(notice.event, pattern) for pattern in self.events)
        return wanted and _rank(notice.severity) >= _rank(self.severity)


EVERYTHING = Wishes()


def document(notice: Notice) -> bytes:
    """A notice as JSON; `key` lets a receiver drop what comes twice."""
    fields = {
        "event": notice.event,
        "severity": notice.severity,
        "text": notice.text,
        "deployment": notice.deployment,
        "facts": dict(notice.facts),
        "at": notice.at.isoformat(),
        "key": notice.key,
    }
    return json.dumps(fields, default=str).encode()


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
