"""The worst stretch of a history: what the live colour surely reached for half an hour or more, or just now.

A release that meets a daily peak of errors must not be cut for it, so the measure is the worst stretch and not the
average. But the worst of many stretches is bad by chance alone, the more so the fewer requests it holds, and taken as
it is it would make the watch blunt for nothing. So a stretch counts only if it was surely worse than the rest: if the
lowest true rate that its counts do not exclude at level SURE is above the rate of all the others.

Stretches of 30 min to 4 h may lie anywhere: with little traffic only the long ones hold enough. Those that end now may
be shorter: a live colour that has just become bad (a shared dependency, say) is no reproach to the release that comes
next.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import log
from typing import NamedTuple

from bluegreen.domain.chernoff import divergence
from bluegreen.domain.history import BLOCK_S, Count

LENGTHS = tuple(minutes * 60 // BLOCK_S for minutes in (30, 60, 120, 240))
"""Stretches anywhere, in blocks; each is moved on by a sixth of its length."""

LATELY = (3, 6, 12, 24, 48, 96)
"""Stretches that end now, in blocks: half a minute to a quarter of an hour."""

SURE = 1e-4
ENOUGH = log(1.0 / SURE)
"""Nats of n·KL(p‖rest): what SURE asks for."""

PRIOR = 2.0
"""Bad events that the rest is given in addition: two failures in a day are no worst stretch."""


class Stretch(NamedTuple):
    """`bad` of `n` events."""

    n: int
    bad: int


def worst_stretch(counts: Sequence[Count], phi: float = 1.0) -> Stretch | None:
    """The stretch with the highest rate of those that were surely worse than the rest; None without any. `phi`: bad
    events come in bursts, so that as many as that say no more than one."""
    all_n, all_bad = sum(count.n for count in counts), sum(count.bad for count in counts)
    worst, at_least = None, all_bad / all_n if all_n else 1.0
    for n, bad in _windows(counts):
        if bad > at_least * n and n < all_n:
            rest = min((all_bad - bad + PRIOR) / (all_n - n), 1.0)
            if n * divergence(bad / n, rest) > ENOUGH * phi:
                worst, at_least = Stretch(n, bad), bad / n
    return worst


def _windows(counts: Sequence[Count]) -> Iterator[tuple[int, int]]:
    if not counts:
        return
    numbers = [count.number for count in counts]
    ns = [0, *accumulate(count.n for count in counts)]
    bads = [0, *accumulate(count.bad for count in counts)]
    first, newest = numbers[0], numbers[-1]
    spans = [(newest + 1, length) for length in LATELY]
    for length in LENGTHS:
        spans += [(end, length) for end in range(newest + 1, first + length, -(length // 6))]
    for end, length in spans:
        begin, behind = bisect_left(numbers, end - length), bisect_left(numbers, end)
        yield ns[behind] - ns[begin], bads[behind] - bads[begin]
