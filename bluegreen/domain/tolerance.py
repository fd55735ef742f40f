"""How bad may a signal be before it counts as worse: the tolerated rate, made from the live colour's history.

The null of the test is "the new colour's bad rate is at most q0", so what is tolerated is part of the
guarantee: a rate that is only trivially above the live colour's can never be told from it and is not cut.

    q0 = clip(max(rel·p, p + plus, u), 1e-5, 0.5)

p is the live colour's rate, or that of its worst stretch where one was surely worse than the rest (stretches.py). u is
the highest true rate that those counts do not exclude at level delta (chernoff.py). So a history of any length makes
the measure as sharp as it can: one request a minute for a day allows no more than 1,440 events do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import ceil, log
from typing import Any, Self

from bluegreen.domain.chernoff import divergence, highest_rate
from bluegreen.domain.dispersion import dispersion
from bluegreen.domain.history import Clients, Count
from bluegreen.domain.stretches import Stretch, worst_stretch

LOWEST = 1e-5
HIGHEST = 0.5
ASSUMED_HISTORY = 50
"""A shorter history is filled up with good events to this many. With no history at all the bound would be 1,
and an account that tolerates every rate protects nobody; so a fresh daemon assumes that a live colour of
which it knows nothing fails at most 16.8 % (no failure in 50). The price: until 50 events were seen, the
bound on false cuts holds only as far as that assumption does."""


class Term(StrEnum):
    """Which part of q0 decides it."""

    REL = "rel"
    """`rel` times the live colour's rate."""
    PLUS = "plus"
    """The live colour's rate `plus` a margin."""
    BOUND = "bound"
    """What the history does not exclude: more of it makes the measure sharper."""
    CLIP = "clip"
    """The lowest or the highest rate that is ever tolerated."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What one signal is held against: the live colour's rate `p` (in its worst stretch, where one was surely worse)
    in a history of `history_n` events, and the rate `q0` above which the new colour is worse, decided by `term`.
    `phi` >= 1 is over-dispersion, 1 for independent events. `clients`: whether they can be told apart."""

    p: float
    q0: float
    history_n: int
    phi: float = 1.0
    term: Term = Term.BOUND
    clients: Clients = Clients.UNKNOWN

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """As `asdict` made it, also by a version that knew less; ValueError or TypeError where it is not."""
        known = {**saved, "term": Term(saved.get("term", "bound")), "clients": Clients(saved.get("clients", "unknown"))}
        return cls(**known)


def tolerance(*, n: int, bad: int, rel: float = 1.5, plus: float = 0.002, delta: float = 1e-4) -> Tolerance:
    """The tolerated rate after the live colour's `bad` of `n`; n = 0 is an answer too (see ASSUMED_HISTORY).

    The ceiling of one half gives way when the live colour itself may be worse than that: a tolerated rate
    below the live colour's own would end every watch in a false cut.
    """
    return tolerated([Count(0, n, bad)], rel=rel, plus=plus, delta=delta)


def tolerated(
    counts: Sequence[Count],
    *,
    rel: float = 1.5,
    plus: float = 0.002,
    delta: float = 1e-4,
    clients: Clients = Clients.UNKNOWN,
) -> Tolerance:
    """The tolerated rate after a history, block by block in order of time. ValueError for what is no count."""
    n, bad = sum(count.n for count in counts), sum(count.bad for count in counts)
    if not 0 <= bad <= n:
        raise ValueError(f"a history of {bad} bad in {n} events is not a count")
    phi = dispersion(counts)
    worst = worst_stretch(counts, phi) or Stretch(n, bad)
    p, padded = worst.bad / worst.n if worst.n else 0.0, max(worst.n, ASSUMED_HISTORY)
    bound = highest_rate(worst.bad / padded, padded, delta)
    q0, term = max((rel * p, Term.REL), (p + plus, Term.PLUS), (bound, Term.BOUND), (LOWEST, Term.CLIP))
    if q0 > max(HIGHEST, bound):
        q0, term = max(HIGHEST, bound), Term.CLIP
    return Tolerance(p, q0, n, phi, term, clients)


def history_needed(p0: float, p1: float, alpha: float) -> int:
    """Events of history that tell a live colour at rate `p0` from rate `p1`: n·KL(p0‖p1) >= ln(1/alpha)."""
    return _events(divergence(p0, p1), log(1.0 / alpha), f"rates {p0} and {p1}")


@lru_cache(maxsize=256)
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
