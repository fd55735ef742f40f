"""From settings to Traefik as the balancer. A part of wiring_balancer.py, and under wiring.py's rules."""

from collections.abc import Mapping

from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock, Timed
from bluegreen.settings import Settings


def traefik(settings: Settings, services: Mapping[str, Service], clock: Clock, timed: Timed) -> TraefikBalancer:
    """The balancer; open it first."""
    said = settings.traefik
    return TraefikBalancer(
        said.file,
        tuple(services.values()),
        timeout=said.timeout,
        clock=clock,
        api=said.api,
        cookie_domain=settings.canary.cookie_domain,
        timed=timed,
    )
