"""A release on trial: the account of one switch, what stands beside it, and what of them survives a restart.

Time is the trial's own: seconds in which the release was watched. It moves by `tick` alone, never because an outcome
arrived, since stake released for an outcome that is known would void the guarantee (domain/account.py). The account
hears of it in steps, so that a trial comes out the same however regularly the clock is looked at.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from typing import Self

from bluegreen.app.baseline import Baseline
from bluegreen.app.yardstick import Seen, Yardstick, gauges_of
from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.aftermath import Before, befores
from bluegreen.domain.breakdown import Breakdown
from bluegreen.domain.clients import Failures, Heads
from bluegreen.domain.evidence import Judgement, judge
from bluegreen.domain.lately import Lately
from bluegreen.domain.limits import Limits
from bluegreen.domain.outlook import more_bad_to_cut
from bluegreen.domain.plans import Terms
from bluegreen.domain.records import Json
from bluegreen.domain.rules import LimitRule, SignalRule
from bluegreen.domain.signals import Batch, Counted, Gauged, Measured
from bluegreen.domain.tolerance import Tolerance

STEPS = 10
STEP = 1 / STEPS
"""Seconds of one step of the account's time."""

EVENLY = 0.5
"""The share of the new colour where nobody said it: soon it is what was counted."""

ROUNDING = 1e-6
"""Without it three times 0.1 s would be two steps, by an error in the last bit."""


def rules_of(terms: Terms, *, dry_run: bool = False) -> WatchRules:
    """The rules of judgement that a plan promised: of the signals that decide, or of those in dry run."""
    return WatchRules(
        window_s=terms.window + fsum(step.seconds for step in terms.canary),
        standby_s=terms.standby,
        alpha=terms.alpha,
        min_bad=terms.min_bad,
        min_effect=terms.min_effect,
        probe_failures_in_a_row=terms.probe_failures,
        signals=_weighed([rule for rule in terms.signals if rule.dry_run is dry_run], dry_run),
    )


def limits_of(terms: Terms) -> tuple[LimitRule, ...]:
    """The fixed limits that a plan promised: failed probes of one service in a row, and those of the operator. What is
    about a signal in dry run is in dry run itself."""
    dry = {rule.name for rule in terms.signals if rule.dry_run}
    rules = (probe_failures(terms.probe_failures), *terms.limits)
    return tuple(replace(rule, dry_run=True) if rule.signal in dry else rule for rule in rules)


def probe_failures(in_a_row: int) -> LimitRule:
    """The default limit: plain where a young baseline would make the account slow. Each service has a run of its own:
    among several, the successes of the others would end every run."""
    return LimitRule("probe failures in a row", "probe", 0.0, window_s=0.0, in_a_row=in_a_row, each_key=True)


class Trial:
    """What is known of the new colour since the switch."""

    def __init__(
        self, account: Account, yardstick: Yardstick, limits: Limits, *, dry: Account | None, top_up: bool
    ) -> None:
        self._account = account
        self._yardstick = yardstick
        self._limits = limits
        self._dry = dry
        self._top_up = top_up
        self._t_s = account.t_s
        self._told: dict[str, str] = {}
        self._side_by_side = False
        self._broken = False
        self._failures = Failures()
        self._lately = Lately()
        self.breakdown = Breakdown()
        """Where what is bad came from."""

    @classmethod
    def of(cls, terms: Terms, baseline: Baseline, *, version: str = "", side_by_side: bool = False) -> Self:
        """A trial on these terms that begins now, against what the live colour showed. `version`: what the answers of
        the new colour must say they are; "" where that is not asked. `side_by_side`: both colours serve, for now with
        even shares as far as anybody knows (`shared`)."""
        slow, rules = baseline.limits(terms.slow_factor, terms.slow_floor), rules_of(terms)
        tolerances = baseline.tolerances(rules, slow)
        dry, usual = _dry_account(terms, baseline, slow), tuple(each for each in terms.signals if each.gauge)
        limits = tuple(rule for rule in limits_of(terms) if not (rule.unless_usual and _usual(rule, baseline)))
        yardstick = Yardstick(slow, baseline.ranges(), gauges_of(usual), version)
        top_up = terms.on_no_traffic == "probes"
        trial = cls(Account.open(rules, tolerances), yardstick, Limits(limits), dry=dry, top_up=top_up)
        if side_by_side:
            trial.shared(EVENLY)
        return trial

    @classmethod
    def open(cls, rules: WatchRules, tolerances: dict[str, Tolerance], slow: Mapping[str, float]) -> Self:
        """A trial by rules and tolerances alone: what a simulation has. `slow`: seconds above which a request is."""
        limits = Limits((probe_failures(rules.probe_failures_in_a_row),))
        yardstick = Yardstick(slow, gauges=gauges_of(rules.signals))
        return cls(Account.open(rules, tolerances), yardstick, limits, dry=None, top_up=False)

    @property
    def t_s(self) -> float:
        """Seconds watched so far."""
        return self._t_s

    @property
    def step(self) -> int:
        """How many steps were watched: the time of what comes now, as the account has it."""
        return int(self._t_s * STEPS + ROUNDING)

    @property
    def slow(self) -> Mapping[str, float]:
        """Seconds above which a request of a service is slow."""
        return self._yardstick.slow

    def measure(self, batch: Batch) -> Seen:
        """How many events of a batch count, and how many of them are bad."""
        return self._yardstick.measure(batch)

    def tick(self, seconds: float) -> None:
        """Let time pass: the only thing that releases stake."""
        self._t_s += seconds
        step = self.step
        for account in self._accounts:
            if (step - 1) / STEPS > account.t_s:  # a late tick releases no less than several in time
                account.release((step - 1) / STEPS)
            account.release(step / STEPS)

    def observe(self, batch: Batch, *, late: bool = False) -> bool:
        """Count a batch of the new colour; True where judging may tell more now than before. `late`: it was read after
        an interruption, so that nobody knows in which window of a fixed limit it was."""
        seen = self._yardstick.measure(batch)
        self._locate(batch, seen.bad)
        self._broken = not late and self._hold_against_limits(batch, seen)
        for account in self._accounts:
            heads = self._heads(account, self._failures, batch, seen)
            if heads is not None:
                t_s, buckets, repeats = account.t_s, heads.buckets, heads.repeats
                account.observe(batch.signal, n=heads.n, bad=heads.bad, t_s=t_s, buckets=buckets, repeats=repeats)
                self._lately.count(batch.signal, n=heads.n, bad=heads.bad, t_s=self._t_s)
        return seen.bad > 0 or self._broken

    @property
    def alarming(self) -> bool:
        """False where the last batch cannot have made the release worse: judging it is not worth while."""
        return self._broken or self._account.sure

    @property
    def side_by_side(self) -> bool:
        """True while the other colour serves users beside the one on trial."""
        return self._side_by_side

    def observe_other(self, batch: Batch) -> None:
        """Count a batch of the other colour: while both serve, what is bad on both is no fault of the new one."""
        if not self._side_by_side:
            return
        seen = replace(self._yardstick, version="").measure(batch)
        for account in self._accounts:
            if batch.signal in account.rows and seen.n:  # every failure: one client's do not grow with the traffic
                account.observe_other(batch.signal, n=seen.n, bad=seen.bad, t_s=account.t_s)

    def shared(self, share: float) -> None:
        """Both serve, the colour on trial about `share` (of 1) of the users from now on."""
        self._side_by_side = True
        for account in self._accounts:
            account.side_by_side(share)

    def all_moved(self) -> None:
        """From now on the colour on trial serves alone."""
        self._side_by_side = False
        for account in self._accounts:
            account.side_by_side(None)

    def before(self) -> tuple[Before, ...]:
        """What spoke against the new colour lately, to be compared with the old one after a cutback."""
        return tuple(replace(each, where=self.where(each.signal)) for each in befores(self._account, self._lately))

    def afresh(self) -> Self:
        """A trial of nothing yet, held against the same yardstick, whatever an answer says it is: for counting what the
        old colour shows after a cutback as the new one was counted before it."""
        account = Account.open(self._account.rules, {name: row.tolerance for name, row in self._account.rows.items()})
        return type(self)(account, replace(self._yardstick, version=""), Limits(()), dry=None, top_up=False)

    def counts(self) -> dict[str, tuple[int, int]]:
        """(events, bad ones) of each signal so far, those in dry run too."""
        return {name: (row.n, row.bad) for account in self._accounts for name, row in account.rows.items()}

    def judge(self, silent: Mapping[str, str] | None = None) -> Judgement:
        """The verdict as of now. `silent`: the sources that cannot be heard, and why in words."""
        readings = self._limits.readings(self._t_s)
        return judge(self._account, readings, silent=silent, dry=self._dry, top_up=self._top_up, where=self.where)

    def where(self, signal: str) -> str:
        """What is known of the bad events of a signal: routes, the first bad line, an answer of another release, a
        gauge's last bad value."""
        return ", ".join(filter(None, [self._told.get(signal, ""), self.breakdown.words(signal)]))

    def more_bad_to_cut(self, signal: str) -> int | None:
        """Bad events of a signal in a row that would convict now; None where no number of them does."""
        account = self._account if signal in self._account.rows else self._dry
        return None if account is None else more_bad_to_cut(account, signal)

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return {
            "account": self._account.to_dict(),
            "dry": self._dry.to_dict() if self._dry is not None else None,
            "yardstick": self._yardstick.to_json(),
            "limits": self._limits.to_dict(),
            "breakdown": self.breakdown.to_json(),
            "lately": self._lately.to_json(),
            "told": dict(self._told),
            "top_up": self._top_up,
            "t_s": self._t_s,
            "side_by_side": self._side_by_side,
        }

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept. Raises KeyError, TypeError or ValueError where another program kept it."""
        account = Account.from_dict(kept["account"])
        dry = Account.from_dict(kept["dry"]) if kept["dry"] is not None else None
        rules = account.rules.signals + (dry.rules.signals if dry is not None else ())
        yardstick = Yardstick.from_json(kept["yardstick"], rules)
        trial = cls(account, yardstick, Limits.from_dict(kept["limits"]), dry=dry, top_up=kept["top_up"])
        trial.breakdown = Breakdown.from_json(kept["breakdown"])
        trial._lately = Lately.from_json(kept.get("lately"))
        trial._told, trial._t_s = dict(kept["told"]), float(kept["t_s"])
        trial._side_by_side = bool(kept["side_by_side"])
        return trial

    @property
    def _accounts(self) -> tuple[Account, ...]:
        return (self._account,) if self._dry is None else (self._account, self._dry)

    def _locate(self, batch: Batch, bad: int) -> None:
        """Remember where it came from, answers of another release, and the last bad value of a gauge."""
        if isinstance(batch, Counted):
            self.breakdown.count(batch.signal, batch.parts)
            stale = self._yardstick.stale(batch)
            if stale:
                self._told[batch.signal] = f"{batch.key or 'it'} answers as {stale}, not {self._yardstick.version}"
        elif isinstance(batch, Gauged) and bad:
            self._told[batch.signal] = self._yardstick.told(batch.signal, batch.value)
        elif isinstance(batch, Measured) and batch.key in self._yardstick.slow:
            self.breakdown.measure(batch, self._yardstick.slow[batch.key])

    def _hold_against_limits(self, batch: Batch, seen: Seen) -> bool:
        if isinstance(batch, Gauged):
            return self._limits.sample(batch.signal, batch.value, t_s=self._t_s)
        return self._limits.count(batch.signal, n=seen.n, bad=seen.bad, key=batch.key, t_s=self._t_s)

    def _heads(self, account: Account, failures: Failures, batch: Batch, seen: Seen) -> Heads | None:
        """What counts of a batch; None where the account has no such signal. As in the history, one client's failures
        count once in a while where clients are known; how long answers took always counts."""
        row = account.rows.get(batch.signal)
        if row is None or not seen.n:
            return None
        merged = row.tolerance.clients.merged and not isinstance(batch, Measured)
        return failures.count(batch.signal, seen.n, seen.bad, seen.who, self._t_s, merged=merged)


def _weighed(rules: list[SignalRule], dry_run: bool) -> tuple[SignalRule, ...]:
    """The same, their weights adding up to 1. An account needs a critical signal; that of the dry run decides nothing,
    so that it makes no difference which."""
    total = fsum(rule.weight for rule in rules)
    return tuple(replace(rule, weight=rule.weight / total, critical=rule.critical or dry_run) for rule in rules)


def _dry_account(terms: Terms, baseline: Baseline, slow: Mapping[str, float]) -> Account | None:
    """An account beside for the signals in dry run, with an alpha of its own; None where there are none."""
    if not any(rule.dry_run for rule in terms.signals):
        return None
    rules = rules_of(terms, dry_run=True)
    tolerances = baseline.tolerances(rules, dict(slow))
    signals = _weighed([rule for rule in rules.signals if rule.name in tolerances], dry_run=True)
    return Account.open(replace(rules, signals=signals), tolerances) if signals else None


USUAL_AFTER = 60
"""Events of history from which "the live colour never showed the like" may be said."""


def _usual(rule: LimitRule, baseline: Baseline) -> bool:
    """Whether the live colour showed what a limit forbids, or was seen too little to know."""
    n, bad = baseline.seen(rule.signal)
    return bad > 0 or n < USUAL_AFTER
