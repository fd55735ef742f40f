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

from dataclasses import asdict, dataclass
from math import fsum
from typing import Any, Self

from bluegreen.domain.clients import Buckets
from bluegreen.domain.control import Control
from bluegreen.domain.stakes import Row
from bluegreen.domain.tolerance import Tolerance
from bluegreen.domain.watch_rules import GRID, WatchRules, saved_rules

__all__ = ["GRID", "Account", "Row", "WatchRules"]


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
        account = cls(rules, {r.name: Row(r, tolerances[r.name], r.weight / total, rules.grid) for r in parts})
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
            self._release(self.rules.released(self.t_s), whole=int(t_s) > int(self.t_s))
            self.t_s = t_s

    def observe(
        self, signal: str, *, n: int, bad: int, t_s: float, buckets: Buckets | None = None, repeats: int = 0
    ) -> None:
        """Count `bad` of the `n` events of `signal` that came since the last report; read out at `t_s`.

        `buckets`: the same events by bucket of clients, None where nobody knows who asked. `repeats`: failures of
        clients beside, which had failed just before; the colours are compared with them, since they are no rarer on
        one than on the other. A signal that takes no part raises KeyError. An outcome with an earlier time counts, and
        releases nothing.
        """
        row = self.rows[signal]
        _check(signal, n, bad)
        self.release(t_s)
        row.settle(n, bad, buckets, repeats)

    def observe_other(self, signal: str, *, n: int, bad: int, t_s: float) -> None:
        """Count `bad` of `n` events of the old colour, repeats too, while both serve; nothing where they do not."""
        row = self.rows[signal]
        _check(signal, n, bad)
        self.release(t_s)
        if row.control is not None:
            row.control.count_other(n, bad)

    def side_by_side(self, share: float | None) -> None:
        """Both colours serve from now on, the new one about `share` (of 1) of the users: what is bad is compared with
        the old colour. Again at every step of a canary. None: all users were moved, there is nothing to compare."""
        if share is not None and not 0.0 < share < 1.0:
            raise ValueError(f"a share of {share} is not one of two colours that both serve")
        for row in self.rows.values():
            if share is None:
                row.moved(self.released)
            elif row.control is None:
                row.control = Control.begin(row.grid, self.rules.rel, self.released, share)
            else:
                row.control.shared(share)

    @property
    def sure(self) -> bool:
        """The strict event, whose probability is at most alpha while nothing is worse: no key is asked."""
        return self.wealth >= 1.0 / self.rules.alpha

    def convicting(self) -> Row | None:
        """The row by which the release is worse: the account is sure and every key of the strongest row agrees, or
        those rows that agree would be sure without the others. (One client that hammers one route must not hide what
        is wrong on another.) None: there is nothing to act on."""
        if not self.sure:
            return None
        rows = sorted(self.rows.values(), key=lambda row: -row.wealth)
        agreed = [row for row in rows if row.agrees(self.rules)]
        if agreed and (agreed[0] is rows[0] or sum(row.wealth for row in agreed) >= 1.0 / self.rules.alpha):
            return agreed[0]
        return None

    def to_dict(self) -> dict[str, Any]:
        """The whole account for the journal, rules included: plain JSON, exact to the last bit."""
        return {
            "rules": asdict(self.rules),
            "t_s": self.t_s,
            "released": self.released,
            "rows": {name: row.to_dict() for name, row in self.rows.items()},
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The account that `to_dict` saved; ValueError where it is not of this program's shape."""
        try:
            account = cls.open(
                saved_rules(saved["rules"]),
                {signal: Tolerance.from_dict(row["tolerance"]) for signal, row in saved["rows"].items()},
            )
            account.t_s, account.released = saved["t_s"], saved["released"]
            for signal, row in saved["rows"].items():
                account.rows[signal].resume(row, account.rules.rel)
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"the saved evidence is not of this program's shape: {exc!r}") from exc
        return account

    def _release(self, share: float, *, whole: bool = True) -> None:
        for row in self.rows.values():
            row.stake(share - self.released, whole=whole)
        self.released = share


def _check(signal: str, n: int, bad: int) -> None:
    if not 0 <= bad <= n:
        raise ValueError(f"{signal}: {bad} bad in {n} events is not a count")
