"""From counts to a verdict: is the new colour worse, and if nobody can say, what is missing.

The account (account.py) bounds false cuts over the whole watch; fixed limits stand beside it, for what is
plain without statistics, and cut on their own. An outcome has four kinds, after Argo Rollouts' analysis: a
release may be good, bad, not yet decided, or unobservable, and the last two are neither of the first two.
What follows from `blind` and from `no_traffic` is the operator's setting and the app's to apply.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from bluegreen.domain.account import Account, Row, WatchRules


class Verdict(StrEnum):
    """What the signals mean."""

    HEALTHY = "healthy"
    UNDECIDED = "undecided"
    REGRESSED = "regressed"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one signal says. `odds` are its part of the account's wealth. `missing`: events it still needs
    before the release may be called good by it (0: it has them; None: no number suffices, since every rate is
    tolerated)."""

    signal: str
    n: int
    bad: int
    tolerated: float
    odds: float
    missing: int | None
    critical: bool
    synthetic: bool

    @property
    def rate(self) -> float | None:
        """Share of bad events; None where nothing was seen, which is not a rate of 0."""
        return self.bad / self.n if self.n else None

    def describe(self) -> str:
        """`5xx 38 of 1,204 (3.2 %) against tolerated 0.3 %: 1,840:1`."""
        if self.rate is None:
            return f"{self.signal} nothing seen, tolerated {percent(self.tolerated)}"
        seen = f"{self.bad:,} of {self.n:,} ({percent(self.rate)})"
        return f"{self.signal} {seen} against tolerated {percent(self.tolerated)}: {as_odds(self.odds)}"

    def describe_missing(self) -> str:
        """`5xx needs 312 more`."""
        if self.missing is None:
            return f"{self.signal} cannot tell: every rate is tolerated"
        return f"{self.signal} needs {self.missing:,} more"


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What one fixed limit says: the value it watches, the limit, the number of samples behind it."""

    name: str
    value: float
    limit: float
    samples: int
    broken: bool

    def describe(self) -> str:
        """`probe failures in a row: 3, limit 3, 41 samples`."""
        return f"{self.name}: {self.value:g}, limit {self.limit:g}, {self.samples:,} samples"


@dataclass(slots=True)
class Streak:
    """The fixed limit "N failures in a row": plain where a young baseline would make the account slow.

    One streak for each thing that can fail by itself (say, each service's probe): among several, the
    successes of the others would end every run.
    """

    name: str
    limit: int
    run: int = 0
    samples: int = 0

    def observe(self, *, n: int, bad: int) -> None:
        """Count `bad` of `n`; n = 0 changes nothing. Report one by one: the order inside a mixed batch is not
        known, so that it ends the run and starts none."""
        if not 0 <= bad <= n:
            raise ValueError(f"{self.name}: {bad} bad in {n} events is not a count")
        self.samples += n
        self.run = self.run + n if bad == n else 0

    def reading(self) -> LimitReading:
        """How things stand now; a success since then has ended the run."""
        broken = self.run >= self.limit
        return LimitReading(f"{self.name} failures in a row", self.run, self.limit, self.samples, broken)

    def to_dict(self) -> dict[str, Any]:
        """The streak for the journal: plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The streak that `to_dict` saved; ValueError where it is not of this program's shape."""
        try:
            return cls(**saved)
        except TypeError as exc:
            raise ValueError(f"the saved streak is not of this program's shape: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its arithmetic, as of `t_s` seconds after the switch; strongest evidence first."""

    verdict: Verdict
    t_s: float
    odds: float
    odds_needed: float
    signals: tuple[Evidence, ...]
    limits: tuple[LimitReading, ...]
    silent: tuple[str, ...]

    @property
    def no_traffic(self) -> bool:
        """True where no user was served so far, whatever our own probes saw."""
        return all(evidence.n == 0 for evidence in self.signals if not evidence.synthetic)

    @property
    def undecided(self) -> tuple[Evidence, ...]:
        """The critical signals with too few samples to call the release good."""
        return tuple(evidence for evidence in self.signals if evidence.critical and evidence.missing != 0)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this verdict, one fact each, for people."""
        match self.verdict:
            case Verdict.REGRESSED:
                return self._regressed()
            case Verdict.BLIND:
                return tuple(f"{source} is silent" for source in self.silent)
            case Verdict.UNDECIDED:
                return tuple(evidence.describe_missing() for evidence in self.undecided)
            case Verdict.HEALTHY:
                return tuple(evidence.describe() for evidence in self.signals if evidence.critical)

    def _regressed(self) -> tuple[str, ...]:
        broken = tuple(reading.describe() for reading in self.limits if reading.broken)
        if self.odds < self.odds_needed:
            return broken
        return (self.signals[0].describe(), *broken)

    def describe(self) -> str:
        """The verdict and its reasons in one line."""
        return f"{self.verdict}: {'; '.join(self.reasons)}"


def judge(account: Account, limits: Iterable[LimitReading] = (), *, silent: frozenset[str] = frozenset()) -> Judgement:
    """What the evidence means now. `silent`: the sources that were alive and have gone quiet; the caller
    knows.

    Worse is worse even for the half-blind: `regressed` goes before `blind`, and `blind` before everything
    else.
    """
    signals = tuple(sorted((_evidence(row, account.rules) for row in account.rows.values()), key=lambda e: -e.odds))
    readings = tuple(limits)
    return Judgement(
        verdict=_verdict(account, signals, readings, silent),
        t_s=account.t_s,
        odds=account.wealth,
        odds_needed=1.0 / account.rules.alpha,
        signals=signals,
        limits=readings,
        silent=tuple(sorted(silent)),
    )


def _verdict(
    account: Account, signals: tuple[Evidence, ...], limits: tuple[LimitReading, ...], silent: frozenset[str]
) -> Verdict:
    sure = account.wealth >= 1.0 / account.rules.alpha
    if any(reading.broken for reading in limits) or (sure and keys_agree(signals[0], account.rules)):
        return Verdict.REGRESSED
    if silent:
        return Verdict.BLIND
    if any(evidence.critical and evidence.missing != 0 for evidence in signals):
        return Verdict.UNDECIDED
    return Verdict.HEALTHY


def keys_agree(top: Evidence, rules: WatchRules) -> bool:
    """May the account's word be acted on? A key can only hold a cut back, so that none costs any of alpha."""
    return top.bad >= rules.min_bad


def _evidence(row: Row, rules: WatchRules) -> Evidence:
    needed = row.needed(rules)
    return Evidence(
        signal=row.rule.name,
        n=row.n,
        bad=row.bad,
        tolerated=row.tolerance.q0,
        odds=row.wealth,
        missing=None if needed is None else max(needed - row.n, 0),
        critical=row.rule.critical,
        synthetic=row.rule.synthetic,
    )


def percent(share: float) -> str:
    """A share of 1 as people write it: `3.2 %`, `0.3 %`, `100 %`."""
    value = 100.0 * share
    if 0.0 < value < 0.001:
        return "under 0.001 %"
    if value < 1.0:
        return f"{value:.2g} %"
    return f"{value:.1f}".removesuffix(".0") + " %"


def as_odds(wealth: float) -> str:
    """A wealth as odds against an innocent explanation: `1,840:1`."""
    if wealth > 1e9:
        return "over 1,000,000,000:1"
    return f"{wealth:,.0f}:1" if wealth >= 10.0 else f"{wealth:.2g}:1"
