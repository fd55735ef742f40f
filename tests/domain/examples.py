"""Deployments, plans and traffic as tests begin with them: blue is live, green is idle, two services."""

from datetime import timedelta
from typing import Any

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind, Plan, PlanStep, Release, Terms
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Traffic
from tests.virtual_time import EPOCH

BLUE, GREEN = Colour.BLUE, Colour.GREEN

WEB = Service("web", {BLUE: ("127.0.0.1:1001", "127.0.0.1:1002"), GREEN: ("127.0.0.1:2001",)}, site="web.test")
API = Service("api", {BLUE: ("127.0.0.1:1003",), GREEN: ("127.0.0.1:2003",)}, site="api.test")
SERVICES = {"web": WEB, "api": API}

DEADLINES = {
    Phase.PREPARING: 60.0,
    Phase.BACKING_UP: 600.0,
    Phase.REHEARSING: 600.0,
    Phase.EXPANDING: 600.0,
    Phase.PROVING: 60.0,
    Phase.STARTING: 120.0,
    Phase.TESTING: 60.0,
    Phase.AWAITING: 3600.0,
    Phase.CANARYING: 60.0,
    Phase.SWITCHING: 60.0,
    Phase.WATCHING: 40.0,
    Phase.STANDING_BY: 40.0,
    Phase.RETIRING: 60.0,
    Phase.CONTRACTING: 600.0,
    Phase.ASSESSING: 60.0,
    Phase.ABANDONING: 60.0,
    Phase.REVERTING: 30.0,
}
"""Seconds; that of WATCHING and of STANDING_BY is long after the window of `terms`."""


def terms(**changes: Any) -> Terms:
    """Terms of a short deployment: a window of 20 s, a standby of 20 s."""
    usual: dict[str, Any] = {
        "deadlines": DEADLINES,
        "auto_promote": True,
        "window": 20.0,
        "standby": 20.0,
        "on_blind": "hold",
        "on_no_traffic": "probes",
        "min_effect": 0.01,
        "alpha": 0.001,
        "min_bad": 3,
        "probe_failures": 3,
        "slow_factor": 1.0,
        "slow_floor": 0.1,
        "silent_after": 5.0,
        "drain": 5.0,
        "inspect": 300.0,
    }
    return Terms(**usual | changes)


def plan(**changes: Any) -> Plan:
    """A plan to make 1.1.0 live on green."""
    usual: dict[str, Any] = {
        "id": "p-1",
        "kind": Kind.DEPLOY,
        "release": Release("1.1.0", {"IMAGE": "app:1.1.0"}, digest="abc", file="/releases/1.1.0.toml", name="1.1.0"),
        "live": BLUE,
        "live_release": "1.0.0",
        "terms": terms(),
        "steps": (PlanStep(Phase.PREPARING, "look"), PlanStep(Phase.CANARYING, "nothing configured", does=False)),
        "warnings": ("watch out",),
        "digest": "d1g35t",
        "created_at": EPOCH,
        "expires_at": EPOCH + timedelta(hours=1),
        "migrations": ("app/0001.expand",),
    }
    return Plan(**usual | changes)


def deployment(phase: Phase = Phase.PREPARING, **changes: Any) -> Deployment:
    """A deployment of `plan` in a phase."""
    usual: dict[str, Any] = {"id": "d-1", "plan": plan(), "created_at": EPOCH, "phase": phase, "phase_since": EPOCH}
    return Deployment(**usual | changes)


def traffic(colour: Colour | None, generation: int | None = None, **services: Colour | None) -> Traffic:
    """All services on `colour` (None: on addresses of neither), but those named."""
    return Traffic(tuple(_service(s, services.get(s.name, colour), generation) for s in SERVICES.values()))


def _service(service: Service, colour: Colour | None, generation: int | None) -> ServiceTraffic:
    dials = service.addresses[colour] if colour else ("10.9.9.9:80",)
    return ServiceTraffic(service.name, (f"/apps/http/{service.name}",), dials, colour, generation)
