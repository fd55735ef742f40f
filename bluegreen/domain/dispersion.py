"""Over-dispersion: do bad events come one by one, or in bursts (retries, a flapping node)?

phi is the variance of the counts over what independent events would show. It is made from successive differences of
blocks, so that a slow drift of the rate is not taken for bursts (von Neumann 1941). For neighbours with b1 of n1 and b2
of n2, n = n1 + n2:

    t = (b2·n1 - b1·n2)² / (n1·n2)          E[t] = n·p·(1-p) if independent
    v = n·r·(1-r)·n/(n-1), r = (b1+b2)/n    E[v] = n·p·(1-p)

The pairs with something bad are put into up to a dozen groups of equal size, in order of time, and phi is the median of
sum t / sum v: an incident lies in one or two groups and says nothing about all the others. Each group is filled up with
a few events that are independent, so that two failures at once are not yet a habit, and what so few pairs show by
chance is no dispersion. This is done for blocks of 10 s and of a minute, since retries spread; the larger counts.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import median

from bluegreen.domain.history import Count

FROM = 1.5
"""Below this it is chance, or harmless: 1."""

GROUPS, EACH = 12, 20
"""Groups at most, and pairs in each at least."""

PRIOR = 4.0
"""Independent bad events that each group is filled up with."""

CHANCE = 4.0
"""Standard errors, sqrt(3/pairs) if independent, by which phi must be above 1."""

MINUTE = 6
"""Blocks of the longer scale."""

Pair = tuple[float, float]


def dispersion(counts: Sequence[Count]) -> float:
    """phi >= 1 of a history, block by block."""
    return max(_phi(counts), _phi(_joined(counts, MINUTE)))


def _phi(counts: Sequence[Count]) -> float:
    pairs = _pairs(counts)
    if not pairs:
        return 1.0
    groups = min(max(len(pairs) // EACH, 1), GROUPS)
    edges = [len(pairs) * group // groups for group in range(groups + 1)]
    phi = median(_ratio(pairs[begin:end]) for begin, end in pairwise(edges))
    return phi if phi >= max(FROM, 1.0 + CHANCE * sqrt(3.0 / len(pairs))) else 1.0


def _ratio(pairs: Sequence[Pair]) -> float:
    return (sum(t for t, _ in pairs) + PRIOR) / (sum(v for _, v in pairs) + PRIOR)


def _pairs(counts: Sequence[Count]) -> list[Pair]:
    pairs = []
    for (_, n1, b1), (_, n2, b2) in pairwise(counts):
        bad, n = b1 + b2, n1 + n2
        if bad and n1 and n2:
            pairs.append(((b2 * n1 - b1 * n2) ** 2 / (n1 * n2), bad * (n - bad) / (n - 1)))
    return pairs


def _joined(counts: Sequence[Count], blocks: int) -> list[Count]:
    joined: dict[int, tuple[int, int]] = {}
    for number, n, bad in counts:
        before = joined.get(number // blocks, (0, 0))
        joined[number // blocks] = before[0] + n, before[1] + bad
    return [Count(number, n, bad) for number, (n, bad) in joined.items()]
