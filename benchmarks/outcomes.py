"""Simulated users: requests at a steady pace, each bad with the probability of its moment, from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf, log1p

USUAL = 0.001
"""Share of bad answers before the change."""

DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Scenario:
    """A release that fails a share `bad` of its requests from `after_s` seconds after the switch on, or gets there over
    `leak_s` seconds. `usual` is what the live colour fails, `over` what a plain rule calls too much.

    Who has not noticed within `limit_s` after that has missed it.
    """

    name: str
    rps: float
    bad: float
    after_s: float = 0.0
    limit_s: float = 600.0
    leak_s: float = 0.0
    usual: float = USUAL
    over: float = 0.01
    signal: str = "5xx"

    @property
    def end_s(self) -> float:
        """When the simulation ends."""
        return self.after_s + self.limit_s

    @property
    def history(self) -> tuple[int, int]:
        """(n, bad) of a day of the live colour."""
        n = round(self.rps * DAY_S)
        return n, round(self.usual * n)

    def requests(self, t_s: float) -> int:
        """Requests that were answered by a time."""
        return int(self.rps * t_s + 1e-9)

    def bad_times(self, seed: int) -> Iterator[float]:
        """When bad answers come, in seconds after the switch, without end; the same for the same seed."""
        rng = random.Random(f"{self.name} {seed}")
        change, at = self.requests(self.after_s), 0
        for share, last in ((self.usual, float(change)), (self.bad, inf)):
            while (step := _until_bad(rng, share)) + at <= last:
                at += step
                if at <= change or rng.random() * self.bad <= self.rate(at / self.rps):
                    yield at / self.rps
            at = change

    def rate(self, t_s: float) -> float:
        """The release's share of bad answers at a time after the change."""
        begun_s = t_s - self.after_s
        if begun_s >= self.leak_s:
            return self.bad
        return self.usual + (self.bad - self.usual) * begun_s / self.leak_s


def _until_bad(rng: random.Random, share: float) -> int:
    """Requests up to and including the next bad one: geometric."""
    return 1 if share >= 1.0 else max(1, ceil(log1p(-rng.random()) / log1p(-share)))
