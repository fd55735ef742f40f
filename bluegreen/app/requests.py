"""What operators and alert hooks ask of the daemon, and what it answers: the currency of `service.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bluegreen.domain.backfills import Progress
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Json
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
class KeyLine:
    """One key of a signal: `turns` where it holds no cut back. `value` None: it is off. `text` says it in words."""

    name: str
    turns: bool
    value: float | None
    needed: float
    text: str


@dataclass(frozen=True, slots=True)
class RouteLine:
    """`bad` of `n` events of one route of one service, and the first bad line of them."""

    service: str
    route: str
    n: int
    bad: int
    line: str


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal's arithmetic: `rate` None where nothing was seen; `odds` its part of the account's; `more_bad` bad
    events in a row that would cut (None: no number would); `missing` events until it may be called good (None: never);
    `made_up` of them had probes stand in.

    `state` is ok, bad, undecided or error. The live colour had `usual` of `history` events bad, `phi` times as unsteady
    as chance; `decides` names the term that made `tolerated` of it. `share` of the stake was bet on this signal.
    `trouble`: why its source cannot be heard. `routes`: where bad ones came from, worst first.
    """

    signal: str
    n: int
    bad: int
    rate: float | None
    tolerated: float
    odds: float
    more_bad: int | None
    missing: int | None
    critical: bool
    label: str = ""
    state: str = ""
    dry_run: bool = False
    synthetic: bool = False
    source: str = ""
    trouble: str = ""
    usual: float = 0.0
    history: int = 0
    decides: str = ""
    phi: float = 1.0
    share: float = 1.0
    made_up: int = 0
    keys: tuple[KeyLine, ...] = ()
    routes: tuple[RouteLine, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One fixed limit: `broken` cuts whatever the odds say, but in dry run. `text` says it in words; a share is one of
    1, of the last `window` seconds; `run` of `in_a_row` are beyond it one after another."""

    name: str
    value: float
    limit: float
    samples: int
    broken: bool
    signal: str = ""
    text: str = ""
    dry_run: bool = False
    window: float = 0.0
    min_samples: int = 1
    run: int = 0
    in_a_row: int = 1


@dataclass(frozen=True, slots=True)
class Explanation:
    """The arithmetic of a verdict at `at`, after `watched` seconds: now (`current`), or when that phase was left. It
    cuts where `odds` reach `odds_needed` and every key of the strongest signal turns, or where a limit is broken.

    `silent` are the sources of critical signals that cannot be heard; `troubles` says of every source that cannot be
    heard why. `dry` are the signals in dry run, of which nothing follows. `side_by_side`: users met both colours then.
    """

    deployment: str
    release: str
    phase: str
    at: datetime
    current: bool
    verdict: str
    reason: str
    watched: float
    odds: float
    odds_needed: float
    min_bad: int
    signals: tuple[SignalLine, ...]
    limits: tuple[LimitLine, ...]
    silent: tuple[str, ...]
    way_back: str
    held: str
    paused: str
    troubles: tuple[str, ...] = ()
    dry: tuple[SignalLine, ...] = ()
    side_by_side: bool = False


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
class Status:
    """The answer to "where is the traffic, and is anything moving"; `doing` is what the phase waits for, or what is
    done by hand, in words. `schema_fit` is of the release that a rollback would go to; None where nobody looked yet.
    `backfill` is the one that runs, else one that was begun, is not done, and waits for somebody to go on with it.
    `aftermath`: how the comparison after a cutback stands, in words; empty where there is none. `open_requests`: what
    is still under way on the old colour after a switch; empty where nobody can tell, or nothing was switched.
    `balancer` is how people call it."""

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


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as a hook understood it. `fingerprint` and `starts_at` make it unique."""

    hook: str
    fingerprint: str
    starts_at: datetime
    firing: bool
    labels: Mapping[str, str]
    matches: bool
    effect: str = "cutback"
    summary: str = ""


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
