"""Bets on several sizes of one effect against one null: "the rate is at most q0".

A bet on the odds ratio rho multiplies its stake, over a batch of `bad` in `n`, by

    F = (rho^bad / (1 + q0·(rho-1))^n)^(1/phi)          E[F] <= 1 for every rate p <= q0 (phi = 1)

Stakes change only when some are added. Batches in between multiply the same stakes, in any order, so they are added up
and settled at once when stakes are added or asked for: counting is cheap, and how events were batched is no matter.
"""

from dataclasses import dataclass, field
from math import exp, log, log1p

# exp() of more than 709 overflows; a wealth of 1e300 leaves room for the sum over all rows.
HIGHEST_EXPONENT = 600.0
HIGHEST_STAKE = 1e300


def won(grid: tuple[float, ...], phi: float = 1.0) -> list[float]:
    """What a bad event adds to the logarithm of each stake."""
    return [log(rho) / phi for rho in grid]


def paid(grid: tuple[float, ...], q0: float, phi: float = 1.0) -> list[float]:
    """What any event takes from the logarithm of each stake."""
    return [log1p(q0 * (rho - 1.0)) / phi for rho in grid]


@dataclass(slots=True)
class Bets:
    """One stake per effect size. `won` and `paid` are in nats per bad event and per event."""

    won: list[float]
    paid: list[float]
    stakes: list[float]
    _n: int = field(default=0, compare=False)
    _bad: int = field(default=0, compare=False)

    def count(self, n: int, bad: int) -> None:
        """Let `bad` of `n` events win and lose, at the latest when stakes are next looked at."""
        self._n += n
        self._bad += bad

    def add(self, each: float) -> None:
        """Bet further stake, which meets what is counted from now on."""
        if self._n and not self._bad:
            n, self._n = self._n, 0
            self.stakes = [stake * exp(-n * price) + each for stake, price in zip(self.stakes, self.paid, strict=True)]
            return
        self._settle()
        self.stakes = [stake + each for stake in self.stakes]

    def lower(self, highest: float) -> None:
        """Give up what any stake has above `highest`."""
        self.stakes = [min(stake, highest) for stake in self.settled()]

    def settled(self) -> list[float]:
        """The stakes after all that was counted."""
        self._settle()
        return self.stakes

    @property
    def wealth(self) -> float:
        """The sum of the stakes."""
        return sum(self.settled())

    def _settle(self) -> None:
        n, bad = self._n, self._bad
        if not n:
            return
        self._n = self._bad = 0
        if bad:
            self.stakes = [
                min(stake * exp(min(bad * gain - n * price, HIGHEST_EXPONENT)), HIGHEST_STAKE)
                for stake, gain, price in zip(self.stakes, self.won, self.paid, strict=True)
            ]
        else:
            self.stakes = [stake * exp(-n * price) for stake, price in zip(self.stakes, self.paid, strict=True)]
