"""How bad may a signal be before it counts as worse: the tolerated rate, made from the live colour's history.

The null of the test is "the new colour's bad rate is at most q0", so what is tolerated is part of the
guarantee: a rate that is only trivially above the live colour's can never be told from it and is not cut. q0
is the largest of `rel` times the rate seen, the rate seen `plus` an absolute margin, and the highest true
rate that the history does not exclude at level delta (Chernoff's bound in its Kullback-Leibler form, Garivier
and Cappé 2011).
"""

from collections import deque
from dataclasses import dataclass, field
from math import ceil, inf, log, log1p

LOWEST = 1e-5
HIGHEST = 0.5
ASSUMED_HISTORY = 50
"""A shorter history is filled up with good events to this many. With no history at all the bound would be 1,
and an account that tolerates every rate protects nobody; so a fresh daemon assumes that a live colour of
which it knows nothing fails at most 16.8 % (no failure in 50). The price: until 50 events were seen, the
bound on false cuts holds only as far as that assumption does."""

BLOCK_S = 10
KEPT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What one signal is held against: the live colour's rate `p` in `history_n` events, and the rate `q0`
    above which the new colour is worse. `phi` >= 1 is over-dispersion, 1 for independent events."""

    p: float
    q0: float
    history_n: int
    phi: float = 1.0


def tolerance(*, n: int, bad: int, rel: float = 1.5, plus: float = 0.002, delta: float = 1e-4) -> Tolerance:
    """The tolerated rate after the live colour's `bad` of `n`; n = 0 is an answer too (see ASSUMED_HISTORY).

    The ceiling of one half gives way when the live colour itself may be worse than that: a tolerated rate
    below the live colour's own would end every watch in a false cut.
    """
    if not 0 <= bad <= n:
        raise ValueError(f"a history of {bad} bad in {n} events is not a count")
    p = bad / n if n else 0.0
    padded = max(n, ASSUMED_HISTORY)
    bound = highest_rate(bad / padded, padded, delta)
    q0 = min(max(rel * p, p + plus, bound, LOWEST), max(HIGHEST, bound))
    return Tolerance(p=p, q0=q0, history_n=n)


def divergence(p: float, q: float) -> float:
    """KL(p‖q) of two coins, in nats: the evidence that one event of rate p brings against rate q."""
    if p == q:
        return 0.0
    if (q <= 0.0 < p) or (q >= 1.0 > p):
        return inf
    heads = p * log(p / q) if p > 0.0 else 0.0
    tails = (1.0 - p) * (log1p(-p) - log1p(-q)) if p < 1.0 else 0.0
    return max(heads + tails, 0.0)


def highest_rate(p: float, n: int, delta: float) -> float:
    """The root u >= p of n·KL(p‖u) = ln(1/delta): the true rate exceeds it with probability at most delta."""
    budget = log(1.0 / delta) / n
    low, high = p, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if divergence(p, middle) > budget:
            high = middle
        else:
            low = middle
    return high


def history_needed(p0: float, p1: float, alpha: float) -> int:
    """Events of history that tell a live colour at rate `p0` from rate `p1`: n·KL(p0‖p1) >= ln(1/alpha)."""
    return _events(divergence(p0, p1), log(1.0 / alpha), f"rates {p0} and {p1}")


def watch_needed(q0: float, min_effect: float, alpha: float) -> int | None:
    """Events of the new colour from which "not worse by `min_effect`" may be said.

    That is n >= 2·ln(1/alpha)/KL(q0 + min_effect‖q0). None where no number suffices: every rate is tolerated.
    """
    if q0 >= 1.0:
        return None
    worse = min(q0 + min_effect, 1.0)
    return _events(divergence(worse, q0), 2.0 * log(1.0 / alpha), f"rates {q0} and {worse}")


def _events(nats_each: float, nats: float, what: str) -> int:
    if nats_each <= 0.0:
        raise ValueError(f"{what} cannot be told apart by any number of events")
    return max(ceil(nats / nats_each), 1)


@dataclass(slots=True)
class _Block:
    number: int
    n: int = 0
    bad: int = 0


@dataclass(slots=True)
class History:
    """Counts of one signal of the live colour over the last 24 h, in blocks of 10 s: at most 8,640 of them,
    whatever the traffic. Time is any clock that does not run backwards, in seconds."""

    _blocks: deque[_Block] = field(default_factory=deque)

    def add(self, *, n: int, bad: int, t_s: float) -> None:
        """Count `bad` of `n` at `t_s`; what comes late counts in the newest block."""
        if not 0 <= bad <= n:
            raise ValueError(f"{bad} bad in {n} events is not a count")
        number = int(t_s // BLOCK_S)
        if not self._blocks or number > self._blocks[-1].number:
            self._blocks.append(_Block(number))
            self._forget(number)
        newest = self._blocks[-1]
        newest.n += n
        newest.bad += bad

    def totals(self) -> tuple[int, int]:
        """(n, bad) of everything kept. (0, 0): nothing was seen, which is not the same as nothing bad."""
        return sum(block.n for block in self._blocks), sum(block.bad for block in self._blocks)

    def _forget(self, newest: int) -> None:
        while self._blocks[0].number <= newest - KEPT_S // BLOCK_S:
            self._blocks.popleft()
