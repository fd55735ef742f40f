"""The betting account: evidence that a release is worse, which may be looked at after every request.

A gambler bets that the new colour is worse than tolerated, on several signals and several sizes of the effect
at once. If it is not worse, his wealth is a nonnegative supermartingale from 1, so that it ever reaches
1/alpha has probability at most alpha, however often one looks (Ville's inequality; Shin, Ramdas and Rinaldo,
"E-detectors"). Half of the stake is bet at the switch and the rest is released by the clock, log-uniformly
over the watch, so that a regression that starts late still meets fresh bets. Wealth is averaged over signals
(their weights add up to 1), which needs nothing to be independent: one alpha covers them all.

Hazard: a stake that is released because a bad event has just arrived wins by construction, and the guarantee
is gone. So an outcome reported at time t only meets what was released up to the time of the report *before*
t, and reports of one time count as one: whoever drains his sources passes one time for everything that one
drain yields.
"""

from dataclasses import asdict, dataclass, field
from math import exp, fsum, log, log1p
from typing import Any, Self

from bluegreen.domain.rules import SIGNALS, GaugeRule, SignalRule
from bluegreen.domain.tolerance import Tolerance, tolerance, watch_needed

GRID = (1.5, 2.5, 5.0, 12.0, 40.0, 200.0, 2000.0)
"""Effect sizes bet on, as odds ratios over the tolerated rate: from "half as much again" to an outage."""

# exp() of more than 709 overflows; a wealth of 1e300 leaves room for the sum over all rows.
HIGHEST_EXPONENT = 600.0
HIGHEST_STAKE = 1e300


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How a release is judged. Times in seconds, rates as shares of 1.

    alpha: probability of a false cut per deployment, over all signals and the whole watch. min_bad: bad
    events below which nothing is cut. min_effect: how much worse a release called healthy must not be. rel,
    plus, delta: see `tolerance`. tau_s: time scale on which the stake is released.
    """

    window_s: float = 1800.0
    standby_s: float = 3600.0
    alpha: float = 0.001
    min_bad: int = 3
    min_effect: float = 0.01
    probe_failures_in_a_row: int = 3
    rel: float = 1.5
    plus: float = 0.002
    delta: float = 1e-4
    tau_s: float = 10.0
    grid: tuple[float, ...] = GRID
    signals: tuple[SignalRule, ...] = SIGNALS

    def __post_init__(self) -> None:
        if not (0.0 < self.alpha < 1.0 and 0.0 < self.delta < 1.0):
            raise ValueError(f"alpha {self.alpha} and delta {self.delta} must lie between 0 and 1")
        if not (self.window_s > 0.0 and self.standby_s >= 0.0 and self.tau_s > 0.0):
            raise ValueError("window_s and tau_s must be above 0 seconds, standby_s not below")
        if not (0.0 < self.min_effect < 1.0 and self.rel >= 1.0 and self.plus >= 0.0):
            raise ValueError("min_effect must lie between 0 and 1, rel be at least 1 and plus at least 0")
        if not self.grid or min(self.grid) <= 1.0:
            raise ValueError(f"every effect size bet on must be above 1: {self.grid}")
        _check_signals(self.signals)

    def tolerance(self, *, n: int, bad: int) -> Tolerance:
        """What these rules tolerate after the live colour's `bad` of `n`."""
        return tolerance(n=n, bad=bad, rel=self.rel, plus=self.plus, delta=self.delta)

    def released(self, t_s: float) -> float:
        """Share of the stake that is bet `t_s` seconds after the switch: one half at 0, all at the end."""
        end = self.window_s + self.standby_s
        t = min(max(t_s, 0.0), end)
        return 0.5 + 0.5 * log1p(t / self.tau_s) / log1p(end / self.tau_s)


def _check_signals(signals: tuple[SignalRule, ...]) -> None:
    names = [signal.name for signal in signals]
    if len(set(names)) < len(names):
        raise ValueError(f"a signal is named twice: {', '.join(names)}")
    if any(signal.weight <= 0.0 for signal in signals) or abs(fsum(s.weight for s in signals) - 1.0) > 1e-9:
        raise ValueError("the weights of the signals must be above 0 and add up to 1, so that they share one alpha")
    if not any(signal.critical for signal in signals):
        raise ValueError("no signal is critical: a release would be healthy without a single sample")


@dataclass(slots=True)
class Row:
    """One signal's part of the account: what was counted, and one stake per effect size."""

    rule: SignalRule
    tolerance: Tolerance
    share: float
    grid: tuple[float, ...]
    stakes: list[float]
    n: int = 0
    bad: int = 0
    _won: list[float] = field(init=False, repr=False)
    _paid: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        q0, phi = self.tolerance.q0, self.tolerance.phi
        self._won = [log(rho) / phi for rho in self.grid]
        self._paid = [log1p(q0 * (rho - 1.0)) / phi for rho in self.grid]

    @property
    def wealth(self) -> float:
        """This signal's part of the account's wealth; `share` is what it was given in all."""
        return sum(self.stakes)

    def needed(self, rules: WatchRules) -> int | None:
        """Events from which this signal may be called good; None where no number suffices."""
        return watch_needed(self.tolerance.q0, rules.min_effect, rules.alpha)

    def stake(self, share: float) -> None:
        """Bet a further part of this signal's share."""
        each = self.share * share / len(self.stakes)
        self.stakes = [stake + each for stake in self.stakes]

    def resume(self, n: int, bad: int, stakes: list[float]) -> None:
        """Go on from saved counts and stakes; ValueError where they were bet on other effect sizes."""
        if len(stakes) != len(self.grid):
            raise ValueError(f"{self.rule.name}: {len(stakes)} stakes saved for {len(self.grid)} effect sizes")
        self.n, self.bad, self.stakes = n, bad, list(stakes)

    def settle(self, n: int, bad: int) -> None:
        """Let every bet win or lose: its stake times (rho^bad / (1 + q0·(rho-1))^n)^(1/phi)."""
        self.n += n
        self.bad += bad
        self.stakes = [
            min(stake * exp(min(bad * won - n * paid, HIGHEST_EXPONENT)), HIGHEST_STAKE)
            for stake, won, paid in zip(self.stakes, self._won, self._paid, strict=True)
        ]


@dataclass(slots=True)
class Account:
    """All bets of one watch. The only thing of the domain that changes in place: it is updated at every tick.

    Memory does not grow. `t_s` is the time of the last report, in seconds since the switch.
    """

    rules: WatchRules
    rows: dict[str, Row]
    t_s: float = 0.0
    released: float = 0.0

    @classmethod
    def open(cls, rules: WatchRules, tolerances: dict[str, Tolerance]) -> Self:
        """An account at the switch (t = 0), half of the stake bet.

        A signal without a tolerance takes no part, and its weight goes to the others; a critical one must
        have a tolerance (one made from no history will do), and a tolerance without a rule is refused:
        ValueError.
        """
        unruled = tolerances.keys() - {rule.name for rule in rules.signals}
        if unruled:
            raise ValueError(f"no rule gives a weight to the signal {', '.join(sorted(unruled))}")
        missing = [rule.name for rule in rules.signals if rule.critical and rule.name not in tolerances]
        if missing:
            raise ValueError(f"the critical signal {', '.join(missing)} has no tolerance")
        parts = [rule for rule in rules.signals if rule.name in tolerances]
        total = fsum(rule.weight for rule in parts)
        account = cls(rules, {r.name: _row(rules, r, r.weight / total, tolerances[r.name]) for r in parts})
        account._release(rules.released(0.0))
        return account

    @property
    def wealth(self) -> float:
        """M: the odds against "nothing is worse than tolerated".

        Read it after the last report of a drain. Between two of them it mixes rows of before and after, and the
        bound is 2·alpha: if the mixture reaches 1/alpha, then M was or will be at half of that.
        """
        return sum(row.wealth for row in self.rows.values())

    def release(self, t_s: float) -> None:
        """Say that it is `t_s`, and bet what is due up to the time before. An earlier `t_s` changes nothing.

        For a tick that brought no outcome. Never call it *because* an outcome came (see the hazard above).
        """
        if t_s > self.t_s:
            self._release(self.rules.released(self.t_s))
            self.t_s = t_s

    def observe(self, signal: str, *, n: int, bad: int, t_s: float) -> None:
        """Count `bad` of the `n` events of `signal` that came since the last report; read out at `t_s`.

        A signal that takes no part raises KeyError. An outcome with an earlier time counts, and releases
        nothing.
        """
        if not 0 <= bad <= n:
            raise ValueError(f"{signal}: {bad} bad in {n} events is not a count")
        row = self.rows[signal]
        self.release(t_s)
        row.settle(n, bad)

    def to_dict(self) -> dict[str, Any]:
        """The whole account for the journal, rules included: plain JSON, exact to the last bit."""
        rows = [
            {"tolerance": asdict(row.tolerance), "n": row.n, "bad": row.bad, "stakes": list(row.stakes)}
            for row in self.rows.values()
        ]
        return {
            "rules": asdict(self.rules),
            "t_s": self.t_s,
            "released": self.released,
            "rows": dict(zip(self.rows, rows, strict=True)),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The account that `to_dict` saved; ValueError where it is not of this program's shape."""
        try:
            account = cls.open(
                _saved_rules(saved["rules"]),
                {signal: Tolerance(**row["tolerance"]) for signal, row in saved["rows"].items()},
            )
            account.t_s, account.released = saved["t_s"], saved["released"]
            for signal, row in saved["rows"].items():
                account.rows[signal].resume(row["n"], row["bad"], row["stakes"])
        except (KeyError, TypeError) as exc:
            raise ValueError(f"the saved evidence is not of this program's shape: {exc!r}") from exc
        return account

    def _release(self, share: float) -> None:
        for row in self.rows.values():
            row.stake(share - self.released)
        self.released = share


def _row(rules: WatchRules, rule: SignalRule, share: float, tolerated: Tolerance) -> Row:
    return Row(rule, tolerated, share, rules.grid, stakes=[0.0] * len(rules.grid))


def _saved_rules(saved: dict[str, Any]) -> WatchRules:
    signals = tuple(_saved_signal(signal) for signal in saved["signals"])
    return WatchRules(**{**saved, "grid": tuple(saved["grid"]), "signals": signals})


def _saved_signal(saved: dict[str, Any]) -> SignalRule:
    gauge = saved.get("gauge")
    return SignalRule(**{**saved, "gauge": None if gauge is None else GaugeRule(**gauge)})
