"""What the live colour showed since the daemon started: the measure for every new release."""

from math import ceil

from bluegreen.domain.account import WatchRules
from bluegreen.domain.latency import Latencies
from bluegreen.domain.tolerance import History, Tolerance

SLOW_SHARE = 0.05
"""Slow is what the slowest twentieth of the live colour's requests exceeded (its p95)."""

HALF = 5.0
"""Seconds: what is older than two of these is not lately any more."""


class Baseline:
    """Counts per signal and durations per service of the live colour. Bounded memory."""

    def __init__(self) -> None:
        self._histories: dict[str, History] = {}
        self._latencies: dict[str, Latencies] = {}

    def count(self, signal: str, n: int, bad: int, t_s: float) -> None:
        """Count what the live colour served."""
        self._histories.setdefault(signal, History()).add(n=n, bad=bad, t_s=t_s)

    def time(self, service: str, values: tuple[float, ...]) -> None:
        """Count how long the live colour took, in seconds."""
        self._latencies.setdefault(service, Latencies()).add(values)

    def seen(self, signal: str) -> tuple[int, int]:
        """(n, bad) of a signal; (0, 0) where nothing was seen."""
        history = self._histories.get(signal)
        return history.totals() if history else (0, 0)

    def percentiles(self, share: float, least: int) -> dict[str, float]:
        """Seconds that `share` of the requests of a service did not exceed, for those with at least `least` of them."""
        return _percentiles(self._latencies, share, least)

    def limits(self, factor: float, floor: float) -> dict[str, float]:
        """Seconds above which a request is slow, for each service with a history; never below `floor`."""
        limits = {}
        for service, latencies in self._latencies.items():
            p95 = latencies.percentile(1 - SLOW_SHARE)
            if p95 is not None:
                limits[service] = max(p95 * factor, floor)
        return limits

    def tolerances(self, rules: WatchRules, limits: dict[str, float]) -> dict[str, Tolerance]:
        """What each signal is held against. "slow" takes part only where durations were seen."""
        names = [rule.name for rule in rules.signals if rule.name != "slow"]
        tolerances = {}
        for name in names:
            n, bad = self.seen(name)
            tolerances[name] = rules.tolerance(n=n, bad=bad)
        if limits:
            n = sum(self._latencies[service].n for service in limits)
            above = sum(self._latencies[service].above(limit) for service, limit in limits.items())
            tolerances["slow"] = rules.tolerance(n=n, bad=max(above, ceil(SLOW_SHARE * n)))
        return tolerances


class Recent:
    """Durations per service of the last 5 to 10 seconds, whoever serves."""

    def __init__(self) -> None:
        self._now: dict[str, Latencies] = {}
        self._before: dict[str, Latencies] = {}
        self._began = float("-inf")

    def time(self, service: str, values: tuple[float, ...], t_s: float) -> None:
        """Count durations, in seconds, seen at `t_s`."""
        self._turn(t_s)
        self._now.setdefault(service, Latencies()).add(values)

    def percentiles(self, share: float, least: int, t_s: float) -> dict[str, float]:
        """Seconds that `share` of the requests of a service did not exceed, for those with at least `least` of them."""
        self._turn(t_s)
        both: dict[str, Latencies] = {}
        for half in (self._before, self._now):
            for service, latencies in half.items():
                both.setdefault(service, Latencies()).join(latencies)
        return _percentiles(both, share, least)

    def _turn(self, t_s: float) -> None:
        """Let go of what is too old."""
        if t_s - self._began < HALF:
            return
        self._before = self._now if t_s - self._began < 2 * HALF else {}
        self._now, self._began = {}, t_s


def _percentiles(latencies: dict[str, Latencies], share: float, least: int) -> dict[str, float]:
    found = {service: each.percentile(share) for service, each in latencies.items() if each.n >= least}
    return {service: seconds for service, seconds in found.items() if seconds is not None}
