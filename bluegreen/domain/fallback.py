"""Whether the balancer itself fell back to the old colour: a plain rule, since there is no rate to be compared.

While the old colour is the fallback of the new one, users are sent to it only where the new one did not answer. So each
answer of the old colour to a request that began after the switch is one that the new colour owed. One of them may be a
connection that broke; several in a row are a colour that is not there, and that takes its users back, by itself, the
moment it comes up again. Those who asked before the switch, and streams, are not counted.
"""

from dataclasses import dataclass, field
from typing import Self

from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted
from bluegreen.domain.traffic import Colour

USERS, PROBE = "5xx", "probe"
"""The signals that count every answer to a user, and to a request of our own through the front door, once."""

ANSWERS = 3
"""Answers to users within WITHIN seconds that mean it."""

PROBES = 2
"""Answers to our own probes within WITHIN seconds that mean it: they ask for what is known to work."""

WITHIN = 10.0
"""Seconds."""

SETTLED = 1.0
"""Seconds after the proof of a switch from which on users' requests count: a proxy that changes its configuration may
take in one or two by the old one meanwhile."""

KEPT = 32
"""Answers whose times are remembered: of any ANSWERS of them that lie close together, the latest do."""


@dataclass(slots=True)
class FellBack:
    """What the old colour answered since the switch settled at `since` (seconds since 1970; None: nothing is counted).

    `users` and `probes` are how many; `sure` once they mean it, and for good: what comes back may go again.
    """

    since: float | None = None
    users: int = 0
    probes: int = 0
    sure: bool = False
    _users: list[float] = field(default_factory=list)
    _probes: list[float] = field(default_factory=list)

    def settle(self, at: float) -> None:
        """Count from SETTLED after `at` on, where nothing is counted yet; harmless twice."""
        if self.since is None:
            self.since = at + SETTLED

    def take(self, batch: Batch, *, wall: float, monotonic: float) -> bool:
        """Take in what the old colour answered, at a moment by both clocks; True where it is enough only now."""
        if not isinstance(batch, Counted):
            return False
        if batch.signal == USERS:
            return self.answered(batch.begun)
        if batch.signal == PROBE and batch.since is not None:
            return self.probed(wall - (monotonic - batch.since))
        return False

    def answered(self, begun: tuple[float, ...]) -> bool:
        """Take in when answers of the old colour to users began; True where they are enough only now."""
        late = [at for at in begun if self._counts(at)]
        self.users += len(late)
        self._users = sorted(self._users + late)
        close = _close(self._users, ANSWERS)
        self._users = self._users[-KEPT:]
        return self._became_sure(close)

    def probed(self, at: float) -> bool:
        """Take in an answer of the old colour to a probe that was sent at `at`; True where they are enough only now."""
        if not self._counts(at):
            return False
        self.probes += 1
        self._probes = sorted([*self._probes, at])[-KEPT:]
        return self._became_sure(_close(self._probes, PROBES))

    def describe(self, old: Colour, new: Colour, name: str = "Caddy") -> str:
        """`Caddy itself fell back to blue: green did not answer 12 requests and 2 probes`."""
        asked = _both((self.users, "request"), (self.probes, "probe"))
        return f"{name} itself fell back to {old}: {new} did not answer {asked}"

    def owed(self) -> str:
        """`answers to 12 requests and 2 probes`."""
        return f"answers to {_both((self.users, 'request'), (self.probes, 'probe'))}"

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return {
            "since": self.since,
            "users": self.users,
            "probes": self.probes,
            "sure": self.sure,
            "lately": [self._users, self._probes],
        }

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept; of nothing where nothing was. Raises KeyError, TypeError or ValueError where another program
        kept it."""
        if not kept:
            return cls()
        users, probes = kept["lately"]
        since = None if kept["since"] is None else float(kept["since"])
        counts = int(kept["users"]), int(kept["probes"])
        return cls(since, *counts, sure=bool(kept["sure"]), _users=list(users), _probes=list(probes))

    def _counts(self, at: float) -> bool:
        return self.since is not None and at >= self.since

    def _became_sure(self, close: bool) -> bool:
        if self.sure or not close:
            return False
        self.sure = True
        return True


def _both(*counts: tuple[int, str]) -> str:
    return " and ".join(f"{n} {what}{'s' if n > 1 else ''}" for n, what in counts if n)


def _close(times: list[float], number: int) -> bool:
    """Whether so many of these, in order, lie within WITHIN seconds."""
    return any(last - first <= WITHIN for first, last in zip(times, times[number - 1 :], strict=False))
