"""From settings to signals: what is listened to, how each signal counts, and on which terms a release is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.signals.access_clients import key_of
from bluegreen.adapters.signals.access_routes import RouteClass
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.in_flight import Answered
from bluegreen.adapters.signals.probes import Probes
from bluegreen.adapters.signals.traefik_log import TraefikLog
from bluegreen.domain.plans import Terms
from bluegreen.domain.signals import Overheard
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock, SignalSource
from bluegreen.settings import Settings, judged
from bluegreen.settings.sections_routes import Route
from bluegreen.wiring_front_door import flow_source, in_flight_source
from bluegreen.wiring_log_lines import log_lines
from bluegreen.wiring_polled import polled_sources

NOBODY_COUNTS = {"in_flight": False}
"""Only Caddy tells what is under way, beside its access log; a signal that nobody tells would be blind."""


def terms(settings: Settings) -> Terms:
    """What the next plan promises: how long each phase may take, and how the release is judged."""
    watch, log = settings.watch, settings.entrance.access_log is not None
    counted = watch if settings.balancer == "caddy" and log else watch.model_copy(update=NOBODY_COUNTS)
    return replace(
        judged.terms(counted, settings.routed, log=log),
        deadlines=settings.phase_deadlines,
        auto_promote=settings.promotion.auto,
        drain=settings.retire.drain,
        slice_pause=settings.retire.slice_pause,
        canary=settings.canary.steps,
        fallback=settings.entrance.fallback,
        inspect=settings.retire.inspect,
        proving=watch.proving,
        standby_smoke=watch.standby_smoke,
        aftermath=watch.aftermath,
    )


def route_classes(routes: Sequence[Route]) -> tuple[RouteClass, ...]:
    """The classes of routes, as the access log's reader needs them."""
    return tuple(
        RouteClass(
            route.name,
            route.paths,
            methods=frozenset(route.methods),
            service=route.service,
            failures=frozenset(route.auth_failures),
            ignore=route.ignore,
        )
        for route in routes
    )


def sources(
    settings: Settings,
    services: Mapping[str, Service],
    front_door: HttpFrontDoor,
    clock: Clock,
    overheard: Callable[[Overheard], None] = lambda _: None,
) -> tuple[SignalSource, ...]:
    """Everything that says how users fare. `overheard` is told what the colours' own logs say beside that."""
    probes = settings.watch.probes
    found: list[SignalSource] = [
        Probes(front_door, services, clock=clock, interval=probes.interval, timeout=probes.timeout)
    ]
    if (flows := flow_source(settings, front_door, clock)) is not None:
        found.append(flows)
    if settings.entrance.access_log is not None:
        answered = Answered()
        read = TraefikLog if settings.balancer == "traefik" else CaddyLog
        access_log = read(
            settings.entrance.access_log,
            services,
            on_witness=front_door.witnessed,
            on_answers=answered.add,
            clock=clock,
            routes=route_classes(settings.watch.routes),
            client_key=key_of(settings.project),
        )
        found.append(access_log)
        if (in_flight := in_flight_source(settings, services, answered, access_log, clock)) is not None:
            found.append(in_flight)
    if (log := log_lines(settings, clock, overheard)) is not None:
        found.append(log)
    return (*found, *polled_sources(settings, services, clock))
