"""Listens to how users fare, always; and when a release is on trial, decides when to go back.

From a bad line to the decision there is no poll: a source calls `report` for all it read, the account is updated, and
`regressed` is set in the next turn of the event loop. Not earlier: judged in the middle of what was read at once, the
bound on false cuts would be twice alpha (domain/account.py).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from bluegreen.app.attention import CATCH_UP, Attention, Interruption
from bluegreen.app.baseline import Baseline, Recent
from bluegreen.app.numbers import ANSWERS, Tally
from bluegreen.app.trial import Trial, rules_of
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.plans import Plan, Terms
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Clock, SignalSource

SILENT_LOOP = 5.0
"""Seconds without a turn of the watch loop after which the daemon no longer counts as well."""


class Watch:
    """The ears of the daemon. `serving` is the colour users are sent to, as far as we know."""

    def __init__(self, clock: Clock, sources: tuple[SignalSource, ...]) -> None:
        self._clock = clock
        self._sources = sources
        self.baseline = Baseline()
        self.recent = Recent()
        """What the colour that serves showed lately."""
        self.trial: Trial | None = None
        self.regressed = asyncio.Event()
        self.serving: Colour | None = None
        self.standby = Standby()
        self.attention = Attention(clock)
        self.tally = Tally()
        """Of the trial that runs, or of the last one."""
        self.counted: dict[tuple[str, Colour], tuple[int, int]] = {}
        """(events, bad ones) by signal and colour since the start of the daemon."""
        self.quiet: Callable[[], bool] = lambda: False
        """While it says so, a regression calls nobody: a person paused what would follow from it."""
        self._tried: Colour | None = None
        self._last: Trial | None = None
        self._moved_at = clock.monotonic()
        self._ticked_at = clock.monotonic()
        self._due = False
        self.looked_at: float | None = None
        """When the watch loop last considered the verdict (monotonic); None while no such loop is on."""

    @property
    def now(self) -> float:
        """Seconds (monotonic)."""
        return self._clock.monotonic()

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

    def open(self, colour: Colour, plan: Plan) -> None:
        """Put a colour on trial, from now on, against what the live colour showed: not where that was down, since its
        errors would excuse any, and their quickness would make every answer slow."""
        baseline = Baseline() if plan.live_is_down else self.baseline
        limits = baseline.limits(plan.terms.slow_factor, plan.terms.slow_floor)
        rules = rules_of(plan.terms)
        self._begin(colour, Trial.open(rules, baseline.tolerances(rules, limits), limits))

    def prove(self, colour: Colour, terms: Terms) -> None:
        """Put the live colour itself on trial for `terms.proving` seconds, against what it showed until now. It is no
        release's trial: what is counted in it belongs to no deployment's numbers."""
        limits = self.baseline.limits(terms.slow_factor, terms.slow_floor)
        rules = replace(rules_of(terms), window_s=terms.proving, standby_s=0.0)
        self.trial, self._tried = Trial.open(rules, self.baseline.tolerances(rules, limits), limits), colour
        self._ticked_at = self._clock.monotonic()
        self.regressed.clear()

    def reopen(self, colour: Colour, kept: Json) -> bool:
        """Go on with a trial as it was kept before a restart; False where data of meanwhile is missing.

        Before `run`, since the sources take up their positions. Raises ValueError where nothing usable was kept.
        """
        self._begin(colour, Trial.from_json(kept["trial"]))
        self.tally = Tally.from_json(kept.get("tally"))
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
        self._count(batch, colour)
        if isinstance(batch, Measured) and colour is self.serving:
            self.recent.time(batch.key, batch.values, self.now)
        if self.trial is not None:
            if colour is self._tried and self.trial.observe(batch):
                self._bad(batch.signal, self.trial)
        elif colour is self.serving:
            self._learn(batch)

    def tick(self) -> Interruption | None:
        """Let the trial's time pass; called by a clock, never because an outcome arrived.

        Time in which nobody watched does not pass for the trial; it is returned.
        """
        now, interruption = self._clock.monotonic(), self.attention.tick()
        unseen = interruption is not None and not interruption.slept
        if self.trial is not None:
            self.trial.tick(0.0 if unseen else now - self._ticked_at)
        self._ticked_at = now
        return interruption

    def caught_up(self) -> bool:
        """Whether all that came before the watch loop began, or while nobody watched, was read and judged.

        True also where a source had CATCH_UP seconds for it: what it is then is for the verdict to say.
        """
        since = self.attention.awake_since
        if self.attention.away:
            return False
        read = [source.caught_up_at for source in self._sources]
        late = self._clock.monotonic() - since > CATCH_UP
        return late or all(at is not None and at >= since for at in read)

    def users(self) -> dict[str, Json]:
        """What users got of the new colour in this trial, or in the last one; empty before the first."""
        if self._last is None:
            return {}
        counts = self._last.counts()
        bad = {signal: bad for signal, (_, bad) in counts.items() if bad}
        return {"requests": counts.get(ANSWERS, (0, 0))[0], "bad": bad}

    def seconds_to_convict(self, terms: Terms) -> float | None:
        """From the first bad event of the signal that convicts until now; None where nothing convicts."""
        judgement = self.judge(terms)
        if self.trial is None or judgement is None or judgement.verdict is not Verdict.REGRESSED:
            return None
        sure = judgement.odds >= judgement.odds_needed
        first = self.tally.first_bad.get(judgement.signals[0].signal if sure else "probe")
        return None if first is None else max(0.0, self._trial_time(self.trial) - first)

    def judge(self, terms: Terms) -> Judgement | None:
        """The verdict as of now; None where nothing is on trial."""
        return self.trial.judge(self.silent(terms.silent_after)) if self.trial else None

    def silent(self, seconds: float) -> frozenset[str]:
        """Sources that were alive and have said nothing for so long."""
        now = self._clock.monotonic()
        heard = {source.name: source.heard_at for source in self._sources}
        return frozenset(name for name, at in heard.items() if at is not None and now - at > seconds)

    def keeps_up(self) -> bool:
        """False where a watch loop is on and has not turned for SILENT_LOOP seconds: better to be started anew."""
        return self.looked_at is None or self._clock.monotonic() - self.looked_at <= SILENT_LOOP

    def to_json(self) -> Json:
        """The trial and where the sources stand, to be kept together."""
        positions: Mapping[str, Json] = {source.name: source.position() for source in self._sources}
        trial = self.trial.to_json() if self.trial else None
        return {"trial": trial, "positions": positions, "tally": self.tally.to_json()}

    def _begin(self, colour: Colour, trial: Trial) -> None:
        self.trial, self._tried = trial, colour
        self._last, self.tally = trial, Tally()
        self._ticked_at = self._clock.monotonic()
        self.regressed.clear()
        self.standby = Standby()

    def _count(self, batch: Batch, colour: Colour) -> None:
        if self.trial is not None and self.trial is self._last:
            self.tally.count(batch)
        if isinstance(batch, Counted):
            n, bad = self.counted.get((batch.signal, colour), (0, 0))
            self.counted[batch.signal, colour] = n + batch.n, bad + batch.bad

    def _bad(self, signal: str, trial: Trial) -> None:
        """Something bad of the new colour was read: the next turn of the event loop judges."""
        self.tally.bad(signal, self._trial_time(trial))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _trial_time(self, trial: Trial) -> float:
        """Seconds of the trial, exact to now: the trial's own clock moves by `tick` alone."""
        return trial.t_s + self._clock.monotonic() - self._ticked_at

    def _look(self) -> None:
        self._due = False
        if self.trial is None or self.quiet():
            return
        if self.trial.judge(frozenset()).verdict is Verdict.REGRESSED:
            self.regressed.set()

    def _colour_of(self, batch: Batch) -> Colour | None:
        if isinstance(batch, Measured) or batch.colour is not None:
            return batch.colour
        if batch.since is not None and (self.attention.away or batch.since < self.attention.awake_since):
            return None  # asked before an interruption: that it was late, or lost, is our doing
        began = batch.since if batch.since is not None else self._moved_at
        return self.serving if began >= self._moved_at else None

    def _learn(self, batch: Batch) -> None:
        if isinstance(batch, Counted):
            self.baseline.count(batch.signal, batch.n, batch.bad, self._clock.monotonic())
        elif isinstance(batch, Measured):
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
