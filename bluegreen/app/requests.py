"""What operators and alert hooks ask of the daemon, and what it answers: the currency of `service.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Traffic


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `who` for the audit ("uid 1000 (deploy)"), `origin` the way in ("socket", "hook:alerts")."""

    who: str
    origin: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A release to be made live, and on which terms. `auto_promote` None: as configured."""

    release: str
    auto_promote: bool | None = None
    contract: bool = False
    live_is_down: bool = False
    force: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """Either the id of a plan, to be applied exactly, or a release to be planned now."""

    plan: str = ""
    release: PlanRequest | None = None


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
    not end; `way_back` is ready, degraded (failed its last probe) or lost."""

    verdict: str
    reason: str
    signals: tuple[SignalStatus, ...]
    seconds_left: float
    way_back: str
    held: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to "where is the traffic, and is anything moving"; `doing` is what the phase waits for, in words."""

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
