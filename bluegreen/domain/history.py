"""What the live colour did in the last 24 hours, signal by signal: the measure for every new release.

Counts lie in blocks of 10 s on the wall clock, so that they mean the same after a restart. What clients asked lies in
hours, by bucket of clients, and says whether clients can be told apart at all: behind a proxy that hides them, every
request seems to come from one. Memory is bounded whatever the traffic: 8,640 blocks and 25 hours.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bluegreen.domain.signals import CLIENT_BUCKETS

BLOCK_S = 10
KEPT_S = 24 * 3600
KEPT = KEPT_S // BLOCK_S
HOUR = 3600 // BLOCK_S
"""Blocks in an hour."""

LATE = 6
"""Blocks that a time may lie behind the newest one and still be merely late: more means that the clock was set back."""

FEWEST_ASKED = 50
"""Events with a known client below which nothing is said about clients."""

BUSY = 0.02
"""Bad events of one client in 10 s, by chance alone, from which its failures are no longer merged: a few times as many
would be hidden in part, and a release be judged by half of what is wrong with it."""

AT_LEAST = 0.005
"""The bad rate that this is asked for, where the live colour's is lower."""

Row = list[int | str]
"""A line for the journal: [block, n, bad] with raw counts behind it where they differ, or ["asked", hour, ...]."""


class Clients(StrEnum):
    """Whether clients can be told apart by what the live colour showed."""

    KNOWN = "known"
    """Yes, and one client's failures count once per 10 s."""
    BUSY = "busy"
    """Yes, but each of them asks so often that its failures are no retries: they all count."""
    DOMINATED = "dominated"
    """No: one bucket had more than half of the traffic, as behind a proxy that hides who asks."""
    UNKNOWN = "unknown"
    """No: nobody knew which client asked, or too little was seen."""

    @property
    def merged(self) -> bool:
        """Whether one client's failures count once per 10 s."""
        return self is Clients.KNOWN

    @property
    def apart(self) -> bool:
        """Whether the account can leave one bucket of clients out."""
        return self in (Clients.KNOWN, Clients.BUSY)


class Count(NamedTuple):
    """`bad` of `n` events in a stretch that begins with block `number` (epoch seconds // BLOCK_S)."""

    number: int
    n: int
    bad: int


@dataclass(slots=True)
class _Block:
    number: int
    n: int = 0
    bad: int = 0
    raw_n: int = 0
    raw_bad: int = 0

    def row(self) -> Row:
        counts: Row = [self.number, self.n, self.bad]
        return counts if (self.n, self.bad) == (self.raw_n, self.raw_bad) else [*counts, self.raw_n, self.raw_bad]


@dataclass(slots=True)
class History:
    """Counts of one signal. `n` and `bad` as they count (one client's failures once per 10 s), and raw beside them.

    The clock may be wrong: where it is set back, or forward by more than a day while we run, blocks go on being
    numbered one after the other, so that nothing is lost and no block takes in what is not of its 10 s.
    """

    _blocks: deque[_Block] = field(default_factory=deque)
    _asked: dict[int, list[int]] = field(default_factory=dict)
    _shift: int = 0
    _running: bool = False

    def add(
        self,
        *,
        n: int,
        bad: int,
        t_s: float,
        raw_n: int | None = None,
        raw_bad: int | None = None,
        asked: Sequence[int] | None = None,
    ) -> None:
        """Count `bad` of `n` at `t_s` (epoch seconds); what comes late counts in the newest block.

        `raw_n`, `raw_bad`: with each client's repeated failures; the same where left out. `asked`: raw events by
        bucket of clients, None where nobody knows. ValueError for what is no count.
        """
        raw_n, raw_bad = n if raw_n is None else raw_n, bad if raw_bad is None else raw_bad
        if not (0 <= bad <= n and bad <= raw_bad <= raw_n and n <= raw_n):
            raise ValueError(f"{bad} bad in {n} events ({raw_bad} in {raw_n}) is not a count")
        newest = self._at(int(t_s // BLOCK_S))
        newest.n += n
        newest.bad += bad
        newest.raw_n += raw_n
        newest.raw_bad += raw_bad
        if asked is not None:
            hour = newest.number // HOUR
            mine = self._asked.setdefault(hour, [0] * CLIENT_BUCKETS)
            self._asked[hour] = [one + more for one, more in zip(mine, asked, strict=True)]

    def totals(self) -> tuple[int, int]:
        """(n, bad) of everything kept. (0, 0): nothing was seen, which is not the same as nothing bad."""
        return sum(block.n for block in self._blocks), sum(block.bad for block in self._blocks)

    def counts(self, clients: Clients = Clients.KNOWN) -> list[Count]:
        """Block by block, oldest first; raw where one client's failures are not merged."""
        if clients.merged:
            return [Count(block.number, block.n, block.bad) for block in self._blocks]
        return [Count(block.number, block.raw_n, block.raw_bad) for block in self._blocks]

    def clients(self) -> Clients:
        """Whether clients can be told apart."""
        buckets = [sum(each) for each in zip(*self._asked.values(), strict=True)] or [0]
        known, seen = sum(buckets), sum(block.raw_n for block in self._blocks)
        if known < FEWEST_ASKED or 2 * known < seen:
            return Clients.UNKNOWN
        if 2 * max(buckets) > known:
            return Clients.DOMINATED
        rate = max(sum(block.raw_bad for block in self._blocks) / seen, AT_LEAST)
        each_block = seen / len(self._blocks)
        return Clients.BUSY if rate * each_block * self._one_client() > BUSY else Clients.KNOWN

    @property
    def newest(self) -> int:
        """The number of the newest block, to ask `changed` for what comes after now; 0 without any."""
        return self._blocks[-1].number if self._blocks else 0

    def changed(self, since: int = 0) -> list[Row]:
        """The rows that may have changed since the newest block was `since`: plain lists, each the whole of its block
        or hour, so that the last one of a number replaces those before it."""
        blocks = []
        for block in reversed(self._blocks):
            if block.number < since:
                break
            blocks.append(block.row())
        hours: list[Row] = [["asked", hour, *asked] for hour, asked in self._asked.items() if hour >= since // HOUR]
        return [*reversed(blocks), *hours]

    def restore(self, rows: Iterable[Sequence[int | str]], *, now_s: float | None = None) -> None:
        """Take in rows of `changed`, in the order in which they were kept, before anything is counted. What is older
        than 24 h at `now_s` (epoch seconds) is left out. ValueError for what is no row."""
        blocks = {block.number: block for block in self._blocks}
        for row in rows:
            match row:
                case ["asked", int(hour), *asked] if len(asked) == CLIENT_BUCKETS:
                    self._asked[hour] = [int(each) for each in asked]
                case [int(number), int(n), int(bad)]:
                    blocks[number] = _Block(number, n, bad, n, bad)
                case [int(number), int(n), int(bad), int(raw_n), int(raw_bad)]:
                    blocks[number] = _Block(number, n, bad, raw_n, raw_bad)
                case _:
                    raise ValueError(f"a kept history holds {row!r}, which is no block and no hour")
        self._blocks = deque(blocks[number] for number in sorted(blocks))
        if now_s is not None:
            self._forget(int(now_s // BLOCK_S))
        elif blocks:
            self._forget(self.newest)

    def _at(self, number: int) -> _Block:
        """The block for a time, in which the clock may have been moved."""
        number += self._shift
        if self._blocks:
            newest = self._blocks[-1].number
            if number < newest - LATE or (self._running and number > newest + KEPT):
                self._shift += newest + 1 - number
                number = newest + 1
            if number <= newest:
                return self._blocks[-1]
        self._running = True
        self._blocks.append(_Block(number))
        self._forget(number)
        return self._blocks[-1]

    def _forget(self, newest: int) -> None:
        while self._blocks and self._blocks[0].number <= newest - KEPT:
            self._blocks.popleft()
        for hour in [hour for hour in self._asked if hour < (newest - KEPT) // HOUR]:
            del self._asked[hour]

    def _one_client(self) -> float:
        """The share of the traffic that one client has, as if all were alike: how far apart the buckets are, beyond
        what 8 equal ones would be, tells it (the inverse of Simpson's index, hour by hour)."""
        total = sum(sum(asked) for asked in self._asked.values())
        share = 0.0
        for asked in self._asked.values():
            n = sum(asked)
            if n > 1:
                alike = sum(each * (each - 1) for each in asked) / (n * (n - 1))
                share += n / total * (alike - 1 / CLIENT_BUCKETS) / (1 - 1 / CLIENT_BUCKETS)
        return max(share, 0.0)
