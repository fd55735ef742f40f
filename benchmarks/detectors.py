"""Those that decide when to go back: our account as the daemon drives it, and the plain rules that others use."""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmarks.outcomes import Scenario
from bluegreen.app.trial import Trial
from bluegreen.domain.evidence import Verdict
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Colour
from bluegreen.domain.watch_rules import WatchRules

TICK_S = 0.1
"""How often the daemon lets the trial's time pass (app/watching.py)."""

TURN_S = 0.005
"""How long the log's reader gathers lines before they are judged together; measured: 2 ms and a little."""


class Detector(Protocol):
    """Says when it would go back."""

    @property
    def name(self) -> str:
        """How the table calls it."""

    def decides(self, scenario: Scenario, seed: int) -> float | None:
        """Seconds after the switch; None where it does not, up to the end of the scenario."""


@dataclass(frozen=True)
class Ours:
    """The trial as the daemon runs it, on users' answers alone: no probe helps."""

    name: str = "ours"

    def decides(self, scenario: Scenario, seed: int) -> float | None:
        n, bad = scenario.history
        rules = WatchRules()
        nothing = rules.tolerance(n=n, bad=0)
        tolerances = dict.fromkeys([rule.name for rule in rules.signals], nothing)
        tolerances[scenario.signal] = rules.tolerance(n=n, bad=bad)
        trial = Trial.open(rules, tolerances, {})
        counted = 0
        for end_s, bad_ones in _turns(scenario, seed):
            n = scenario.requests(end_s) - counted
            counted += n
            if trial.observe(Counted("access_log", scenario.signal, Colour.GREEN, n, bad_ones)) and _regressed(trial):
                return end_s
            if not bad_ones:  # the clock releases stake, never an outcome
                trial.tick(TICK_S)
        return None


def _regressed(trial: Trial) -> bool:
    return trial.judge().verdict is Verdict.REGRESSED


def _turns(scenario: Scenario, seed: int) -> Iterator[tuple[float, int]]:
    """(end, bad): a turn with nothing bad at every tick, and before it one for what is bad, TURN_S after the first.

    Good answers wait for the end of their tick, or for a bad one: up to there no stake is released, so that the account
    stands as if they had been counted one by one.
    """
    bad_times = scenario.bad_times(seed)
    coming = next(bad_times)
    for tick in range(1, round(scenario.end_s / TICK_S) + 1):
        tick_s = tick * TICK_S
        while coming <= tick_s:
            end_s, bad = min(coming + TURN_S, tick_s), 0
            while coming <= end_s:
                bad, coming = bad + 1, next(bad_times)
            yield end_s, bad
        yield tick_s, 0


@dataclass(frozen=True)
class Threshold:
    """More bad answers than the scenario's `over` in `breaches` of the last `of` windows of `window_s`.

    `begins`: whether windows begin with the switch, as those of a rollout controller do; those of an alert rule begin
    at any moment. `later_s`: from the last breach to the way back.
    """

    name: str
    window_s: float
    breaches: int
    of: int
    begins: bool = False
    later_s: float = 0.0

    def decides(self, scenario: Scenario, seed: int) -> float | None:
        first_s = self.window_s if self.begins else random.Random(seed).uniform(0.0, self.window_s)
        last: deque[bool] = deque(maxlen=self.of)
        begin_s, bad_times = 0.0, scenario.bad_times(seed)
        coming = next(bad_times)
        for end_s in _steps(first_s, self.window_s, scenario.end_s):
            bad = 0
            while coming <= end_s:
                bad, coming = bad + 1, next(bad_times)
            n = scenario.requests(end_s) - scenario.requests(begin_s)
            last.append(n > 0 and bad / n > scenario.over)
            if sum(last) >= self.breaches:
                return end_s + self.later_s
            begin_s = end_s
        return None


def _steps(first: float, step: float, end: float) -> Iterable[float]:
    return (first + step * number for number in range(int((end - first) / step) + 1))


EVER = 1_000
"""Windows: breaches are not forgotten."""

DETECTORS: tuple[Detector, ...] = (
    Ours(),
    Threshold("rule, 10 s", 10.0, 1, 1),
    Threshold("rule, 60 s", 60.0, 1, 1),
    Threshold("like Flagger, 10 s x 1", 10.0, 1, EVER, begins=True, later_s=10.0),
    Threshold("Flagger, 10 s x 2", 10.0, 2, EVER, begins=True, later_s=10.0),
    Threshold("Argo, 60 s", 60.0, 1, EVER, begins=True),
    Threshold("CloudWatch, 3 of 5 x 10 s", 10.0, 3, 5, begins=True),
)
"""Flagger acts at the check after the one that reached its threshold; 10 s is its shortest interval."""
