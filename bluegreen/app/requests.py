"""What operators and alert hooks ask of the daemon, and what it answers: the currency of `service.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bluegreen.app.explanations import Explanation as Explanation
from bluegreen.app.explanations import KeyLine as KeyLine
from bluegreen.app.explanations import LimitLine as LimitLine
from bluegreen.app.explanations import RouteLine as RouteLine
from bluegreen.app.explanations import SignalLine as SignalLine
from bluegreen.app.room import Counted
from bluegreen.domain.backfills import Progress
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Json
from bluegreen.domain.running import Running
from bluegreen.domain.sites import Tls
from bluegreen.domain.traffic import Colour, Traffic


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `who` for the audit ("uid 1000 (deploy)"), `origin` the way in ("socket", "hook:alerts")."""

    who: str
    origin: str


@dataclass(frozen=True, slots=True)
class SiteRequest:
    """A site to be set up: for the live colour of `service`, or for the addresses in `dials` (scheme "" is http)."""

    name: str
    host: str
    service: str = ""
    dials: tuple[str, ...] = ()
    scheme: str = ""
    listen: str = ""
    tls: Tls = Tls.AUTO
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A release to be made live, and on which terms. `auto_promote` None: as configured."""

    release: str
    auto_promote: bool | None = None
    contract: bool = False
    live_is_down: bool = False
    force: bool = False
    reason: str = ""
    supersede: bool = False


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """Either the id of a plan, to be applied exactly, or a release to be planned now. `supersede`: end what runs."""

    plan: str = ""
    release: PlanRequest | None = None
    supersede: bool = False


@dataclass(frozen=True, slots=True)
class SignalStatus:
    """How one signal stands in the watch: `text` is its arithmetic in one line; `needed` more samples to judge."""

    signal: str
    n: int
    bad: int
    tolerated: float
    odds: float
    needed: int
    text: str


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """The watch as it stands. `seconds_left` to the end of the window or of standby; `held` says why it does
    not end; `way_back` is ready, degraded (failed its last checks) or lost, `way_back_why` what failed."""

    verdict: str
    reason: str
    signals: tuple[SignalStatus, ...]
    seconds_left: float
    way_back: str
    held: str = ""
    way_back_why: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """Who paused the automation, why, since when and until when (None: until `resume`)."""

    by: str
    reason: str
    since: datetime
    until: datetime | None = None

    def describe(self) -> str:
        """`paused by uid 1000 (ann): counting the money`."""
        return f"paused by {self.by}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Drift:
    """Nothing runs, and users are not on `wanted`: what Caddy says in one line, the difference line by line, commands
    to type, and what is done about it."""

    wanted: Colour
    seen: str
    since: datetime
    difference: tuple[str, ...]
    next: tuple[str, ...]
    doing: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """The daemon only observes. Where people moved users by hand: to `colour` from `old`, seen at `since`; `verdict` of
    now, `said` what would have been done, `next` what to type then. Without a move `since` is None."""

    since: datetime | None = None
    colour: Colour | None = None
    old: Colour | None = None
    verdict: str = ""
    reason: str = ""
    said: str = ""
    seconds_left: float | None = None
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaFit:
    """Whether a release may serve again on the schema as it is. Where not: since which `migration`, applied for which
    release, and the backup from before it ("" none is kept). `doubts` are migrations of which nobody can tell."""

    release: str
    may_serve: bool
    migration: str = ""
    applied_for: str = ""
    backup: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveOnly:
    """The parts that run only where users are, `names`: on `colour` (None: nobody knows), once `settled`. `known` is
    False where bluegreen never moved them: then they run as they were set up. `doing` and `problem` say in words what
    is done now, and why they are not there; `next` are commands to type."""

    names: tuple[str, ...]
    colour: Colour | None
    known: bool = True
    settled: bool = True
    doing: str = ""
    problem: str = ""
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to "where is the traffic, and is anything moving"; `doing` is what the phase waits for, or what is
    done by hand, in words. `schema_fit` is of the release that a rollback would go to; None where nobody looked yet.
    `backfill` is the one that runs, else one that was begun, is not done, and waits for somebody to go on with it.
    `aftermath`: how the comparison after a cutback stands, in words; empty where there is none. `open_requests`: what
    is still under way on the old colour after a switch; empty where nobody can tell, or nothing was switched.
    `balancer` is how people call it; `running` is what really runs of a colour, where anybody can tell.
    `connections` of the databases, as they were last counted."""

    project: str
    version: str
    started_at: datetime
    now: datetime
    traffic: Traffic | None
    traffic_error: str
    releases: Mapping[Colour, str]
    deployment: Deployment | None
    phase_seconds_left: float | None
    watch: WatchStatus | None
    troubles: tuple[str, ...]
    doing: str = ""
    pause: Paused | None = None
    drift: Drift | None = None
    schema_fit: SchemaFit | None = None
    backfill: Progress | None = None
    aftermath: str = ""
    open_requests: Mapping[Colour, int] = field(default_factory=dict)
    balancer: str = "Caddy"
    observing: Observation | None = None
    live_only: LiveOnly | None = None
    running: Mapping[Colour, Running] = field(default_factory=dict)
    connections: Counted = field(default_factory=Counted)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as a hook understood it. `fingerprint` and `starts_at` make it unique; `blind`: its rule saw nothing,
    which says nothing of users."""

    hook: str
    fingerprint: str
    starts_at: datetime
    firing: bool
    labels: Mapping[str, str]
    matches: bool
    effect: str = "cutback"
    summary: str = ""
    blind: bool = False


class AlertEffect(StrEnum):
    """What an alert did."""

    CUTBACK = "cutback"
    RECORDED = "recorded"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """What became of an alert: why it was only recorded, and whether the record is durable."""

    event: str
    effect: AlertEffect
    reason: str
    durable: bool = True
    facts: Mapping[str, Json] = field(default_factory=dict)
