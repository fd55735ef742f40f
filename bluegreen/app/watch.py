"""Listens to how users fare, always; and when a release is on trial, decides when to go back.

From a bad line to the decision there is no poll: a source calls `report` for all it read, the account is updated, and
`regressed` is set in the next turn of the event loop. Not earlier: judged in the middle of what was read at once, the
bound on false cuts would be twice alpha (domain/account.py).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from bluegreen.app.attention import Attention, Interruption
from bluegreen.app.baseline import Baseline
from bluegreen.app.hearing import Hearing
from bluegreen.app.numbers import ANSWERS, Tally
from bluegreen.app.recent import Recent
from bluegreen.app.recorder import Recorder
from bluegreen.app.trial import Trial
from bluegreen.app.whose import Whose
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.fallback import FellBack
from bluegreen.domain.plans import Plan, Terms
from bluegreen.domain.ranges import is_bad
from bluegreen.domain.records import Json
from bluegreen.domain.rules import SIGNALS, SignalRule
from bluegreen.domain.signals import Batch, Counted, Gauged, Measured
from bluegreen.domain.standby import Standby
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Attentive, Clock, SignalSource

SILENT_LOOP = 5.0
"""Seconds without a turn of the watch loop after which the daemon no longer counts as well."""


class Watch:
    """The ears of the daemon."""

    def __init__(
        self,
        clock: Clock,
        sources: tuple[SignalSource, ...],
        signals: Callable[[], tuple[SignalRule, ...]] = lambda: SIGNALS,
    ) -> None:
        """`signals`: how each one counts by the configuration of now; a trial keeps those of its plan."""
        self._clock = clock
        self._sources = sources
        self._signals = signals
        self.baseline = Baseline()
        self.recent = Recent()
        """What the colour that serves showed lately."""
        self.candidate: Baseline | None = None
        """What the release on trial showed: usual from the moment on in which it stays (`adopt`)."""
        self.samples = Recorder()
        """What is to be written down of the release's trial."""
        self.trial: Trial | None = None
        self.regressed = asyncio.Event()
        self.standby = Standby()
        self.fell_back = FellBack()
        """What the old colour answered as the fallback of the one on trial."""
        self.attention = Attention(clock)
        self.hearing = Hearing(clock, sources, self.attention)
        self._whose = Whose(clock, self.attention)
        self.tally = Tally()
        """Of the trial that runs, or of the last one."""
        self.counted: dict[tuple[str, Colour], tuple[int, int]] = {}
        """(events, bad ones) by signal and colour since the start of the daemon."""
        self.quiet: Callable[[], bool] = lambda: False
        """While it says so, a regression calls nobody: a person paused what would follow from it."""
        self.after: Trial | None = None
        """Counts what the colour that serves shows after a cutback, beside the baseline; decides nothing."""
        self._tried: Colour | None = None
        self._last: Trial | None = None
        self._ticked_at = clock.monotonic()
        self._due = False
        self.looked_at: float | None = None
        """When the watch loop last considered the verdict (monotonic); None while no such loop is on."""

    @property
    def now(self) -> float:
        """Seconds (monotonic)."""
        return self._clock.monotonic()

    @property
    def serving(self) -> Colour | None:
        """The colour users are sent to, as far as we know; while both serve, the old one."""
        return self._whose.serving

    @property
    def side_by_side(self) -> bool:
        """True while both colours serve users, a share of them the one on trial."""
        return self._whose.side_by_side

    async def run(self) -> None:
        """Listen to every source until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self.hearing.listen(source, self.report), name=f"signals:{source.name}")

    def moved(self, colour: Colour | None) -> None:
        """Users are sent to `colour` from now on; what was asked before counts for nobody."""
        self._whose.moved(colour)
        self._attend()

    def open(self, colour: Colour, plan: Plan, *, side_by_side: bool = False) -> None:
        """Put a colour on trial, from now on, against what the live colour showed: not where that was down, since its
        errors would excuse any, and their quickness would make every answer slow. `side_by_side`: users meet both
        colours until `all_moved`, and what is bad on both is no fault of the new one."""
        baseline = Baseline() if plan.live_is_down else self.baseline
        trial = Trial.of(plan.terms, baseline, version=plan.release.version, side_by_side=side_by_side)
        self._begin(colour, trial, side_by_side=side_by_side)
        self.samples = Recorder.of(colour, self._clock.now().timestamp(), baseline, trial)

    def shared(self, share: float) -> None:
        """Say that the colour on trial gets about `share` (of 1) of the users from now on; nothing without a trial."""
        if self.trial is not None:
            self._whose.side_by_side = True
            self.trial.shared(share)
            self.samples.mark(self.trial, share=share)

    def all_moved(self) -> None:
        """Users meet the new colour alone from now on, and the trial goes on. Harmless where they did before."""
        self._whose.all_moved()
        if self.trial is not None:
            self.trial.all_moved()
            self.samples.mark(self.trial, all_moved=True)

    def prove(self, colour: Colour, terms: Terms, candidate: Baseline | None = None) -> None:
        """Put the live colour itself on trial for `terms.proving` seconds, against what it showed until now. It is no
        release's trial: what is counted in it belongs to no deployment's numbers. With a `candidate` people moved users
        to it: it is tried on the terms as they are, and what it shows is usual from `adopt` on."""
        brief = replace(terms, window=terms.proving, standby=0.0, canary=(), limits=())  # worse than before, no more
        trial = Trial.of(brief if candidate is None else terms, self.baseline)
        self.trial, self._tried, self.candidate = trial, colour, candidate
        self._ticked_at = self._clock.monotonic()
        self.regressed.clear()
        self._attend()

    def reopen(self, colour: Colour, kept: Json) -> bool:
        """Go on with a trial as it was kept before a restart; False where data of meanwhile is missing.

        Before `run`, since the sources take up their positions. Raises ValueError where nothing usable was kept.
        """
        trial = Trial.from_json(kept["trial"])
        self._begin(colour, trial, side_by_side=trial.side_by_side)
        self.fell_back = FellBack.from_json(kept.get("fell_back"))
        self.tally, self.samples = Tally.from_json(kept.get("tally")), Recorder.from_json(kept.get("samples"))
        positions = kept["positions"]
        resumed = [source.resume(positions.get(source.name)) for source in self._sources]
        return all(resumed)

    def adopt(self) -> None:
        """The release stays: what it showed is usual from now on. Nothing where there was none."""
        if self.candidate is not None:
            self.baseline.join(self.candidate)
            self.candidate = None

    def close(self) -> None:
        """End the trial: what comes now belongs to the baseline of the colour that serves."""
        self.candidate = None
        self.trial, self._tried = None, None
        self._whose.side_by_side = False
        self.regressed.clear()
        self._attend()

    def report(self, batch: Batch) -> None:
        """Take in what a source saw: for the trial, for the baseline, or (nobody's) for neither."""
        colour = self._whose.colour(batch)
        if colour is None:
            return
        self._count(batch, colour)
        if isinstance(batch, Measured) and colour is self.serving:
            self.recent.time(batch.key, batch.values, self.now)
        self._learn(batch, colour)
        if self.trial is not None:
            if self.trial is self._last and (colour is self._tried or self.trial.side_by_side):
                self.samples.take(batch, self.trial, new=colour is self._tried)
            if colour is not self._tried:
                self.trial.observe_other(batch)
                self._owed(batch)
            elif self.trial.observe(batch, late=self.hearing.late(batch.source)):
                self._bad(batch.signal, self.trial)
        elif colour is self.serving and self.after is not None:
            self.after.observe(batch)

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
        """Whether all that came before the watch loop began, or while nobody watched, was read and judged."""
        return self.hearing.caught_up()

    def users(self) -> dict[str, Json]:
        """What users got of the new colour in this trial, or in the last one; empty before the first."""
        if self._last is None:
            return {}
        counts = self._last.counts()
        bad = {signal: bad for signal, (_, bad) in counts.items() if bad}
        return {"requests": counts.get(ANSWERS, (0, 0))[0], "bad": bad}

    @property
    def last(self) -> Trial | None:
        """The trial of a release that runs, or the last one, as it was when it ended; None before the first."""
        return self._last

    def seconds_to_convict(self, terms: Terms) -> float | None:
        """From the first bad event of the signal that convicts until now; None where nothing convicts."""
        judgement = self.judge(terms)
        if self.trial is None or judgement is None or judgement.verdict is not Verdict.REGRESSED:
            return None
        first = self.tally.first_bad.get(judgement.convicting)
        return None if first is None else max(0.0, self._trial_time(self.trial) - first)

    def judge(self, terms: Terms) -> Judgement | None:
        """The verdict as of now; None where nothing is on trial."""
        return self.trial.judge(self.hearing.troubles(terms.silent_after)) if self.trial else None

    def silent(self, seconds: float) -> dict[str, str]:
        """Sources that were alive and have said nothing for so long, or are behind by as much; why, in words."""
        return self.hearing.silent(seconds)

    def keeps_up(self) -> bool:
        """False where a watch loop is on and has not turned for SILENT_LOOP seconds: better to be started anew."""
        return self.looked_at is None or self._clock.monotonic() - self.looked_at <= SILENT_LOOP

    def to_json(self) -> Json:
        """The trial and where the sources stand, to be kept together."""
        positions: Mapping[str, Json] = {source.name: source.position() for source in self._sources}
        trial = self.trial.to_json() if self.trial else None
        kept = {"tally": self.tally.to_json(), "samples": self.samples.to_json(), "fell_back": self.fell_back.to_json()}
        return {"trial": trial, "positions": positions, **kept}

    def _begin(self, colour: Colour, trial: Trial, *, side_by_side: bool) -> None:
        self.trial, self._tried = trial, colour
        self._whose.side_by_side = side_by_side
        self._last, self.tally, self.candidate = trial, Tally(), Baseline()
        self._ticked_at = self._clock.monotonic()
        self.regressed.clear()
        self.standby, self.fell_back = Standby(), FellBack()
        self._attend()

    def _attend(self) -> None:
        """Tell the sources that hear each colour by itself which of them matter now."""
        colours = frozenset(colour for colour in (self.serving, self._tried) if colour is not None)
        for source in self._sources:
            if isinstance(source, Attentive):
                source.attend(colours)

    def _count(self, batch: Batch, colour: Colour) -> None:
        if self.trial is not None and self.trial is self._last:
            self.tally.count(batch)
        if isinstance(batch, Counted):
            n, bad = self.counted.get((batch.signal, colour), (0, 0))
            self.counted[batch.signal, colour] = n + batch.n, bad + batch.bad

    def _bad(self, signal: str, trial: Trial) -> None:
        """Something bad of the new colour was read: where it may be enough, the next turn of the event loop judges."""
        self.tally.bad(signal, self._trial_time(trial))
        if trial.alarming and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _trial_time(self, trial: Trial) -> float:
        """Seconds of the trial, exact to now: the trial's own clock moves by `tick` alone."""
        return trial.t_s + self._clock.monotonic() - self._ticked_at

    def _look(self) -> None:
        self._due = False
        self.samples.drained()
        if self.trial is None or self.quiet():
            return
        if self.trial.judge().verdict is Verdict.REGRESSED:
            self.regressed.set()

    def _owed(self, batch: Batch) -> None:
        """The old colour answered. Where it is the fallback of the new one, that may be enough to go back."""
        wall, now = self._clock.now().timestamp(), self.now
        if not self.side_by_side and self.fell_back.take(batch, wall=wall, monotonic=now) and not self.quiet():
            self.regressed.set()

    def _learn(self, batch: Batch, colour: Colour) -> None:
        """Remember what is usual: of the colour that serves, and of the one on trial in case it stays."""
        learner = self.candidate if colour is self._tried else self.baseline if colour is self.serving else None
        if learner is not None:
            learner.learn(batch, self._clock.now().timestamp(), bad=self._beyond(batch))

    def _beyond(self, batch: Batch) -> bool | None:
        """Whether a sample of a gauge is beyond its fixed limits; None where it has none, and for what is no gauge."""
        if not isinstance(batch, Gauged):
            return None
        rule = next((rule.gauge for rule in self._signals() if rule.name == batch.signal), None)
        return None if rule is None else is_bad(batch.value, rule, None)
