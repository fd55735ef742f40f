"""Listens to how users fare, always; and when a release is on trial, decides when to go back.

From a bad line to the decision there is no poll: a source calls `report` for all it read, the account is updated, and
`regressed` is set in the next turn of the event loop. Not earlier: judged in the middle of what was read at once, the
bound on false cuts would be twice alpha (domain/account.py).
"""

import asyncio
from collections.abc import Mapping

from bluegreen.app.baseline import Baseline
from bluegreen.app.trial import Trial, rules_of
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.plans import Terms
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Clock, SignalSource


class Watch:
    """The ears of the daemon. `serving` is the colour users are sent to, as far as we know."""

    def __init__(self, clock: Clock, sources: tuple[SignalSource, ...]) -> None:
        self._clock = clock
        self._sources = sources
        self.baseline = Baseline()
        self.trial: Trial | None = None
        self.regressed = asyncio.Event()
        self.serving: Colour | None = None
        self.standby = Standby()
        self._tried: Colour | None = None
        self._moved_at = clock.monotonic()
        self._ticked_at = clock.monotonic()
        self._due = False

    async def run(self) -> None:
        """Listen to every source until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(source.run(self.report), name=f"signals:{source.name}")

    def moved(self, colour: Colour | None) -> None:
        """Users are sent to `colour` from now on; what was asked before counts for nobody."""
        if colour is not self.serving:
            self.serving = colour
            self._moved_at = self._clock.monotonic()

    def open(self, colour: Colour, terms: Terms) -> None:
        """Put a colour on trial, from now on, against what the live colour showed."""
        limits = self.baseline.limits(terms.slow_factor, terms.slow_floor)
        rules = rules_of(terms)
        self._begin(colour, Trial.open(rules, self.baseline.tolerances(rules, limits), limits))

    def reopen(self, colour: Colour, kept: Json) -> bool:
        """Go on with a trial as it was kept before a restart; False where data of meanwhile is missing.

        Before `run`, since the sources take up their positions. Raises ValueError where nothing usable was kept.
        """
        self._begin(colour, Trial.from_json(kept["trial"]))
        positions = kept["positions"]
        resumed = [source.resume(positions.get(source.name)) for source in self._sources]
        return all(resumed)

    def close(self) -> None:
        """End the trial: what comes now belongs to the baseline of the colour that serves."""
        self.trial, self._tried = None, None
        self.regressed.clear()

    def report(self, batch: Batch) -> None:
        """Take in what a source saw: for the trial, for the baseline, or (nobody's) for neither."""
        colour = self._colour_of(batch)
        if colour is None:
            return
        if self.trial is not None:
            if colour is self._tried and self.trial.observe(batch) and not self._due:
                self._due = True
                asyncio.get_running_loop().call_soon(self._look)
        elif colour is self.serving:
            self._learn(batch)

    def tick(self) -> None:
        """Let the trial's time pass; called by a clock, never because an outcome arrived."""
        now = self._clock.monotonic()
        if self.trial is not None:
            self.trial.tick(now - self._ticked_at)
        self._ticked_at = now

    def judge(self, terms: Terms) -> Judgement | None:
        """The verdict as of now; None where nothing is on trial."""
        return self.trial.judge(self.silent(terms.silent_after)) if self.trial else None

    def silent(self, seconds: float) -> frozenset[str]:
        """Sources that were alive and have said nothing for so long."""
        now = self._clock.monotonic()
        heard = {source.name: source.heard_at for source in self._sources}
        return frozenset(name for name, at in heard.items() if at is not None and now - at > seconds)

    def to_json(self) -> Json:
        """The trial and where the sources stand, to be kept together."""
        positions: Mapping[str, Json] = {source.name: source.position() for source in self._sources}
        return {"trial": self.trial.to_json() if self.trial else None, "positions": positions}

    def _begin(self, colour: Colour, trial: Trial) -> None:
        self.trial, self._tried = trial, colour
        self._ticked_at = self._clock.monotonic()
        self.regressed.clear()
        self.standby = Standby()

    def _look(self) -> None:
        self._due = False
        if self.trial is not None and self.trial.judge(frozenset()).verdict is Verdict.REGRESSED:
            self.regressed.set()

    def _colour_of(self, batch: Batch) -> Colour | None:
        if isinstance(batch, Measured) or batch.colour is not None:
            return batch.colour
        began = batch.since if batch.since is not None else self._moved_at
        return self.serving if began >= self._moved_at else None

    def _learn(self, batch: Batch) -> None:
        if isinstance(batch, Counted):
            self.baseline.count(batch.signal, batch.n, batch.bad, self._clock.monotonic())
        else:
            self.baseline.time(batch.key, batch.values)


class Standby:
    """Whether the old colour could take users back: ready, degraded (its last check failed) or lost."""

    LOST_AFTER = 3
    """Failed checks in a row after which the old colour is known dead."""

    def __init__(self) -> None:
        self._failures = 0
        self.detail = ""

    def checked(self, failure: str) -> None:
        """Take in one round of checks; "" is a success."""
        self._failures = self._failures + 1 if failure else 0
        self.detail = failure

    @property
    def lost(self) -> bool:
        """True where traffic must not be sent there by itself."""
        return self._failures >= self.LOST_AFTER

    def __str__(self) -> str:
        if self.lost:
            return "lost"
        return "degraded" if self._failures else "ready"
