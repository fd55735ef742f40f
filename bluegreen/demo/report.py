"""The demonstration's report: what users got, counted by the users themselves."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from bluegreen.demo.records import Record, Tally, due_between, sessions_lost
from bluegreen.domain.records import Event

AROUND = (1.0, 3.0)
"""Seconds before and after a switch within which a failed request counts as the switch's."""


class Attempted(Protocol):
    """A deployment as the report needs it."""

    @property
    def release(self) -> str:
        """What was deployed."""

    @property
    def code(self) -> int:
        """How the command line ended."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened."""


def report_lines(records: Sequence[Record], attempts: Iterable[Attempted]) -> list[str]:
    """The report, line by line."""
    total = Tally.of(records)
    lines = ["What the users got, counted by themselves:", f"  requests served          {total.total:,}"]
    for attempt in attempts:
        lines += _attempt_lines(records, attempt)
    lost = sessions_lost(records)
    lines.append(f"  sessions lost            {len(lost)}")
    return lines


def _attempt_lines(records: Sequence[Record], attempt: Attempted) -> list[str]:
    switched = _when(attempt, "traffic.switched")
    if switched is None:
        return [f"  {attempt.release}: never switched"]
    failed = Tally.of(due_between(records, switched - AROUND[0], switched + AROUND[1])).failed
    lines = [f"  {attempt.release}: failed requests around the switch   {failed}"]
    returned = _when(attempt, "traffic.returned")
    return lines + (_cutback_lines(records, attempt, switched, returned) if returned is not None else [])


def _cutback_lines(records: Sequence[Record], attempt: Attempted, switched: float, returned: float) -> list[str]:
    seen = [record for record in records if record.version == attempt.release]
    bad = [_ended(record) for record in seen if record.failed or record.refused]
    around = Tally.of(due_between(records, returned - AROUND[0], returned + AROUND[1]))
    first = f"{returned - min(bad):.1f} s" if bad else "no bad answer came"
    last = max((_ended(record) for record in seen), default=switched)
    return [
        f"  {attempt.release}: bad answers before the cutback      {len(bad)} of {len(seen)}",
        f"  {attempt.release}: first bad answer to traffic back    {first}",
        f"  {attempt.release}: last answer, after traffic was back {max(0.0, last - returned):.2f} s",
        f"  {attempt.release}: failed requests around the cutback  {around.failed}",
    ]


def _ended(record: Record) -> float:
    return record.due + record.latency


def _when(attempt: Attempted, name: str) -> float | None:
    times: list[datetime] = [event.at for event in attempt.events if event.name == name]
    return times[0].timestamp() if times else None
