"""By what a release will be judged, for its plan: each signal with its source, its part of the evidence and what was
usual, and each fixed limit. One line each; said before anything is done, so that nobody is surprised later."""

from collections.abc import Iterator
from math import isfinite

from bluegreen.app.baseline import Baseline
from bluegreen.app.trial import limits_of, rules_of
from bluegreen.domain.figures import percent
from bluegreen.domain.plans import Terms
from bluegreen.domain.ranges import Ends, ends_of
from bluegreen.domain.rules import Direction, GaugeRule, LimitRule, SignalRule
from bluegreen.domain.tolerance import Tolerance


def measures(terms: Terms, baseline: Baseline) -> tuple[str, ...]:
    """The lines, by what the live colour showed until now."""
    gauges = frozenset(rule.name for rule in terms.signals if rule.gauge is not None)
    return (*_signals(terms, baseline), *(_limit(rule, gauges) for rule in limits_of(terms)))


def _signals(terms: Terms, baseline: Baseline) -> Iterator[str]:
    slow, ranges = baseline.limits(terms.slow_factor, terms.slow_floor), baseline.ranges()
    for dry_run in (False, True):
        if not any(rule.dry_run is dry_run for rule in terms.signals):
            continue
        rules = rules_of(terms, dry_run=dry_run)
        tolerances = baseline.tolerances(rules, slow)
        for rule in terms.signals:
            if rule.dry_run is dry_run:
                seen = tolerances.get(rule.name)
                yield f"{rule.label or rule.name}: {_counts(rule)}; {_usual(rule, seen, ranges.get(rule.name))}"


def _counts(rule: SignalRule) -> str:
    source = f"from {rule.source}" if rule.source and rule.source != rule.name else "asked for by us"
    part = "dry run, decides nothing" if rule.dry_run else f"{percent(rule.weight)} of the evidence"
    return f"{source}, {part}{', critical' if rule.critical else ''}"


def _usual(rule: SignalRule, seen: Tolerance | None, range: Ends | None) -> str:
    bounds = f"{_bounds(rule.gauge, range)}; " if rule.gauge is not None else ""
    if seen is None or not seen.history_n:
        return f"{bounds}no history yet"
    usual = f"{percent(seen.p)} bad of {seen.history_n:,} was usual" if seen.p else f"none bad of {seen.history_n:,}"
    return f"{bounds}{usual}, up to {percent(seen.q0)} is tolerated"


def _bounds(gauge: GaugeRule, usual: Ends | None) -> str:
    ends = ends_of(gauge, usual)
    if ends is None:
        return f"bad {gauge.direction} what is usual, which is not known yet"
    low, high = ends
    fixed = gauge.low is not None or gauge.high is not None
    sides = []
    if isfinite(low) and (fixed or gauge.direction is not Direction.ABOVE):
        sides.append(f"below {low:g}")
    if isfinite(high) and (fixed or gauge.direction is not Direction.BELOW):
        sides.append(f"above {high:g}")
    return f"bad {' and '.join(sides)}"


def _limit(rule: LimitRule, gauges: frozenset[str]) -> str:
    side = "below" if rule.direction is Direction.BELOW else "above"
    runs = f", {rule.in_a_row} in a row" if rule.in_a_row > 1 else ""
    dry = " (dry run, decides nothing)" if rule.dry_run else ""
    if rule.signal in gauges:
        what = f"{rule.signal} {side} {rule.value:g}"
    elif rule.window_s:
        what = f"{rule.signal} {side} {percent(rule.value)} for {rule.window_s:g} s with at least {rule.min_samples:,}"
    else:
        what = f"{rule.signal} bad"
    return f"limit {rule.name}: {what}{runs}{dry}"
