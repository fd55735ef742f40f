"""A release on trial: the account of one switch, the streaks beside it, and what of them survives a restart.

Time is the trial's own: seconds in which the release was watched. It moves by `tick` alone, never because an
outcome arrived, since stake released for an outcome that is known would void the guarantee (domain/account.py).
"""

from collections.abc import Mapping
from typing import Self

from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.evidence import Judgement, Streak, judge
from bluegreen.domain.outlook import more_bad_to_cut
from bluegreen.domain.plans import Terms
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Gauged
from bluegreen.domain.tolerance import Tolerance


def rules_of(terms: Terms) -> WatchRules:
    """The rules of judgement that a plan promised."""
    return WatchRules(
        window_s=terms.window,
        standby_s=terms.standby,
        alpha=terms.alpha,
        min_bad=terms.min_bad,
        min_effect=terms.min_effect,
        probe_failures_in_a_row=terms.probe_failures,
        signals=terms.signals,
    )


class Trial:
    """What is known of the new colour since the switch."""

    def __init__(self, account: Account, limits: Mapping[str, float], streaks: dict[str, Streak] | None = None) -> None:
        self._account = account
        self._limits = limits
        self._streaks = streaks or {}

    @classmethod
    def open(cls, rules: WatchRules, tolerances: dict[str, Tolerance], limits: Mapping[str, float]) -> Self:
        """A trial that begins now. `limits`: seconds above which a request of a service is slow."""
        return cls(Account.open(rules, tolerances), limits)

    @property
    def t_s(self) -> float:
        """Seconds watched so far."""
        return self._account.t_s

    def tick(self, seconds: float) -> None:
        """Let time pass: the only thing that releases stake."""
        self._account.release(self._account.t_s + seconds)

    def observe(self, batch: Batch) -> bool:
        """Count a batch of the new colour; True where something in it was bad, so that judging may tell more."""
        n, bad = self._count(batch)
        if batch.signal in self._account.rows and n:
            self._account.observe(batch.signal, n=n, bad=bad, t_s=self._account.t_s)
        if batch.signal == "probe" and isinstance(batch, Counted):
            self._streak(batch.key).observe(n=n, bad=bad)
        return bad > 0

    def counts(self) -> dict[str, tuple[int, int]]:
        """(events, bad ones) of each signal so far."""
        return {signal: (row.n, row.bad) for signal, row in self._account.rows.items()}

    def judge(self, silent: frozenset[str]) -> Judgement:
        """The verdict as of now."""
        return judge(self._account, [streak.reading() for streak in self._streaks.values()], silent=silent)

    def more_bad_to_cut(self, signal: str) -> int | None:
        """Bad events of a signal in a row that would convict now; None where no number of them does."""
        return more_bad_to_cut(self._account, signal)

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return {
            "account": self._account.to_dict(),
            "limits": dict(self._limits),
            "streaks": {key: streak.to_dict() for key, streak in self._streaks.items()},
        }

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept. Raises ValueError where another program kept it."""
        streaks = {key: Streak.from_dict(value) for key, value in kept["streaks"].items()}
        return cls(Account.from_dict(kept["account"]), kept["limits"], streaks)

    def _count(self, batch: Batch) -> tuple[int, int]:
        if isinstance(batch, Counted):
            return batch.n, batch.bad
        if isinstance(batch, Gauged):
            return 0, 0
        limit = self._limits.get(batch.key)
        if limit is None:
            return 0, 0
        return len(batch.values), sum(value > limit for value in batch.values)

    def _streak(self, key: str) -> Streak:
        limit = self._account.rules.probe_failures_in_a_row
        return self._streaks.setdefault(key, Streak(f"probe of {key}", limit))
