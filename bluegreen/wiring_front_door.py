"""From settings to what is asked at the front door, and of the balancer about it: versions, flows, requests in flight.
A part of wiring_signals.py."""

from collections.abc import Mapping

from bluegreen.adapters.balancers.caddy_upstreams import CaddyUpstreams
from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.signals.flows import Flows, Repeated
from bluegreen.adapters.signals.in_flight import Answered, InFlightSource
from bluegreen.domain.answers import Place
from bluegreen.domain.flows import Flow
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock, SignalSource
from bluegreen.settings import Settings
from bluegreen.settings.sections_flows import Flow as FlowSettings
from bluegreen.wiring_checks import flow_steps, revealed_values

LONGEST_QUESTION = 1.0
"""Seconds for one question after requests in flight: they are asked for twice a second."""


def versions(settings: Settings) -> Mapping[str, Place]:
    """Where the answers of each service say what they are, for those that do."""
    return {each.name: Place.written(each.version) for each in settings.routed if each.version}


def flow_source(settings: Settings, front_door: HttpFrontDoor, clock: Clock) -> Flows | None:
    """The source that walks the configured flows; None without any."""
    flows = {flow.name: Repeated(_flow(flow), flow.every) for flow in settings.watch.flows}
    return Flows(front_door, flows, clock=clock) if flows else None


def in_flight_source(
    settings: Settings, services: Mapping[str, Service], answered: Answered, log: SignalSource, clock: Clock
) -> InFlightSource | None:
    """The source that asks what is under way, on a client of its own; None where it is switched off, or
    the balancer cannot be asked."""
    if not settings.watch.in_flight or settings.balancer != "caddy":
        return None
    caddy = settings.caddy
    upstreams = CaddyUpstreams(
        caddy.admin, timeout=min(caddy.timeout, LONGEST_QUESTION), allow_remote_admin=caddy.allow_remote_admin
    )
    return InFlightSource(upstreams, services, answered, log, clock=clock)


def _flow(flow: FlowSettings) -> Flow:
    return Flow(
        name=flow.name,
        steps=flow_steps(flow.steps, flow.service),
        timeout=flow.timeout,
        values=revealed_values(flow.values),
    )
