"""What a stream of samples is about: which colour is the old one, when users were moved, and whether both served.

A daemon knows this, since it moved the users; a stream of samples from elsewhere does not say it. It follows from
who was served when, never from how well: what is found here can make no false cut likelier.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, sqrt

from bluegreen.app.samples import About, Sample
from bluegreen.domain.rules import SIGNALS

SLOT = 10.0
"""Seconds: who was served is added up in slots of this length."""

LINGER = 5.0
"""Seconds after the switch in which answers of the old colour are those of requests that were on their way."""

LOOK = 60.0
ENOUGH = 50
"""It is looked for so many seconds, and until so many events came, whether the old colour goes on."""

SERVES = 0.02
FEW = 3
"""A colour serves users where it has this share of the events, and not fewer than so many of them: less are streams
that end late."""

GONE = 200
"""Events of the new colour without one of the old one after which the old one does not go on, but came back."""

LEAST_SHARE = 0.001
"""A share is taken for no smaller than this, and for no larger than what leaves as much."""

SURELY = 5.0
"""Standard errors by which a share differs that is another one."""

SYNTHETIC = frozenset(rule.name for rule in SIGNALS if rule.synthetic)
USERS = frozenset(rule.name for rule in SIGNALS if not rule.synthetic)
"""Signals of which each event is a user's; where a stream has none of them, all that is not synthetic tells."""


@dataclass(slots=True)
class _Served:
    old: int = 0
    new: int = 0

    @property
    def n(self) -> int:
        return self.old + self.new


class _Slots:
    """How many events each colour had after the switch."""

    def __init__(self) -> None:
        self.served: dict[int, _Served] = defaultdict(_Served)
        self._last_new = -1
        self._alone = 0
        self._old_goes_on = False

    def take(self, n: int, new: bool, after: float) -> None:
        """Count what came `after` seconds."""
        if new and after >= 0:
            self._last_new = max(self._last_new, int(after // SLOT))
            self.served[self._last_new].new += n
            if after > LINGER and not self._old_goes_on:
                self._alone += n
        elif not new and after > LINGER:
            self.served[int(after // SLOT)].old += n
            self._old_goes_on = True

    def shares(self, until: float) -> list[tuple[float, float]]:
        """(seconds after the switch, the new colour's share of the events) at the beginning and wherever it changed."""
        found: list[tuple[float, float]] = []
        begin, seen = 0.0, _Served()
        for number, served in sorted(self.served.items()):
            if number * SLOT >= until:
                break
            seen = _Served(seen.old + served.old, seen.new + served.new)
            end = (number + 1) * SLOT
            if end - begin >= LOOK and seen.n >= ENOUGH:
                _announce(found, begin, seen)
                begin, seen = end, _Served()
        if not found:
            _announce(found, begin, seen)
        return found

    def side_until(self) -> float | None:
        """Seconds after the switch until which both served; None where the old one did not go on. What the old colour
        serves after the new one's last event is what came after a way back."""
        rows = sorted((number, served) for number, served in self.served.items() if number <= self._last_new)
        if self._alone >= GONE or not _serves(_first_look(rows)):
            return None
        for end in range(len(rows) - 1, -1, -1):
            if rows[end][1].old and _serves(_last_look(rows[: end + 1])):
                return (rows[end][0] + 1) * SLOT
        return None


@dataclass
class Survey:
    """One look at all samples, in the order of time. `old` and `new` are the names of the colours, "" where there is
    none; `signals` says of each whether it is a gauge; `ordered` is False where a sample was older than the one
    before. Times are those of the samples."""

    old: str = ""
    new: str = ""
    switched_at: float | None = None
    signals: dict[str, bool] = field(default_factory=dict)
    samples: int = 0
    ordered: bool = True
    first_t: float | None = None
    last_t: float = float("-inf")
    stranger: str = ""
    """A third colour, where there is one."""
    told: bool = False
    told_side_until: float | None = None
    """Until when both served, where that was `told` and need not be found out."""
    _users: _Slots = field(default_factory=_Slots)
    _others: _Slots = field(default_factory=_Slots)

    def look(self, samples: Iterable[Sample]) -> "Survey":
        """Take in all samples. Returns itself."""
        for sample in samples:
            self._take(sample)
        return self

    @property
    def side_until(self) -> float | None:
        """Until when both colours served users after the switch; None where all users were moved at once."""
        if self.told or self.switched_at is None:
            return self.told_side_until
        slots = self._users if self._users.served else self._others
        until = slots.side_until()
        return None if until is None else self.switched_at + until

    @property
    def shares(self) -> list[tuple[float, float]]:
        """(moment, the new colour's share of the users) from the switch on while both served, at each change; empty
        where it was `told`, or all users were moved at once."""
        until = self.side_until
        if self.told or until is None or self.switched_at is None:
            return []
        slots = self._users if self._users.served else self._others
        return [(self.switched_at + after, share) for after, share in slots.shares(until - self.switched_at)]

    def instruct(self, about: About) -> None:
        """What the recording says of itself goes before what was found out."""
        self.old, self.new, self.switched_at = about.old, about.new, about.switched_at
        self.told, self.told_side_until = True, inf if about.side_by_side else None

    def _take(self, sample: Sample) -> None:
        self.samples += 1
        if self.first_t is None:
            self.first_t = sample.t
        if sample.t < self.last_t:
            self.ordered = False
        self.last_t = max(self.last_t, sample.t)
        self.signals.setdefault(sample.signal, sample.value is not None)
        if not self._known(sample.colour):
            return
        new = sample.colour == self.new
        if new and self.switched_at is None:
            self.switched_at = sample.t
        if self.switched_at is not None and sample.signal not in SYNTHETIC and sample.value is None:
            slots = self._users if sample.signal in USERS else self._others
            slots.take(sample.n, new, sample.t - self.switched_at)

    def _known(self, colour: str) -> bool:
        if colour in (self.old, self.new):
            return True
        if not self.old:
            self.old = colour
        elif not self.new:
            self.new = colour
        else:
            self.stranger = self.stranger or colour
            return False
        return True


def _announce(found: list[tuple[float, float]], begin: float, seen: _Served) -> None:
    """Note a share that is surely another one than before."""
    share = min(max(seen.new / max(seen.n, 1), LEAST_SHARE), 1.0 - LEAST_SHARE)
    if not found or abs(share - found[-1][1]) > SURELY * sqrt(share * (1.0 - share) / seen.n):
        found.append((begin, share))


def _serves(served: _Served) -> bool:
    return served.old >= FEW and served.old >= SERVES * (served.old + served.new)


def _first_look(rows: list[tuple[int, _Served]]) -> _Served:
    seen = _Served()
    for number, served in rows:
        if number * SLOT >= LOOK and seen.old + seen.new >= ENOUGH:
            break
        seen.old, seen.new = seen.old + served.old, seen.new + served.new
    return seen


def _last_look(rows: list[tuple[int, _Served]]) -> _Served:
    seen = _Served()
    for number, served in reversed(rows):
        if number <= rows[-1][0] - LOOK / SLOT and seen.old + seen.new >= ENOUGH:
            break
        seen.old, seen.new = seen.old + served.old, seen.new + served.new
    return seen
