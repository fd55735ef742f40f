"""What the API sends, as JSON. Also a source of its OpenAPI document.

Times are RFC 3339 in UTC, durations seconds. Each answer is read from the domain's dataclass of the same name,
attribute by attribute, so that a client may read it back into that dataclass.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_backfill import Backfill
from bluegreen.interfaces.models_base import Answer, Number, Time
from bluegreen.interfaces.models_connections import Counted
from bluegreen.interfaces.models_live_only import LiveOnly
from bluegreen.interfaces.models_plans import CanaryStep as CanaryStep
from bluegreen.interfaces.models_plans import ChangelogLine as ChangelogLine
from bluegreen.interfaces.models_plans import ComponentChange as ComponentChange
from bluegreen.interfaces.models_plans import Plan as Plan
from bluegreen.interfaces.models_plans import PlanStep as PlanStep
from bluegreen.interfaces.models_plans import PlanTerms as PlanTerms
from bluegreen.interfaces.models_plans import Release as Release
from bluegreen.interfaces.models_running import Running


class Deployment(Answer):
    """One attempt to make a release live. `elapsed`: seconds in this phase, as of the last save."""

    id: str
    plan: Plan
    new: Colour
    old: Colour
    created_at: Time
    phase: Phase
    phase_since: Time | None
    elapsed: Number
    attempt: int
    moved: bool
    moved_at: Time | None
    stopped: bool
    cause: Cause | None
    reason: str
    next: tuple[str, ...]
    warnings: tuple[str, ...]
    path: tuple[Phase, ...]
    ended_at: Time | None
    settled: bool
    facts: Mapping[str, Any]


class Deployments(Answer):
    """The latest first; `cursor` leads to the next page, null on the last."""

    items: tuple[Deployment, ...]
    cursor: str | None


class Split(Answer):
    """`share` (of 1) of the users meet `colour`, the others the other one: a canary."""

    colour: Colour
    share: Number


class ServiceTraffic(Answer):
    """Where one service goes. `split`: to both colours, by our own doing; then `colour` is null. `fallback`: the other
    colour answers what `colour` does not, by our own doing."""

    service: str
    paths: tuple[str, ...]
    dials: tuple[str, ...]
    colour: Colour | None
    generation: int | None
    split: Split | None = None
    fallback: bool = False


class Traffic(Answer):
    """Where users go; `colour` is null when services are on neither, both or different ones."""

    services: tuple[ServiceTraffic, ...]
    colour: Colour | None
    generation: int | None
    split: Split | None = None
    fallback: bool = False


class SignalStatus(Answer):
    """How one signal stands in the watch."""

    signal: str
    n: int
    bad: int
    tolerated: Number
    odds: Number
    needed: int
    text: str


class WatchStatus(Answer):
    """The watch as it stands."""

    verdict: str
    reason: str
    signals: tuple[SignalStatus, ...]
    seconds_left: Number
    way_back: str
    held: str
    way_back_why: str = ""


class Drift(Answer):
    """Nothing runs, and users are not on the colour that is wanted; `difference` reads like a diff."""

    wanted: Colour
    seen: str
    since: Time
    difference: tuple[str, ...]
    next: tuple[str, ...]
    doing: str


class Paused(Answer):
    """Who paused the automation, why, since when, and until when (null: until `resume`)."""

    by: str
    reason: str
    since: Time
    until: Time | None


class Observation(Answer):
    """The daemon only observes. Where people moved users by hand: `said` is what would have been done."""

    since: Time | None
    colour: Colour | None
    old: Colour | None
    verdict: str
    reason: str
    said: str
    seconds_left: Number | None
    next: tuple[str, ...]


class SchemaFit(Answer):
    """Whether a release may serve again on the schema as it is. Where not: since which migration, applied for which
    release, and the backup from before it, empty where none is kept. Of `doubts` nobody can tell."""

    release: str
    may_serve: bool
    migration: str
    applied_for: str
    backup: str
    doubts: tuple[str, ...]


class Status(Answer):
    """Where the traffic is, and whether anything moves."""

    project: str
    version: str
    started_at: Time
    now: Time
    traffic: Traffic | None
    traffic_error: str
    releases: Mapping[Colour, str]
    deployment: Deployment | None
    phase_seconds_left: Number | None
    watch: WatchStatus | None
    troubles: tuple[str, ...]
    doing: str
    pause: Paused | None
    drift: Drift | None
    schema_fit: SchemaFit | None
    backfill: Backfill | None
    aftermath: str = ""
    open_requests: Mapping[Colour, int] = {}
    balancer: str = "Caddy"
    observing: Observation | None = None
    live_only: LiveOnly | None = None
    running: Mapping[Colour, Running] = {}
    connections: Counted = Counted()


class Event(Answer):
    """One line of a deployment's story; `seq` only grows."""

    name: str
    at: Time
    deployment: str
    phase: str
    facts: Mapping[str, Any]
    seq: int


class Events(Answer):
    """Lines in order; `after` leads to the next ones."""

    items: tuple[Event, ...]
    after: int


class Output(Answer):
    """The end of a colour's own log."""

    colour: Colour
    text: str


class Reload(Answer):
    """The configuration is in order and the daemon begins again with it; `warnings` are the configuration's."""

    warnings: tuple[str, ...]


class Ready(Answer):
    """Why the daemon is not fully able to work; empty: it is."""

    ready: bool
    reasons: tuple[str, ...]


class Problem(Answer):
    """RFC 9457: what is wrong; `code` is stable, `next` are commands to type."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    title: str
    status: int
    code: str
    detail: str
    next: tuple[str, ...] = ()


class AlertAnswer(Answer):
    """What became of an alert."""

    event: str
    effect: AlertEffect
    reason: str
    durable: bool
