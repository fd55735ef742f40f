"""What the simulated users got, request by request, and what it adds up to.

A request that failed (no answer, or 5xx) is not one that was refused (401, 403), and neither is a lost
session: that is one which was good and is refused to the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Self

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Times are Unix seconds; `latency` counts from `due`, when the user wanted it."""

    number: int
    due: float
    start: float
    latency: float
    user: str
    service: str
    method: str
    path: str
    status: int | None = None
    error: str | None = None
    """Why there was no answer; None with one."""
    colour: str | None = None
    version: str | None = None
    session_works: bool | None = None
    """Whether a session that was made earlier was accepted; None where the answer does not tell."""

    @property
    def failed(self) -> bool:
        """No answer, or one that says the server is broken."""
        return self.status is None or self.status >= 500

    @property
    def refused(self) -> bool:
        """The user was not let in."""
        return self.status in (401, 403)


def read(file: Path) -> list[Record]:
    """The records that a load process has written so far."""
    whole, _, _unfinished = file.read_bytes().rpartition(b"\n")
    return msgspec.json.Decoder(Record).decode_lines(whole)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many requests there were, and how many of them went wrong in which way."""

    total: int = 0
    failed: int = 0
    refused: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """Count these."""
        counted = list(records)
        failed = sum(record.failed for record in counted)
        return cls(len(counted), failed, sum(record.refused for record in counted))

    @property
    def bad(self) -> int:
        """Failed or refused."""
        return self.failed + self.refused


def due_between(records: Iterable[Record], begin: float, end: float) -> list[Record]:
    """Those that users wanted from `begin` to before `end` (Unix seconds)."""
    return [record for record in records if begin <= record.due < end]


def by_interval(records: Iterable[Record], seconds: float) -> list[Tally]:
    """One tally per interval of `seconds`, from the first due time on; an empty one is there too."""
    intervals: list[list[Record]] = []
    ordered = sorted(records, key=lambda record: record.due)
    for record in ordered:
        index = int((record.due - ordered[0].due) / seconds)
        intervals.extend([] for _ in range(index + 1 - len(intervals)))
        intervals[index].append(record)
    return [Tally.of(interval) for interval in intervals]


def by_colour(records: Iterable[Record]) -> dict[str | None, Tally]:
    """One tally per colour that answered; None is nobody, or the proxy itself."""
    parts: dict[str | None, list[Record]] = {}
    for record in records:
        parts.setdefault(record.colour, []).append(record)
    return {colour: Tally.of(part) for colour, part in parts.items()}


def sessions_lost(records: Iterable[Record]) -> list[str]:
    """The users whose session was refused when they last used it."""
    last: dict[str, bool] = {}
    for record in sorted(records, key=lambda record: record.due):
        if record.session_works is not None:
            last[record.user] = record.session_works
    return sorted(user for user, works in last.items() if not works)


def latency_at(records: Iterable[Record], share: float) -> float | None:
    """The latency in seconds that `share` of the requests kept (0.99: the p99); None without requests."""
    latencies = sorted(record.latency for record in records)
    return latencies[max(0, ceil(share * len(latencies)) - 1)] if latencies else None
