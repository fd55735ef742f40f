"""Every signal by which a release is judged, and every plain rule beside: from all sections that name one.

The weights are those that the operator wrote, of all that decide together; what is in dry run has none of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import fsum

from bluegreen.domain.plans import Terms
from bluegreen.domain.rules import SIGNALS, USERS, LimitRule, SignalRule
from bluegreen.settings.sections_limits import Limit
from bluegreen.settings.sections_stack import Service
from bluegreen.settings.sections_watch import Watch

STUCK_WEIGHT = 0.1
"""Of the signals about requests that nobody answers, together; the four signals of our own have 1."""

STUCK_IN_A_ROW = 4
"""Samples, two a second, in which requests of a service wait and none is answered, where that was never seen before."""


def terms(watch: Watch, services: Sequence[Service], *, log: bool = True) -> Terms:
    """How a release is judged, in the terms of a plan: nothing of how a deployment goes. `log`: whether an access log
    is read; without one there are no signals of it, which would be silent for ever."""
    advanced = watch.advanced
    return Terms(
        deadlines={},
        auto_promote=False,
        window=watch.window,
        standby=watch.standby,
        on_blind=watch.on_blind,
        on_no_traffic=watch.on_no_traffic,
        min_effect=watch.min_effect,
        alpha=advanced.alpha,
        min_bad=advanced.min_bad,
        probe_failures=advanced.probe_failures,
        slow_factor=advanced.slow_factor,
        slow_floor=advanced.slow_floor,
        silent_after=advanced.silent_after,
        drain=0.0,
        inspect=0.0,
        signals=signal_rules(watch, services, log=log),
        limits=limit_rules(watch, services),
    )


def signal_rules(watch: Watch, services: Sequence[Service], *, log: bool = True) -> tuple[SignalRule, ...]:
    """How each signal counts. The weights of those that decide add up to 1, and so do those in dry run."""
    rules = [rule for rule in (*_own(watch), *_operators(watch, services)) if log or rule.source != USERS]
    totals = {dry: fsum(rule.weight for rule in rules if rule.dry_run is dry) for dry in (False, True)}
    return tuple(replace(rule, weight=rule.weight / totals[rule.dry_run]) for rule in rules)


def limit_rules(watch: Watch, services: Sequence[Service]) -> tuple[LimitRule, ...]:
    """The plain rules beside the account, without the one on probes in a row that is always there."""
    return (*(_limit(limit) for limit in watch.limits), *_stuck_limits(watch, services))


def _own(watch: Watch) -> Iterator[SignalRule]:
    """The four that are always there; `auth` shares its weight with the classes of routes."""
    given = {
        "5xx": watch.signals.errors,
        "auth": watch.signals.auth,
        "slow": watch.signals.slow,
        "probe": watch.signals.probe,
    }
    classes = [f"auth:{route.name}" for route in watch.routes if not route.ignore]
    for rule in SIGNALS:
        own = given[rule.name]
        counts = replace(rule, weight=own.weight, critical=own.critical, dry_run=own.dry_run)
        if rule.name != "auth":
            yield counts
            continue
        shared = replace(counts, weight=own.weight / (1 + len(classes)))
        yield shared
        yield from (replace(shared, name=name) for name in classes)


def _operators(watch: Watch, services: Sequence[Service]) -> Iterator[SignalRule]:
    """Those that were configured, each with the weight that was written."""
    yield from (asked.rule for asked in watch.asked)
    yield from (line.rule for line in watch.log_lines)
    yield from (flow.rule for flow in watch.flows)
    yield from _stuck(watch, services)


def _stuck(watch: Watch, services: Sequence[Service]) -> Iterator[SignalRule]:
    """Requests that nobody answers, of each service: one service with long polls must not hide another."""
    if watch.in_flight:
        weight = STUCK_WEIGHT / max(len(services), 1)
        for service in services:
            yield SignalRule(f"stuck:{service.name}", weight, synthetic=True, source="in_flight")


def _stuck_limits(watch: Watch, services: Sequence[Service]) -> Iterator[LimitRule]:
    if watch.in_flight:
        for service in services:
            yield LimitRule(
                f"samples in a row without an answer of {service.name}",
                f"stuck:{service.name}",
                0.0,
                window_s=0.0,
                in_a_row=STUCK_IN_A_ROW,
                unless_usual=True,
            )


def _limit(limit: Limit) -> LimitRule:
    return LimitRule(
        limit.name,
        limit.signal,
        limit.value,
        direction=limit.direction,
        window_s=0.0 if limit.bound is None else limit.window,
        min_samples=limit.enough,
        in_a_row=limit.in_a_row,
        each_key=limit.each_service,
        dry_run=limit.dry_run,
    )
