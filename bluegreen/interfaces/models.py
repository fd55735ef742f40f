"""The API's contract: what it takes and what it gives, as JSON. Also the source of its OpenAPI document.

Times are RFC 3339 in UTC, durations seconds. Each answer is read from the domain's dataclass of the same
name, attribute by attribute, so that a client may read it back into that dataclass.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bluegreen.app.requests import AlertEffect
from bluegreen.app.requests import PlanRequest as WantedPlan
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind
from bluegreen.domain.traffic import Colour


def _finite(value: Any) -> Any:
    """JSON knows no infinity; certainty beyond 1e300 is certainty."""
    return min(value, 1e300) if isinstance(value, float) and not math.isnan(value) else value


Time = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]
Number = Annotated[float, BeforeValidator(_finite)]
ReleaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
"""A release file's name, or a bare version: never a path, an option or a shell's word."""

Reason = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Why, on one line; for the audit."""


class Request(BaseModel):
    """What a caller sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """What stands behind the question mark: always text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What we send, read from the attributes of what the app answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


# --- what callers send


class Terms(Request):
    """On which terms a release is to be made live. `auto_promote` absent: as configured."""

    auto_promote: bool | None = None
    contract: bool = False
    live_is_down: bool = False
    force: bool = False
    reason: Reason = ""


class PlanRequest(Terms):
    """A release to be planned."""

    release: ReleaseName

    def wanted(self) -> WantedPlan:
        """As the app takes it."""
        return WantedPlan(**self.model_dump())


class DeployRequest(Terms):
    """Either the id of a plan, to be applied exactly, or a release with its terms."""

    plan: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] | None = None
    release: ReleaseName | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.plan is None) == (self.release is None):
            raise ValueError('give either "plan" or "release"')
        if self.plan is not None and self.model_fields_set != {"plan"}:
            raise ValueError("the terms of a plan were fixed when it was made")
        return self

    def wanted(self) -> WantedPlan | None:
        """The release to plan now, as the app takes it; None where a plan is named."""
        return WantedPlan(**self.model_dump(exclude={"plan"})) if self.release is not None else None


class ReasonRequest(Request):
    """An order that may carry its reason."""

    reason: Reason = ""


class CutbackRequest(ReasonRequest):
    """`force`: also to a colour that is known dead."""

    force: bool = False


class RollbackRequest(ReasonRequest):
    """To the named release; absent: to the last good one."""

    release: ReleaseName | None = None


class ResolveRequest(Request):
    """How a STRANDED deployment was settled by hand."""

    reason: Annotated[Reason, Field(min_length=1)]


class RetryRequest(Request):
    """Nothing to say."""


class PageQuery(Query):
    """One page of a list: `cursor` is the one that the page before gave."""

    limit: int = Field(default=20, ge=1, le=200)
    cursor: str = Field(default="", max_length=128)


class LogQuery(Query):
    """Lines above number `after`; `phase` keeps only those of one phase."""

    after: int = Field(default=0, ge=0, le=2**62)
    limit: int = Field(default=1000, ge=1, le=1000)
    phase: Phase | None = None


class OutputQuery(Query):
    """How many lines from the end."""

    lines: int = Field(default=200, ge=1, le=10_000)


class FollowQuery(Query):
    """Where to begin; the header Last-Event-ID wins."""

    after: int = Field(default=0, ge=0, le=2**62)


# --- what we send


class Release(Answer):
    """A version; `digest` and `file` are empty for a bare one. Variables, maybe secret, are not shown."""

    version: str
    digest: str
    file: str
    name: str


class PlanTerms(Answer):
    """What a deployment promised when it was planned."""

    deadlines: Mapping[Phase, Number]
    auto_promote: bool
    window: Number
    standby: Number
    on_blind: str
    on_no_traffic: str
    min_effect: Number
    alpha: Number
    min_bad: int
    probe_failures: int
    slow_factor: Number
    slow_floor: Number
    silent_after: Number
    drain: Number
    inspect: Number
    contract: bool


class PlanStep(Answer):
    """What a phase will do; `does` is false where it has nothing to do."""

    phase: Phase
    text: str
    does: bool


class Plan(Answer):
    """What a deployment would do, good until `expires_at` and for this state of the world."""

    id: str
    kind: Kind
    release: Release
    live: Colour
    idle: Colour
    live_release: str
    terms: PlanTerms
    steps: tuple[PlanStep, ...]
    warnings: tuple[str, ...]
    digest: str
    created_at: Time
    expires_at: Time
    live_is_down: bool
    force: bool
    reason: str
    requested_by: str
    migrations: tuple[str, ...]


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


class ServiceTraffic(Answer):
    """Where one service goes."""

    service: str
    paths: tuple[str, ...]
    dials: tuple[str, ...]
    colour: Colour | None
    generation: int | None


class Traffic(Answer):
    """Where users go; `colour` is null when services are on neither, both or different ones."""

    services: tuple[ServiceTraffic, ...]
    colour: Colour | None
    generation: int | None


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


class AlertAnswers(AlertAnswer):
    """What became of several alerts: the strongest effect, and each."""

    alerts: tuple[AlertAnswer, ...]
