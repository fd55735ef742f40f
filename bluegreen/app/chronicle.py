"""Adds up what happened, from the events in the journal: counts that survive restarts, and agree with the journal.

The sums are kept in the journal with the number of the last event in them, so that each event counts once, also after
a crash, and also when old events have been removed.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Self

import structlog

from bluegreen.app.news import News
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.records import Event, Json
from bluegreen.ports import Clock, Journal

KIND, KEY = "chronicle", "sums"
SHAPE = 1
"""Of what is kept; sums of another shape are added up anew."""

AGAIN = 10.0
"""Seconds until a journal that could not be read is read again."""

KEEP_AFTER = 1.0
"""Seconds between two saves: a journal that is read from its beginning is not written for each deployment in it."""

PHASE_SECONDS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)
REACTION_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REQUESTS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0)

log = structlog.get_logger("bluegreen")


@dataclass(slots=True)
class Spread:
    """How values are spread over buckets; the last bucket holds what is above every bound."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def up_to(self) -> list[tuple[float, int]]:
        """(bound, number of values up to it) for each bound, the last for all."""
        return list(zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True))


@dataclass(slots=True)
class Sums:
    """`ended`: deployments by kind, outcome and cause; `phases`: seconds by phase and outcome of it; `convicted`:
    seconds from the first bad answer to the decision; `returned`: from the decision until the old colour was read
    back; `failed`: server errors while one switch was made and proved; `seq`: the last event in them."""

    seq: int = 0
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    phases: dict[tuple[str, str], Spread] = field(default_factory=dict)
    convicted: Spread = field(default_factory=lambda: Spread(REACTION_SECONDS))
    returned: Spread = field(default_factory=lambda: Spread(REACTION_SECONDS))
    failed: Spread = field(default_factory=lambda: Spread(REQUESTS))

    def take(self, event: Event) -> None:
        """Count an event; most say nothing that is counted."""
        self.seq = max(self.seq, event.seq)
        facts = event.facts
        if event.name in ("phase.entered", "deployment.ended"):
            self._phase(str(facts.get("previous", "")), str(facts.get("outcome", "")), facts.get("seconds"))
        if event.name == "deployment.ended":
            self.ended[str(facts.get("kind") or "deploy"), event.phase, str(facts.get("cause") or "")] += 1
        elif event.name == "traffic.switched":
            _add(self.failed, facts.get("failed"))
        elif event.name == "traffic.returned":
            _add(self.returned, facts.get("seconds"))
            _add(self.convicted, facts.get("detect_seconds"))

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return {
            "shape": SHAPE,
            "seq": self.seq,
            "ended": [[*key, number] for key, number in self.ended.items()],
            "phases": [[*key, spread.counts, spread.total] for key, spread in self.phases.items()],
            **{name: [spread.counts, spread.total] for name, spread in self._reactions().items()},
        }

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As they were kept. Raises ValueError where they are of another shape."""
        if not isinstance(kept, Mapping) or kept.get("shape") != SHAPE:
            raise ValueError("the sums are of another shape")
        sums = cls(seq=kept["seq"])
        for kind, outcome, cause, number in kept["ended"]:
            sums.ended[kind, outcome, cause] = number
        for phase, outcome, counts, total in kept["phases"]:
            sums.phases[phase, outcome] = Spread(PHASE_SECONDS, counts, total)
        for name, spread in sums._reactions().items():
            spread.counts, spread.total = kept[name]
        return sums

    def _phase(self, phase: str, outcome: str, seconds: Json) -> None:
        if phase and outcome and isinstance(seconds, int | float):
            self.phases.setdefault((phase, outcome), Spread(PHASE_SECONDS)).add(seconds)

    def _reactions(self) -> dict[str, Spread]:
        return {"convicted": self.convicted, "returned": self.returned, "failed": self.failed}


def _add(spread: Spread, value: Json) -> None:
    """What an older program did not write down is not counted."""
    if isinstance(value, int | float):
        spread.add(value)


class Chronicle:
    """Follows the news and keeps the sums."""

    def __init__(self, journal: Journal, news: News, clock: Clock) -> None:
        self._journal, self._news, self._clock = journal, news, clock
        self.sums = Sums()
        self._kept_at = clock.monotonic()

    async def run(self) -> None:
        """Add up until cancelled; a journal that cannot be read is read again later."""
        self._news.on_unstored = self._take  # what the journal refuses still counts, in this life of the daemon
        loaded = False
        while True:
            try:
                if not loaded:
                    await self._load()
                    loaded = True
                await self._follow()
            except JournalFailed as exc:
                log.warning("chronicle.interrupted", reason=exc.detail, seconds=AGAIN)
                await asyncio.sleep(AGAIN)

    def _take(self, event: Event) -> None:
        self.sums.take(event)

    async def _load(self) -> None:
        kept = await self._journal.fact(KIND, KEY)
        if kept is None:
            return
        try:
            self.sums = Sums.from_json(kept)
        except (ValueError, KeyError, TypeError) as exc:
            log.warning("chronicle.begun_anew", reason=str(exc))

    async def _follow(self) -> None:
        async for event in self._news.follow(self.sums.seq):
            self._take(event)
            if event.name == "deployment.ended" and self._clock.monotonic() - self._kept_at >= KEEP_AFTER:
                await self._journal.keep(KIND, KEY, self.sums.to_json())
                self._kept_at = self._clock.monotonic()
