"""From counts to a verdict: is the new colour worse, and if nobody can say, what is missing.

The account (account.py) bounds false cuts over the whole watch; fixed limits (limits.py) stand beside it, for what is
plain without statistics, and cut on their own. An outcome has four kinds, after Argo Rollouts' analysis: a release may
be good, bad, not yet decided, or unobservable, and the last two are neither of the first two. Signals in dry run have
an account of their own: it is shown and decides nothing. What follows from `blind` and from `no_traffic` is the
operator's setting and the app's to apply.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bluegreen.domain.account import Account
from bluegreen.domain.keys import keys_of
from bluegreen.domain.limits import Kind, LimitReading
from bluegreen.domain.rules import PROBES, USERS
from bluegreen.domain.stakes import Row
from bluegreen.domain.testimony import Evidence as Evidence
from bluegreen.domain.testimony import State as State


class Verdict(StrEnum):
    """What the signals mean."""

    HEALTHY = "healthy"
    UNDECIDED = "undecided"
    REGRESSED = "regressed"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its arithmetic, as of `t_s` seconds after the switch; strongest evidence first.

    `silent` are the sources of critical signals that cannot be heard; `troubles` tells of every source that cannot be
    heard why, critical or not. `dry` is what the signals in dry run say, of which nothing follows.
    """

    verdict: Verdict
    t_s: float
    odds: float
    odds_needed: float
    signals: tuple[Evidence, ...]
    limits: tuple[LimitReading, ...]
    silent: tuple[str, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)
    dry: tuple[Evidence, ...] = ()

    @property
    def no_traffic(self) -> bool:
        """True where no user was served so far, whatever our own probes saw."""
        return all(evidence.n == 0 for evidence in self.signals if evidence.of_users)

    @property
    def unseen(self) -> bool:
        """True where neither a user nor a probe was heard of: whatever else was measured, that is no success."""
        return all(evidence.n == 0 for evidence in self.signals if evidence.of_people)

    @property
    def undecided(self) -> tuple[Evidence, ...]:
        """The critical signals with too few samples to call the release good."""
        return tuple(evidence for evidence in self.signals if evidence.critical and evidence.missing != 0)

    @property
    def held_back(self) -> tuple[Evidence, ...]:
        """The signal that would cut, were it not for a key."""
        if self.odds < self.odds_needed or any(evidence.convicts for evidence in self.signals):
            return ()
        return tuple(evidence for evidence in self.signals[:1] if evidence.holding)

    @property
    def convicting(self) -> str:
        """The signal for which the release is worse: the account's before a limit's; empty where it is not."""
        if self.verdict is not Verdict.REGRESSED:
            return ""
        found = [*(e.signal for e in self.signals if e.convicts), *(r.signal for r in self.limits if r.cuts)]
        return found[0]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sources that cannot be heard and do not blind, one fact each."""
        return tuple(words for source, words in self.troubles.items() if source not in self.silent)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this verdict, one fact each, for people."""
        match self.verdict:
            case Verdict.REGRESSED:
                return self._regressed()
            case Verdict.BLIND:
                return tuple(self.troubles[source] for source in self.silent)
            case Verdict.UNDECIDED:
                held = tuple(evidence.describe_held() for evidence in self.held_back)
                return held + tuple(evidence.describe_missing() for evidence in self.undecided)
            case Verdict.HEALTHY:
                return tuple(evidence.describe_good() for evidence in self.signals if evidence.critical)

    def _regressed(self) -> tuple[str, ...]:
        """What convicts, and of each signal once where it came from."""
        told, said = [], set()
        found: tuple[Evidence | LimitReading, ...] = tuple(e for e in self.signals if e.convicts)
        for each in found + tuple(reading for reading in self.limits if reading.cuts):
            where = "" if each.signal in said or not each.where else f", {each.where}"
            said.add(each.signal)
            told.append(f"{each.describe()}{where}")
        return tuple(told)

    def describe(self) -> str:
        """The verdict and its reasons in one line."""
        return f"{self.verdict}: {'; '.join(self.reasons)}"


def _nowhere(signal: str) -> str:
    return ""


def judge(
    account: Account,
    limits: Iterable[LimitReading] = (),
    *,
    silent: Mapping[str, str] | None = None,
    dry: Account | None = None,
    top_up: bool = False,
    where: Callable[[str], str] = _nowhere,
) -> Judgement:
    """What the evidence means now. `silent`: the sources that cannot be heard, and why in words; the caller knows.
    `dry`: the account of the signals in dry run. `top_up`: good probes may stand in for users that do not come.
    `where`: what is known of the bad events of a signal, asked only for what convicts.

    Worse is worse even for the half-blind: `regressed` goes before `blind`, and `blind` before everything else.
    """
    troubles = dict(silent or {})
    signals = _evidence(account, troubles, where)
    if top_up:
        signals = _topped_up(signals)
    readings = tuple(_located(reading, where) for reading in limits)
    blind = tuple(sorted({e.source for e in signals if e.critical and e.source in troubles}))
    return Judgement(
        verdict=_verdict(account, signals, readings, blind),
        t_s=account.t_s,
        odds=account.wealth,
        odds_needed=1.0 / account.rules.alpha,
        signals=signals,
        limits=readings,
        silent=blind,
        troubles=troubles,
        dry=() if dry is None else tuple(replace(e, critical=False) for e in _evidence(dry, troubles, _nowhere)),
    )


def _located(reading: LimitReading, where: Callable[[str], str]) -> LimitReading:
    """The same, and where its bad events came from; a gauge's value says all of itself."""
    return replace(reading, where=where(reading.signal)) if reading.cuts and reading.kind is not Kind.GAUGE else reading


def _verdict(
    account: Account, signals: tuple[Evidence, ...], limits: tuple[LimitReading, ...], blind: tuple[str, ...]
) -> Verdict:
    if any(evidence.convicts for evidence in signals) or any(reading.cuts for reading in limits):
        return Verdict.REGRESSED
    if blind:
        return Verdict.BLIND
    if account.sure or any(evidence.critical and evidence.missing != 0 for evidence in signals):
        return Verdict.UNDECIDED
    return Verdict.HEALTHY


def _evidence(account: Account, troubles: Mapping[str, str], where: Callable[[str], str]) -> tuple[Evidence, ...]:
    """One for each row, the strongest first."""
    rows = sorted(account.rows.values(), key=lambda row: -row.wealth)
    guilty = account.convicting()
    found = []
    for row in rows:
        evidence = _of_row(row, account, row is guilty)
        if evidence.source in troubles:
            evidence = replace(evidence, trouble=troubles[evidence.source])
        found.append(replace(evidence, where=where(evidence.signal)) if evidence.convicts else evidence)
    return tuple(found)


def _of_row(row: Row, account: Account, convicts: bool) -> Evidence:
    rule, held = row.rule, row.tolerance
    needed = row.needed(account.rules)
    return Evidence(
        signal=rule.name,
        n=row.n,
        bad=row.bad,
        tolerated=held.q0,
        odds=row.wealth,
        missing=None if needed is None else max(needed - row.n, 0),
        critical=rule.critical,
        synthetic=rule.synthetic,
        p=held.p,
        history_n=held.history_n,
        phi=held.phi,
        decides=held.term,
        share=row.share,
        keys=keys_of(row, account.rules),
        convicts=convicts,
        dry_run=rule.dry_run,
        of_users=not rule.synthetic and rule.gauge is None and rule.source in ("", USERS),
        label=rule.label,
        source=rule.source,
    )


def _topped_up(signals: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """The same, where good probes stand in for the users that critical signals of users still need."""
    probes = sum(evidence.n - evidence.bad for evidence in signals if evidence.source == PROBES)
    return tuple(
        replace(evidence, missing=0, made_up=evidence.missing)
        if evidence.critical and evidence.of_users and evidence.missing and evidence.missing <= probes
        else evidence
        for evidence in signals
    )
