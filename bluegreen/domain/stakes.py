"""One signal's part of the account, and the keys that may hold a cut back.

Each key is an event that must be there besides the odds, so that it can only hold back, and costs nothing of alpha:

* few: fewer bad events than `min_bad`;
* one client: clients fall into 8 buckets, and the bets are made eight times more, each time without one bucket. Where
  one of them stays below 20:1, one client may be the cause;
* shared cause: while both colours serve, see control.py.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from bluegreen.domain.bets import Bets, paid, won
from bluegreen.domain.clients import Buckets
from bluegreen.domain.control import Control, checked
from bluegreen.domain.rules import SignalRule
from bluegreen.domain.signals import CLIENT_BUCKETS
from bluegreen.domain.tolerance import Tolerance, watch_needed
from bluegreen.domain.watch_rules import WatchRules

SURELY = 20.0
"""Odds that each key asks for: beside the 1,000:1 of the whole they only have to exclude one explanation."""


class Key(StrEnum):
    """Why the account's word is not acted on yet."""

    FEW = "few"
    ONE_CLIENT = "one client"
    SHARED_CAUSE = "shared cause"


@dataclass(slots=True)
class Row:
    """One signal: what was counted, and its bets. `share` is what the signal is given of the stake in all.

    `without`: the bets without one bucket of clients, for each of them; empty where clients cannot be told apart.
    `due`: what each of those stakes is still to get. `control`: only while both colours serve.
    """

    rule: SignalRule
    tolerance: Tolerance
    share: float
    grid: tuple[float, ...]
    bets: Bets = field(init=False)
    without: tuple[Bets, ...] = field(init=False)
    control: Control | None = None
    due: float = 0.0
    n: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        self.bets = self._bets()
        self.without = tuple(self._bets() for _ in range(CLIENT_BUCKETS)) if self.tolerance.clients.apart else ()

    @property
    def wealth(self) -> float:
        """This signal's part of the account's wealth."""
        return self.bets.wealth

    def needed(self, rules: WatchRules) -> int | None:
        """Events from which this signal may be called good; None where no number suffices."""
        return watch_needed(self.tolerance.q0, rules.min_effect, rules.alpha)

    @property
    def without_one_client(self) -> float | None:
        """The lowest odds that stay when one bucket of clients is left out; None where the key is off, for the reason
        that `tolerance.clients` gives."""
        return min(bets.wealth for bets in self.without) / self.share if self.without else None

    @property
    def not_shared(self) -> float | None:
        """The odds against a shared cause; None where the old colour does not serve, or was not heard."""
        return self.control.odds if self.control is not None else None

    def held_back(self, rules: WatchRules) -> tuple[Key, ...]:
        """The keys that do not agree to a cut, were the odds high enough."""
        found = [Key.FEW] if self.bad < rules.min_bad else []
        for key, odds in ((Key.ONE_CLIENT, self.without_one_client), (Key.SHARED_CAUSE, self.not_shared)):
            if odds is not None and odds < SURELY:
                found.append(key)
        return tuple(found)

    def agrees(self, rules: WatchRules) -> bool:
        """Whether every key agrees to a cut."""
        return not self.held_back(rules)

    def stake(self, share: float, *, whole: bool = True) -> None:
        """Bet a further part of this signal's share; all outcomes up to now were counted. `whole` False: the bets
        without a bucket get theirs later. That is work saved, and no matter as long as the clock says when."""
        each = self.share * share / len(self.grid)
        self.bets.add(each)
        self.due += each
        if whole:
            for bets in self.without:
                bets.add(self.due)
            self.due = 0.0
        if self.control is not None:
            self.control.add(share)

    def settle(self, n: int, bad: int, buckets: Buckets | None = None, repeats: int = 0) -> None:
        """Let every bet win or lose. Without `buckets` the events are in none of them, and never left out. `repeats`
        only tell the colours apart."""
        self.n += n
        self.bad += bad
        self.bets.count(n, bad)
        if self.control is not None:
            self.control.count(n + repeats, bad + repeats)
        if not self.without:
            return
        if buckets is None:
            for bets in self.without:
                bets.count(n, bad)
        else:
            for bets, asked, failed in zip(self.without, buckets.asked, buckets.failed, strict=True):
                bets.count(n - asked, bad - failed)

    def moved(self, released: float) -> None:
        """All users were moved: nothing is compared from now on. What may have been a shared cause until now is not
        held against the release: the bets are lowered to what was staked (giving up wealth costs nothing of alpha)."""
        odds = self.not_shared
        if odds is not None and odds < SURELY:
            for bets in (self.bets, *self.without):
                bets.lower(self.share * released / len(self.grid))
        self.control = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, exact to the last bit."""
        saved = {
            "tolerance": asdict(self.tolerance),
            "n": self.n,
            "bad": self.bad,
            "stakes": list(self.bets.settled()),
            "without": [list(bets.settled()) for bets in self.without],
            "due": self.due,
        }
        return saved if self.control is None else {**saved, "control": self.control.to_dict()}

    def resume(self, saved: dict[str, Any], rel: float) -> None:
        """Go on as saved; ValueError where it was bet on other effect sizes, or TypeError or KeyError."""
        self.n, self.bad = saved["n"], saved["bad"]
        self._resume(self.bets, saved["stakes"])
        self.due = saved.get("due", 0.0)
        kept = saved.get("without", [])
        if len(kept) != len(self.without):
            raise ValueError(f"{self.rule.name}: {len(kept)} buckets of clients saved, {len(self.without)} wanted")
        for bets, stakes in zip(self.without, kept, strict=True):
            self._resume(bets, stakes)
        if "control" in saved:
            self.control = Control.from_dict(saved["control"], self.grid, rel)

    def _resume(self, bets: Bets, stakes: Sequence[float]) -> None:
        bets.stakes = checked(stakes, len(self.grid))

    def _bets(self) -> Bets:
        q0, phi = self.tolerance.q0, self.tolerance.phi
        return Bets(won(self.grid, phi), paid(self.grid, q0, phi), [0.0] * len(self.grid))
