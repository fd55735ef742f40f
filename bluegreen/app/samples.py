"""One sample of a stream: what was seen of one colour at one moment. A stream of them can be judged again (replay.py).

It is the line of the files that `bluegreen replay` reads and `GET /v1/deployments/{id}/samples` gives:
`{"t", "colour", "signal", "n", "bad", "client"?}`, and what else is needed so that nothing is lost.
"""

from math import isfinite
from typing import Any

import msgspec

from bluegreen.domain.plans import Terms
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Gauged, Who
from bluegreen.domain.traffic import Colour

LATEST = 1e11
"""Seconds: epoch times of the next 3,000 years are below it."""

MOST = 10**12
"""Events of one sample."""


MOST_OF_ONE = 100_000
"""Bad events of one sample up to which it is looked at who failed: each is an entry of its own."""


class Sample(msgspec.Struct, gc=False, omit_defaults=True):
    """`bad` of `n` events of a signal at `t` (seconds, of any origin). `client`: who asked, where all of them were one;
    `asked` and `failed` as Who has them, where they were many. `value`: the signal is a gauge, and n and bad mean
    nothing. `about`: what a recording says of itself, on its first line."""

    t: float
    colour: str
    signal: str
    n: int = 1
    bad: int | bool = 0
    client: str | int | None = None
    key: str = ""
    value: float | None = None
    asked: tuple[int, ...] | None = None
    failed: tuple[int, ...] | None = None
    version: str = ""
    about: dict[str, Any] | None = None

    def fault(self) -> str:
        """What is wrong with it, in words; "" where it is a count, or the value of a gauge."""
        if not isfinite(self.t):
            return "t is no number of seconds"
        if abs(self.t) > LATEST:
            return f"t is {self.t:g}: seconds are expected, this looks like milliseconds"
        if not self.colour or not self.signal:
            return "colour and signal must not be empty"
        if self.value is not None:
            return "" if isfinite(self.value) else "value is no number"
        if not 0 <= self.bad <= self.n <= MOST:
            return f"{int(self.bad)} bad in {self.n} events is not a count"
        return self._fault_of_clients()

    def _fault_of_clients(self) -> str:
        if self.asked is None and self.failed is None:
            return ""
        if self.asked is None or self.failed is None or len(self.asked) != CLIENT_BUCKETS:
            return f'"asked" ({CLIENT_BUCKETS} numbers) and "failed" come together'
        if min(self.asked) < 0 or sum(self.asked) != self.n or len(self.failed) != self.bad:
            return '"asked" and "failed" do not add up to n and bad'
        return ""

    def batch(self, colour: Colour, client: int | None) -> Batch:
        """The same as a source reports it; `client` is the hash of who asked."""
        if self.value is not None:
            return Gauged("replay", self.signal, colour, self.value)
        who = self._who(client)
        return Counted("replay", self.signal, colour, self.n, int(self.bad), self.key, who=who, version=self.version)

    def _who(self, client: int | None) -> Who | None:
        if self.asked is not None and self.failed is not None:
            return Who(self.asked, self.failed)
        if client is None or self.bad > MOST_OF_ONE:
            return None
        asked = [0] * CLIENT_BUCKETS
        asked[client % CLIENT_BUCKETS] = self.n
        return Who(tuple(asked), (client,) * int(self.bad))


class About(msgspec.Struct):
    """What a recording of a deployment says of itself: what a stream alone does not tell. `slow`: (requests, those too
    long) of the live colour's worst half hour before the switch; `side_by_side`: both colours served from then on,
    until it says `all_moved`. Further ones hold the `history`, the `share` of users on the new colour, or why the end
    is missing (`cut_off`)."""

    deployment: str
    old: str
    new: str
    switched_at: float
    terms: Terms
    side_by_side: bool = False
    slow: tuple[int, int] | None = None
