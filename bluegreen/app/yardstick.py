"""What one event of a release on trial is held against, fixed at the switch: when a request is slow, when a sample of a
gauge is bad, and which version an answer must say it is. It turns whatever a source reports into bad of n."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from bluegreen.domain.ranges import Ends, ends_of, is_bad
from bluegreen.domain.records import Json
from bluegreen.domain.rules import Direction, GaugeRule, SignalRule
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Gauged, Measured, Who


@dataclass(frozen=True, slots=True)
class Seen:
    """`bad` of `n` events of a batch; `who` asked for them, None where nobody knows."""

    n: int
    bad: int
    who: Who | None = None


NOTHING = Seen(0, 0)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """`slow`: seconds above which a request of a service is slow. `ranges`: what the live colour's gauges showed.
    `gauges`: how each gauge is judged. `version`: what the new release calls itself, "" where that is not asked."""

    slow: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, Ends] = field(default_factory=dict)
    gauges: Mapping[str, GaugeRule] = field(default_factory=dict)
    version: str = ""

    def measure(self, batch: Batch) -> Seen:
        """How many events of a batch count, and how many of them are bad. A service without a limit and a gauge
        without a range count nothing: nobody can tell yet."""
        match batch:
            case Counted():
                return Seen(batch.n, batch.n if self.stale(batch) else batch.bad, batch.who)
            case Measured():
                return self._slow_of(batch)
            case Gauged():
                return self._sample(batch)

    def stale(self, batch: Batch) -> str:
        """What an answer says it is, where that is not the new release; else empty."""
        if not isinstance(batch, Counted) or not (batch.version and self.version) or batch.version == self.version:
            return ""
        return batch.version

    def told(self, signal: str, value: float) -> str:
        """A bad sample of a gauge in words: `last 121, allowed is up to 120 (seen 50 to 100)`."""
        rule, usual = self.gauges[signal], self.ranges.get(signal)
        allowed = ends_of(rule, usual)
        if allowed is None:
            return f"last {value:g}"
        fixed = rule.low is not None or rule.high is not None
        seen = "" if fixed or usual is None else f" (seen {usual[0]:g} to {usual[1]:g})"
        return f"last {value:g}, allowed is {_between(rule, allowed)}{seen}"

    def to_json(self) -> Json:
        """All but the gauges' rules, which are the account's."""
        ranges = {signal: list(ends) for signal, ends in self.ranges.items()}
        return {"slow": dict(self.slow), "ranges": ranges, "version": self.version}

    @classmethod
    def from_json(cls, kept: Json, rules: tuple[SignalRule, ...]) -> Self:
        """As it was kept, for these signals."""
        ranges = {signal: (low, high) for signal, (low, high) in kept["ranges"].items()}
        return cls(kept["slow"], ranges, gauges_of(rules), kept["version"])

    def _slow_of(self, batch: Measured) -> Seen:
        limit = self.slow.get(batch.key)
        if limit is None:
            return NOTHING
        bad = [value > limit for value in batch.values]
        return Seen(len(bad), sum(bad), _who(batch.clients, bad) if len(batch.clients) == len(bad) else None)

    def _sample(self, batch: Gauged) -> Seen:
        rule = self.gauges.get(batch.signal)
        bad = None if rule is None else is_bad(batch.value, rule, self.ranges.get(batch.signal))
        return NOTHING if bad is None else Seen(1, int(bad))


def _between(rule: GaugeRule, allowed: Ends) -> str:
    low, high = allowed
    fixed = rule.low is not None or rule.high is not None
    if (fixed and rule.low is None) or (not fixed and rule.direction is Direction.ABOVE):
        return f"up to {high:g}"
    if (fixed and rule.high is None) or (not fixed and rule.direction is Direction.BELOW):
        return f"from {low:g}"
    return f"{low:g} to {high:g}"


def gauges_of(rules: tuple[SignalRule, ...]) -> dict[str, GaugeRule]:
    """The rules of those signals that are gauges."""
    return {rule.name: rule.gauge for rule in rules if rule.gauge is not None}


def _who(clients: tuple[int, ...], bad: list[bool]) -> Who:
    asked = [0] * CLIENT_BUCKETS
    for client in clients:
        asked[client % CLIENT_BUCKETS] += 1
    return Who(tuple(asked), tuple(client for client, failed in zip(clients, bad, strict=True) if failed))
