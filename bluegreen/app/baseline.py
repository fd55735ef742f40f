"""What the colour that serves showed over the last 24 h: the measure for every new release, and for the next one.

It is the history of the service as users met it, whichever release gave it: a release that went LIVE is what is usual
from then on, and what it showed while it was watched counts too (`join`). Time is the wall clock's, in seconds, since
it must survive restarts. Bounded memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from bluegreen.app.recent import percentiles
from bluegreen.app.rows import blocks, joined
from bluegreen.domain.account import WatchRules
from bluegreen.domain.clients import Failures
from bluegreen.domain.history import Clients, History
from bluegreen.domain.latency import Durations, worst
from bluegreen.domain.ranges import Ends, Range
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Gauged, Measured
from bluegreen.domain.tolerance import Tolerance

SLOW_SHARE = 0.05
"""Slow is what the slowest twentieth of the live colour's requests exceeded (its p95)."""


class Baseline:
    """Counts per signal, durations per service and ranges of gauges of the live colour."""

    def __init__(self) -> None:
        self._histories: dict[str, History] = {}
        self._durations: dict[str, Durations] = {}
        self._ranges: dict[str, Range] = {}
        self._failures = Failures()
        self._kept: dict[str, int] = {}
        self._last_rows: dict[str, list[Any]] = {}
        self._learnt_at = self._taken_at = 0.0
        self.slow: tuple[int, int] | None = None
        """(requests, those too long) of the worst stretch where only that is known, and no durations: a replay."""

    def learn(self, batch: Batch, at: float, *, bad: bool | None = None) -> None:
        """Take in what the colour that serves showed at the wall time `at`. `bad` is what a gauge's sample was judged
        to be; None where nobody could tell."""
        self._learnt_at = at
        match batch:
            case Counted():
                self._learn(batch, at)
            case Measured():
                self._durations.setdefault(batch.key, Durations()).add(batch.values, at)
            case Gauged():
                self._ranges.setdefault(batch.signal, Range()).add(batch.value, at)
                self._history(batch.signal).add(n=1, bad=int(bad or False), t_s=at)

    def count(self, signal: str, n: int, bad: int, t_s: float) -> None:
        """Count what the live colour served."""
        self._history(signal).add(n=n, bad=bad, t_s=t_s)

    def time(self, service: str, values: tuple[float, ...], at: float = 0.0) -> None:
        """Count how long the live colour took, in seconds."""
        self._durations.setdefault(service, Durations()).add(values, at)

    def seen(self, signal: str) -> tuple[int, int]:
        """(n, bad) of a signal; (0, 0) where nothing was seen."""
        history = self._histories.get(signal)
        return history.totals() if history else (0, 0)

    def ranges(self) -> Mapping[str, Ends]:
        """The lowest and the highest value of each gauge of which enough was seen to mean anything."""
        return {signal: ends for signal, kept in self._ranges.items() if (ends := kept.ends()) is not None}

    def percentiles(self, share: float, least: int) -> dict[str, float]:
        """Seconds that `share` of the requests of a service did not exceed, for those with at least `least` of them."""
        return percentiles({service: kept.whole for service, kept in self._durations.items()}, share, least)

    def limits(self, factor: float, floor: float) -> dict[str, float]:
        """Seconds above which a request is slow, for each service with a history; never below `floor`."""
        limits = {}
        for service, durations in self._durations.items():
            p95 = durations.percentile(1 - SLOW_SHARE)
            if p95 is not None:
                limits[service] = max(p95 * factor, floor)
        return limits

    def tolerances(self, rules: WatchRules, limits: Mapping[str, float]) -> dict[str, Tolerance]:
        """What each signal is held against. "slow" takes part where durations were seen, or where it is critical."""
        tolerances = {}
        for rule in rules.signals:
            slow = self._slow(limits) if rule.name == "slow" else None
            if slow is not None:
                n, above = slow
                held_to = rules.tolerance(n=n, bad=max(above, ceil(SLOW_SHARE * n)))
                tolerances[rule.name] = replace(held_to, clients=self._clients())
            elif rule.name != "slow" or rule.name in self._histories or rule.critical:
                tolerances[rule.name] = rules.tolerated(self._histories.get(rule.name) or History())
        return tolerances

    def worst_slow(self, limits: Mapping[str, float]) -> tuple[int, int]:
        """(requests, those above their service's limit) of the worst half hour; (0, 0) without any."""
        return worst(self._stretches(limits))

    def take(self) -> Json:
        """What changed since the last time, for the journal; None where nothing did. What is taken and could not be
        kept is given back with `untake`."""
        rows = {signal: history.changed(self._kept.get(signal, 0)) for signal, history in self._histories.items()}
        news = {signal: changed for signal, changed in rows.items() if changed != self._last_rows.get(signal)}
        self._last_rows |= news
        self._kept = {signal: history.newest for signal, history in self._histories.items()}
        durations = {service: fresh for service, each in self._durations.items() if (fresh := each.take())}
        ranges = {signal: each.changed(self._taken_at) for signal, each in self._ranges.items() if signal in news}
        self._taken_at = self._learnt_at
        taken = {"histories": news, "durations": durations, "ranges": ranges}
        return taken if any(taken.values()) else None

    def untake(self, taken: Json) -> None:
        """What was taken is not kept: it is part of what is taken next."""
        for signal, rows in taken["histories"].items():
            self._kept[signal] = min([*blocks(rows), self._kept[signal]])
            self._last_rows.pop(signal, None)
        for service, durations in taken["durations"].items():
            self._durations[service].untake(durations)
        self._taken_at = 0.0

    def whole(self) -> Json:
        """Everything, as `take` gives it."""
        return {
            "histories": {signal: history.changed() for signal, history in self._histories.items()},
            "durations": {service: each.all() for service, each in self._durations.items()},
            "ranges": {signal: each.changed(0.0) for signal, each in self._ranges.items()},
        }

    def restore(self, kept: Iterable[Json], at: float) -> None:
        """Take up all that was kept, oldest first, at the wall time `at`. Raises ValueError, KeyError, TypeError or
        AttributeError where another program kept it; then nothing was taken up."""
        rows: dict[str, list[Any]] = {}
        durations: dict[str, Durations] = {}
        ranges: dict[str, Range] = {}
        for taken in kept:
            for signal, more in taken["histories"].items():
                rows.setdefault(signal, []).extend(more)
            for service, counts in taken["durations"].items():
                durations.setdefault(service, Durations()).restore(counts)
            for signal, slots in taken["ranges"].items():
                ranges.setdefault(signal, Range()).restore(slots)
        histories = {signal: History() for signal in rows}
        for signal, history in histories.items():
            history.restore(rows[signal], now_s=at)
        self._histories, self._durations, self._ranges = histories, durations, ranges
        self._kept = {signal: history.newest for signal, history in histories.items()}

    def join(self, other: "Baseline") -> None:
        """Count what another one counted as if it had been seen here."""
        mine, theirs = self.whole(), other.whole()
        for signal, rows in theirs["histories"].items():
            added = joined(mine["histories"].get(signal, []), rows)
            self._history(signal).restore(added)
            self._kept[signal] = min(blocks(rows), default=0)
        for service, counts in theirs["durations"].items():
            self._durations.setdefault(service, Durations()).join(counts)
        for signal, slots in theirs["ranges"].items():
            self._ranges.setdefault(signal, Range()).restore(slots)

    def _learn(self, batch: Counted, at: float) -> None:
        heads = self._failures.count(batch.signal, batch.n, batch.bad, batch.who, at)
        asked = batch.who.asked if batch.who is not None and heads.buckets is not None else None
        self._history(batch.signal).add(n=heads.n, bad=heads.bad, t_s=at, raw_n=batch.n, raw_bad=batch.bad, asked=asked)

    def _history(self, signal: str) -> History:
        return self._histories.setdefault(signal, History())

    def _clients(self) -> Clients:
        """Of the requests whose durations are known: one slow client is left out as one that fails is, but how long
        its answers took always counts."""
        requests = self._histories.get("5xx")
        return Clients.BUSY if requests is not None and requests.clients().apart else Clients.UNKNOWN

    def _slow(self, limits: Mapping[str, float]) -> tuple[int, int] | None:
        if self.slow is not None:
            return self.slow
        return self.worst_slow(limits) if any(service in self._durations for service in limits) else None

    def _stretches(self, limits: Mapping[str, float]) -> Iterable[tuple[int, int, int]]:
        """Of all services together: each stretch once."""
        sums: dict[int, tuple[int, int]] = {}
        for service, limit in limits.items():
            for number, n, above in self._durations[service].stretches(limit) if service in self._durations else ():
                known = sums.get(number, (0, 0))
                sums[number] = known[0] + n, known[1] + above
        return [(number, n, above) for number, (n, above) in sums.items()]
