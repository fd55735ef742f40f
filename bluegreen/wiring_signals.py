"""From settings to signals: what is listened to, how each signal counts, and on which terms a release is judged."""

from collections.abc import Mapping

from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.probes import Probes
from bluegreen.domain.plans import Terms
from bluegreen.domain.rules import SIGNALS, LimitRule, SignalRule
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock, SignalSource
from bluegreen.settings import Settings


def terms(settings: Settings) -> Terms:
    """What the next plan promises: how long each phase may take, and how the release is judged."""
    watch, advanced = settings.watch, settings.watch.advanced
    return Terms(
        deadlines=settings.phase_deadlines,
        auto_promote=settings.promotion.auto,
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
        drain=settings.retire.drain,
        inspect=settings.retire.inspect,
        proving=watch.proving,
        signals=signal_rules(settings),
        limits=limit_rules(settings),
    )


def signal_rules(settings: Settings) -> tuple[SignalRule, ...]:
    """How each signal counts; the weights add up to 1."""
    return SIGNALS


def limit_rules(settings: Settings) -> tuple[LimitRule, ...]:
    """The plain rules beside the account."""
    return ()


def sources(
    settings: Settings, services: Mapping[str, Service], front_door: HttpFrontDoor, clock: Clock
) -> tuple[SignalSource, ...]:
    """Everything that says how users fare."""
    probes = settings.watch.probes
    found: list[SignalSource] = [
        Probes(front_door, services, clock=clock, interval=probes.interval, timeout=probes.timeout)
    ]
    if settings.caddy.access_log is not None:
        found.append(CaddyLog(settings.caddy.access_log, services, on_witness=front_door.witnessed, clock=clock))
    return tuple(found)
