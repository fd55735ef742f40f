"""After a cutback: was it the release, or something that both colours share?

In a full switch nobody can tell while it lasts, since only one colour has users. Afterwards the old colour has them
again, and what it shows now is compared with what the new one showed before: signal by signal, by two bets that go on
until one of them is won (Ville's inequality, as in account.py; Wald's sequential test of two hypotheses).

    q0   what is tolerated, as the release was judged
    p1   the rate of the new colour before the cutback, in the stretch that spoke most against it (lately.py)
    u    "as bad": max(p1/2, sqrt(q0·p1)), above q0 and below p1

    "shared cause"   the bet against "the old colour is at most at q0" pays 1/ALPHA, and its rate is at least u
    "the release"    the bet against "the old colour is at least at u" pays 1/ALPHA

Each bet is an average over effect sizes rho of (rho^bad / (1 + r·(rho-1))^n)^(1/phi), with r the rate bet against, rho
above 1 for the first and below 1 for the second. So to call an innocent release guilty has a probability of at most
ALPHA, and so has the reverse, however often one looks; over several signals both are shared out. Between q0 and u the
old colour is worse than usual and still better than the release was: that is the release's fault, and said so.

What this cannot see: a shared cause that ended in the very moment of the cutback looks like the release.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log, log1p, sqrt

from bluegreen.domain.account import Account
from bluegreen.domain.chernoff import divergence
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.figures import percent
from bluegreen.domain.lately import Lately
from bluegreen.domain.stakes import SURELY
from bluegreen.domain.watch_rules import GRID

FACT = "aftermath"
"""Where the finding stands among a deployment's facts."""

ALPHA = 0.01
"""Probability of blaming a release that is as good as the old colour, and of excusing one that is not."""

BETTER = (0.5, 0.2, 0.05, 0.005)
"""Effect sizes of "better than the release was", as odds ratios."""

AT_MOST = 4
"""Signals that are compared, those with most against the release first."""

MIN_BAD = 3
"""Bad events of the old colour below which nothing is called a shared cause, however rare they are."""

HIGHEST_EXPONENT = 600.0

FAR = 100_000
"""Further events after which it is not asked how many more it needs."""


class Finding(StrEnum):
    """What the comparison says."""

    COMPARING = "comparing"
    SHARED = "shared-cause"
    RELEASE = "release"
    UNDECIDED = "undecided"
    """The time was over before either could be said."""


@dataclass(frozen=True, slots=True)
class Before:
    """One signal of the new colour before the cutback: `bad` of `n` in its worst stretch, the rate `tolerated` and the
    over-dispersion `phi` by which it was judged; `where` it came from, in words."""

    signal: str
    n: int
    bad: int
    tolerated: float
    phi: float = 1.0
    where: str = ""

    @property
    def rate(self) -> float:
        """p1."""
        return self.bad / self.n

    @property
    def as_bad(self) -> float:
        """u: from this rate on the old colour is as bad as the release was."""
        return max(self.rate / 2.0, sqrt(self.tolerated * self.rate))

    @property
    def against(self) -> float:
        """Nats that speak against the release."""
        return self.n * divergence(self.rate, self.tolerated) / self.phi


def befores(account: Account, lately: Lately) -> tuple[Before, ...]:
    """What there is to compare: the signals that spoke against the release by at least SURELY to 1, the strongest
    first. Empty where none did: a person or an alert took it back, and there is nothing to explain."""
    found = []
    for signal, row in account.rows.items():
        stretch = lately.worst(signal, row.tolerance.q0)
        if stretch.n and stretch.rate > row.tolerance.q0:
            found.append(Before(signal, stretch.n, stretch.bad, row.tolerance.q0, row.tolerance.phi))
    told = [before for before in found if before.against >= log(SURELY)]
    return tuple(sorted(told, key=lambda before: -before.against)[:AT_MOST])


@dataclass(slots=True)
class Comparison:
    """One signal: the new colour before, and `bad` of `n` events of the old one since. Memory does not grow.

    `parts`: how many signals share ALPHA.
    """

    before: Before
    parts: int = 1
    n: int = 0
    bad: int = 0
    finding: Finding = Finding.COMPARING
    """Once said, it stands: the bound is on ever saying the wrong thing."""

    def observe(self, *, n: int, bad: int) -> None:
        """Count `bad` of `n` further events of the old colour."""
        if not 0 <= bad <= n:
            raise ValueError(f"{self.before.signal}: {bad} bad in {n} events is not a count")
        self.n += n
        self.bad += bad
        if self.finding is Finding.COMPARING:
            self.finding = self._said(self.n, self.bad)

    @property
    def worse_than_usual(self) -> float:
        """Odds that the old colour is above what is tolerated."""
        return self._odds(GRID, self.before.tolerated, self.n, self.bad)

    @property
    def better_than_release(self) -> float:
        """Odds that the old colour is better than the release was."""
        return self._odds(BETTER, self.before.as_bad, self.n, self.bad)

    def more(self) -> tuple[int | None, int | None]:
        """Events that would decide it if all of them were good, and if all were bad; None where no number does."""
        return self._more(0), self._more(1)

    def describe(self, old: str, new: str) -> str:
        """`5xx 40 of 52 (77 %) on green before, 0 of 300 (0 %) on blue after`."""
        before = f"{self.before.bad:,} of {self.before.n:,} ({percent(self.before.rate)})"
        after = f"{self.bad:,} of {self.n:,} ({percent(self.bad / self.n)})" if self.n else "nothing seen"
        return f"{self.before.signal} {before} on {new} before the cutback, {after} on {old} after it"

    def _said(self, n: int, bad: int) -> Finding:
        needed = self.parts / ALPHA
        if self._odds(BETTER, self.before.as_bad, n, bad) >= needed:
            return Finding.RELEASE
        as_bad = bad >= MIN_BAD and bad / n >= self.before.as_bad
        if as_bad and self._odds(GRID, self.before.tolerated, n, bad) >= needed:
            return Finding.SHARED
        return Finding.COMPARING

    def _odds(self, sizes: tuple[float, ...], rate: float, n: int, bad: int) -> float:
        phi = self.before.phi
        won = [(bad * log(rho) - n * log1p(rate * (rho - 1.0))) / phi for rho in sizes]
        return sum(exp(min(each, HIGHEST_EXPONENT)) for each in won) / len(sizes)

    def _more(self, bad: int) -> int | None:
        if self.finding is not Finding.COMPARING:
            return 0
        high = 1
        while self._said(self.n + high, self.bad + bad * high) is Finding.COMPARING:
            high *= 2
            if high > FAR:
                return None
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            if self._said(self.n + middle, self.bad + bad * middle) is Finding.COMPARING:
                low = middle
            else:
                high = middle
        return high


@dataclass(slots=True)
class Aftermath:
    """All signals that spoke against the release, compared. The first one spoke most, and its word goes first."""

    comparisons: list[Comparison] = field(default_factory=list)

    @classmethod
    def of(cls, found: tuple[Before, ...]) -> "Aftermath":
        """A comparison of these signals that begins now."""
        return cls([Comparison(before, parts=len(found)) for before in found])

    @property
    def finding(self) -> Finding:
        """What the strongest signal says; COMPARING until it does."""
        return self.comparisons[0].finding if self.comparisons else Finding.UNDECIDED

    @property
    def final(self) -> tuple[Finding, Comparison]:
        """What is said when the time is over: the word of the first signal that has one."""
        decided = [each for each in self.comparisons if each.finding is not Finding.COMPARING]
        return (decided[0].finding, decided[0]) if decided else (Finding.UNDECIDED, self.comparisons[0])

    def observe(self, signal: str, *, n: int, bad: int) -> None:
        """Count `bad` of `n` further events of the old colour; a signal that is not compared changes nothing."""
        for comparison in self.comparisons:
            if comparison.before.signal == signal and n:
                comparison.observe(n=n, bad=bad)


def in_words(aftermath: Aftermath, old: str, new: str) -> str:
    """The finding so far, for people."""
    finding, leading = aftermath.final
    told = leading.describe(old, new)
    where = f"; {leading.before.where}" if leading.before.where else ""
    match finding:
        case Finding.SHARED:
            return f"shared cause, the release is not to blame: {told}"
        case Finding.RELEASE:
            too = leading.worse_than_usual >= leading.parts / ALPHA
            besides = f". {old} fares worse than usual too, if not as badly" if too else ""
            return f"the release is to blame: {told}{where}{besides}"
        case _:
            return f"cannot tell yet: {told}; {_needed(leading, old)}"


def finding_of(deployment: Deployment) -> str:
    """What the comparison after this deployment's cutback said; empty where there was none."""
    return str(deployment.facts.get(FACT, {}).get("text", ""))


def _needed(comparison: Comparison, old: str) -> str:
    good, bad = comparison.more()
    told = [
        f"{good:,} more good ones of {old} would show the release to be the cause" if good is not None else "",
        f"{bad:,} more bad ones a shared cause" if bad is not None else "",
    ]
    return ", ".join(filter(None, told)) or "no number of further events would tell"
