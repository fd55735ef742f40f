"""Seeded users: a day of the live colour, then a release, second by second, for simulations of the verdict.

Requests come evenly; each is bad with the probability of its moment. Clients are many and alike unless said otherwise.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import log1p, sqrt

from bluegreen.app.baseline import Baseline
from bluegreen.app.trial import Trial
from bluegreen.domain.evidence import Verdict
from bluegreen.domain.plans import Terms
from bluegreen.domain.signals import CLIENT_BUCKETS, Counted, Who
from bluegreen.domain.traffic import Colour

Rate = Callable[[float], float]
"""Share of bad events at a time, in seconds since the switch; history lies before 0."""

HISTORIES = 3
"""Days that are made of each stream: further seeds meet the same ones again."""

SWITCH = 1_700_000_000.0
"""Epoch seconds of the switch, at the start of a block."""

BLOCK_S = 10
DAY_S = 24 * 3600

NORMAL_FROM = 100.0
"""Variance from which a count is drawn from the normal distribution."""


def steady(rate: float) -> Rate:
    """The same at every time."""
    return lambda t_s: rate


USUAL = steady(0.001)


@dataclass(frozen=True, slots=True)
class Stream:
    """Events of one signal. `usual` is the live colour's rate, `rate` the release's. `clients` 0: nobody knows who
    asks. `repeats`: each failure is tried again so many times by its client, within a second. `hammer`: failures a
    second of one client, from the switch on. `share` below 1: the release gets so much of the users, the live colour,
    at `beside`, the rest."""

    rps: float
    usual: Rate
    rate: Rate
    signal: str = "5xx"
    history_s: float = DAY_S
    clients: int = 300
    repeats: int = 0
    hammer: float = 0.0
    share: float = 1.0
    beside: Rate = USUAL

    def before(self) -> "Stream":
        """The same live colour, whatever the release: the same history."""
        return replace(self, rate=USUAL, hammer=0.0, share=1.0, beside=USUAL)

    def baseline(self, seed: int) -> Baseline:
        """What the live colour showed up to the switch."""
        rng, baseline = random.Random(f"history {seed}"), Baseline()
        carry = 0.0
        for number in range(round(self.history_s / BLOCK_S)):
            begin = number * BLOCK_S - self.history_s
            carry += self.rps * BLOCK_S
            n, carry = int(carry + 1e-9), carry - int(carry + 1e-9)
            if n:
                baseline.learn(self._batch(rng, n, self.usual(begin), Colour.BLUE), SWITCH + begin)
        for other in {"5xx", "auth", "probe"} - {self.signal}:
            baseline.count(other, 1_000_000, 0, SWITCH - BLOCK_S)
        return baseline

    def turns(self, seed: int, tick_s: float, until_s: float) -> Iterator[tuple[float, Counted, Counted | None]]:
        """(time, the release's batch, the live colour's beside it), a batch for each tick."""
        rng, carry, hammered = random.Random(f"release {seed}"), 0.0, 0.0
        for number in range(1, round(until_s / tick_s) + 1):
            t_s = number * tick_s
            carry += self.rps * tick_s
            n, carry = int(carry + 1e-9), carry - int(carry + 1e-9)
            mine = binomial(rng, n, self.share) if self.share < 1.0 else n
            hammered += self.hammer * tick_s
            extra, hammered = int(hammered + 1e-9), hammered - int(hammered + 1e-9)
            other = None if self.share == 1.0 else self._batch(rng, n - mine, self.beside(t_s), Colour.BLUE)
            yield t_s, self._batch(rng, mine, self.rate(t_s), Colour.GREEN, extra), other

    def _batch(self, rng: random.Random, n: int, rate: float, colour: Colour, hammered: int = 0) -> Counted:
        first = binomial(rng, n, rate / (1 + self.repeats))
        everyone = _clients(self.clients)
        failed = [rng.choice(everyone) for _ in range(first)] * (1 + self.repeats) if everyone else []
        failed += everyone[:1] * hammered
        bad = first * (1 + self.repeats) + hammered
        n = max(n + hammered, bad)
        return Counted("access_log", self.signal, colour, n, bad, who=self._who(rng, n - bad, failed))

    def _who(self, rng: random.Random, good: int, failed: list[int]) -> Who | None:
        if not self.clients:
            return None
        asked = [0] * CLIENT_BUCKETS
        for client in failed:
            asked[client % CLIENT_BUCKETS] += 1
        each, rest = divmod(good, self.clients)
        for bucket, clients in enumerate(_buckets(self.clients)):
            asked[bucket] += each * clients
        for client in rng.choices(_clients(self.clients), k=rest):
            asked[client % CLIENT_BUCKETS] += 1
        return Who(tuple(asked), tuple(failed))


@dataclass(frozen=True, slots=True)
class Cut:
    """When the release was found worse, how many of its bad events had been served since `after_s`, and why."""

    t_s: float
    bad: int
    reason: str


def judged(
    stream: Stream, terms: Terms, seed: int, *, until_s: float, tick_s: float = 0.1, after_s: float = 0.0
) -> Cut | None:
    """The first verdict `regressed` of the trial that the daemon would have run; None where there is none.

    `tick_s` is how often lines come and time passes: coarser is faster, and a little later.
    """
    both = stream.share < 1.0
    trial = Trial.of(terms, _history(stream.before(), seed % HISTORIES), side_by_side=both)
    if both:
        trial.shared(stream.share)
    served = 0
    for t_s, mine, other in stream.turns(seed, tick_s, until_s):
        trial.tick(tick_s)
        if other is not None and other.n:
            trial.observe_other(other)
        if not mine.n:
            continue
        worth_while = trial.observe(mine) and trial.alarming
        served += mine.bad if t_s > after_s else 0
        if worth_while:
            judgement = trial.judge()
            if judgement.verdict is Verdict.REGRESSED:
                return Cut(t_s, served, "; ".join(judgement.reasons))
    return None


@cache
def _clients(count: int) -> list[int]:
    """The hashes of so many clients."""
    rng = random.Random(count)
    return [rng.getrandbits(63) for _ in range(count)]


@cache
def _buckets(count: int) -> list[int]:
    buckets = [0] * CLIENT_BUCKETS
    for client in _clients(count):
        buckets[client % CLIENT_BUCKETS] += 1
    return buckets


@lru_cache(maxsize=8 * HISTORIES)
def _history(stream: Stream, number: int) -> Baseline:
    """Nothing is learnt from a trial: it may be used again."""
    return stream.baseline(number)


def binomial(rng: random.Random, n: int, p: float) -> int:
    """How many of `n` events happen, each with probability `p`; by normal approximation where there are many."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    variance = n * p * (1.0 - p)
    if variance > NORMAL_FROM:
        return min(max(round(rng.gauss(n * p, sqrt(variance))), 0), n)
    count, at, step = 0, 0, log1p(-p)
    while (at := at + int(log1p(-rng.random()) / step) + 1) <= n:
        count += 1
    return count
