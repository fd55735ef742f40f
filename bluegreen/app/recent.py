"""How long requests took in the last seconds, whoever served them."""

from collections.abc import Mapping

from bluegreen.domain.latency import Latencies

HALF = 5.0
"""Seconds: what is older than two of these is not lately any more."""


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
        return percentiles(both, share, least)

    def _turn(self, t_s: float) -> None:
        """Let go of what is too old."""
        if t_s - self._began < HALF:
            return
        self._before = self._now if t_s - self._began < 2 * HALF else {}
        self._now, self._began = {}, t_s


def percentiles(latencies: Mapping[str, Latencies], share: float, least: int) -> dict[str, float]:
    """Seconds that `share` of the requests of a service did not exceed, for those with at least `least` of them."""
    found = {service: each.percentile(share) for service, each in latencies.items() if each.n >= least}
    return {service: seconds for service, seconds in found.items() if seconds is not None}
