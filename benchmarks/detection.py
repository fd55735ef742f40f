"""How many users see a bad answer before a worse release is taken back, and how often a good one is.

Simulated with seeds, so that two runs print the same table. The account beside plain threshold rules ("more than 1 %
of answers are 5xx") and what rollout controllers make of them, all on the same users; and the least that any test can
do with the same share of false cuts.
"""

from dataclasses import dataclass, replace
from math import log

from benchmarks.detectors import DETECTORS, TICK_S, TURN_S, Detector
from benchmarks.outcomes import USUAL, Scenario
from benchmarks.table import Table, median, milli, p99
from bluegreen.domain.chernoff import divergence
from bluegreen.domain.figures import percent
from bluegreen.domain.watch_rules import WatchRules

FLIP_S = 0.050
"""From the verdict to users who are back, for all alike; line_to_patch measures less."""

WORSE = (
    Scenario("outage, 50 rps", 50.0, 1.0),
    Scenario("outage, 1000 rps", 1_000.0, 1.0),
    Scenario("outage after 20 good min, 50 rps", 50.0, 1.0, after_s=1_200.0),
    Scenario("5 % bad, 50 rps", 50.0, 0.05),
    Scenario("5 % after 20 good min, 50 rps", 50.0, 0.05, after_s=1_200.0),
    Scenario("1 % bad, 50 rps", 50.0, 0.01),
    Scenario("1 % bad, 1000 rps", 1_000.0, 0.01),
    Scenario("leak from 0.1 to 10 % in 20 min, 50 rps", 50.0, 0.1, leak_s=1_200.0, limit_s=1_200.0),
    Scenario("auth from 0.5 to 3 %, 50 rps", 50.0, 0.03, usual=0.005, signal="auth"),
    Scenario("slow from 5 to 14.6 % (+30 %), 50 rps", 50.0, 0.146, usual=0.05, over=0.1, signal="slow"),
    Scenario("outage, 0.2 rps", 0.2, 1.0),
)
QUIET = (
    Scenario("false cuts, 0.2 rps as usual", 0.2, USUAL, limit_s=3_600.0),
    Scenario("false cuts, 5 rps as usual", 5.0, USUAL, limit_s=3_600.0),
    Scenario("false cuts, 50 rps as usual", 50.0, USUAL, limit_s=3_600.0),
    Scenario("false cuts, 50 rps, all that is tolerated", 50.0, 0.003, limit_s=3_600.0),
)


@dataclass(frozen=True)
class Size:
    """How many runs of each scenario, and hours of each quiet one; `limit_s` cuts both short."""

    runs: int
    hours: int
    limit_s: float


FULL = Size(runs=30, hours=36, limit_s=3_600.0)
TINY = Size(runs=1, hours=1, limit_s=30.0)


async def measure(tiny: bool = False) -> Table:
    """The table of bad answers served, and of false cuts."""
    size = TINY if tiny else FULL
    names = [detector.name for detector in DETECTORS]
    table = Table("detection: bad answers until users are back (simulated)", ("", "limit", *names))
    for scenario in (_shortened(each, size) for each in WORSE):
        cells = [_served(detector, scenario, size.runs) for detector in DETECTORS]
        limit = "" if scenario.leak_s else f"{_limit(scenario):.1f}"
        table.rows.append((scenario.name, limit, *cells))
    for scenario in (_shortened(each, size) for each in QUIET):
        cells = [_false_cuts(detector, scenario, size.hours) for detector in DETECTORS]
        table.rows.append((scenario.name, "", *cells))
    usual, tolerated = percent(USUAL), percent(_tolerated(WORSE[0]))
    table.notes = [
        f"median (p99 or worst) of {size.runs} runs; false cuts of {size.hours} hours",
        f"{usual} bad is usual, {tolerated} tolerated after a day of history",
        "limit: no test with one false cut in 1,000 deployments needs less on average (Wald; Lai after good minutes)",
        f"ours: one signal alone, no probes; ticks of {milli(TICK_S)}, judged {milli(TURN_S)} after a bad one",
        f"others: more than 1 % bad (slow: 10 %) in a window, few requests or many; {milli(FLIP_S)} to flip for all",
        "missed: not within 10 minutes in so many runs",
    ]
    return table


def _shortened(scenario: Scenario, size: Size) -> Scenario:
    return replace(scenario, limit_s=min(scenario.limit_s, size.limit_s), after_s=min(scenario.after_s, size.limit_s))


def _served(detector: Detector, scenario: Scenario, runs: int) -> str:
    decided = [(seed, detector.decides(scenario, seed)) for seed in range(runs)]
    served = [
        _bad_until(scenario, seed, at + FLIP_S) for seed, at in decided if at is not None and at > scenario.after_s
    ]
    early = sum(at is not None and at <= scenario.after_s for _, at in decided)
    missed = runs - len(served) - early
    figures = f"{median(served):,g} ({p99(served):,g})" if served else ""
    parts = (figures, f"missed {missed}" if missed else "", f"too early {early}" if early else "")
    return " ".join(part for part in parts if part)


def _false_cuts(detector: Detector, scenario: Scenario, hours: int) -> str:
    cuts = sum(detector.decides(scenario, seed) is not None for seed in range(hours))
    return f"{cuts} of {hours}"


def _bad_until(scenario: Scenario, seed: int, t_s: float) -> int:
    """Bad answers between the change and a time."""
    count = 0
    for at_s in scenario.bad_times(seed):
        if at_s > t_s:
            return count
        count += at_s > scenario.after_s
    return count


def _limit(scenario: Scenario) -> float:
    rules, q0 = WatchRules(), _tolerated(scenario)
    odds, before = log(1.0 / rules.alpha), scenario.requests(scenario.after_s)
    events = odds / divergence(scenario.bad, q0)
    for _ in range(20 if before else 0):  # Lai: events = (ln(1/alpha) + ln(before/events)) / KL, by iteration
        events = (odds + log(before / events)) / divergence(scenario.bad, q0)
    return max(1.0, scenario.bad * events)


def _tolerated(scenario: Scenario) -> float:
    n, bad = scenario.history
    return WatchRules().tolerance(n=n, bad=bad).q0
