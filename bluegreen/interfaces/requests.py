"""What callers of the API send, validated: unknown fields are refused. Also a source of its OpenAPI document."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bluegreen.app.requests import PlanRequest as WantedPlan
from bluegreen.domain.phases import Phase

LABEL = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}/[^/\x00-\x1f\x7f-\x9f]{1,128}$"
RELEASE, ONE_LINE = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$", r"^[^\x00-\x1f\x7f-\x9f]*$"
FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$"

PATTERNS = {
    FILE_NAME: "must be the name of a file of letters, digits, dots, _ and -, without a directory",
    RELEASE: "must be a name of letters, digits, dots, _ and -, at most 64, that begins with no dot and no -",
    LABEL: "must be a migration as `migrate status` shows it: SOURCE/VERSION.PHASE",
    ONE_LINE: "must be one line, without control characters",
}
"""The patterns in words."""

ReleaseName = Annotated[str, Field(pattern=RELEASE)]
"""A release file's name, or a bare version: never a path, an option or a shell's word."""

FileName = Annotated[str, Field(pattern=FILE_NAME)]
"""The name of a file, without a directory."""

Reason = Annotated[str, Field(max_length=1000, pattern=ONE_LINE)]
"""Why, on one line; for the audit."""


LONGEST_PAUSE = 30 * 86_400
"""Seconds."""


class Request(BaseModel):
    """What stands in a body."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """What stands behind the question mark: always text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Terms(Request):
    """On which terms a release is to be made live. `auto_promote` absent: as configured."""

    auto_promote: bool | None = None
    contract: bool = False
    live_is_down: bool = False
    force: bool = False
    reason: Reason = ""
    supersede: bool = False

    @model_validator(mode="after")
    def _reasons(self) -> Self:
        for flag in ("force", "live_is_down"):
            if getattr(self, flag) and not self.reason:
                raise ValueError(f'"{flag}" needs a "reason": it goes into the audit')
        return self


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
        if self.plan is not None and not self.model_fields_set <= {"plan", "supersede"}:
            raise ValueError("the terms of a plan were fixed when it was made")
        return self

    def wanted(self) -> WantedPlan | None:
        """The release to plan now, as the app takes it; None where a plan is named."""
        return WantedPlan(**self.model_dump(exclude={"plan"})) if self.release is not None else None


class RehearseRequest(Request):
    """What is to be rehearsed: what is pending; or `files`, names and contents, as those of `source`."""

    files: Annotated[dict[FileName, str], Field(max_length=1000)] = {}
    source: ReleaseName | None = None


class ReasonRequest(Request):
    """An order that may carry its reason."""

    reason: Reason = ""


class PromoteRequest(ReasonRequest):
    """`full` also ends what a later phase still waits for, and needs a reason."""

    full: bool = False

    @model_validator(mode="after")
    def _full_needs_a_reason(self) -> Self:
        if self.full and not self.reason:
            raise ValueError('"full" needs a "reason": it cuts a watch short')
        return self


class PauseRequest(Request):
    """Why nothing moves by itself, and for how many seconds at most; absent: until it is resumed."""

    reason: Annotated[Reason, Field(min_length=1)]
    seconds: Annotated[float, Field(gt=0, le=LONGEST_PAUSE, strict=False)] | None = None


class ResumeRequest(Request):
    """Why things move by themselves again."""

    reason: Annotated[Reason, Field(min_length=1)]


class CutbackRequest(ReasonRequest):
    """`force`: also to a colour that is known dead."""

    force: bool = False


class RestoreRequest(ReasonRequest):
    """`confirm` is the name of the database; `stop_colours`: both are stopped first, and started again."""

    confirm: Annotated[str, Field(min_length=1, max_length=128, pattern=ONE_LINE)]
    stop_colours: bool = False


class RollbackRequest(ReasonRequest):
    """To the named release; absent: to the last good one."""

    release: ReleaseName | None = None


class ResolveRequest(Request):
    """How a STRANDED deployment was settled by hand."""

    reason: Annotated[Reason, Field(min_length=1)]


class RetryRequest(Request):
    """Nothing to say."""


class ReloadRequest(Request):
    """Nothing to say."""


class EmptyRequest(Request):
    """Nothing to say."""


class SmokeRequest(Request):
    """What to ask of a colour beside readiness and the smoke checks. `continuity`: whether what either colour gives its
    users holds on the other; both must run."""

    continuity: bool = False


class BackfillRequest(ReasonRequest):
    """Run the backfill of this label, also without its source or its phase; absent: all that have rows to do."""

    label: Annotated[str, Field(max_length=200, pattern=ONE_LINE)] | None = None


class ContractRequest(ReasonRequest):
    """Apply the contract migrations that are due; refused where those are not the `expected` ones, if given."""

    expected: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)] | None = None


class UpRequest(ReasonRequest):
    """With the named release; absent: the one that the colour last ran."""

    release: ReleaseName | None = None


class VariablesRequest(Request):
    """For the named release; absent: for the one that is live."""

    release: ReleaseName | None = None


class TakeoverRequest(Request):
    """How it is known that the live-only parts of the other colour do not run."""

    reason: Annotated[Reason, Field(min_length=1)]


Label = Annotated[str, Field(pattern=LABEL)]
"""How people name a migration: `app/0007_email.expand`."""


class RepairRequest(Request):
    """Repair what can be repaired, with INVALID indexes where asked; or settle one migration."""

    indexes: bool = False
    applied: Label | None = None
    not_applied: Label | None = None
    reason: Reason = ""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum([self.indexes, self.applied is not None, self.not_applied is not None]) > 1:
            raise ValueError('give one of "indexes", "applied" and "not_applied"')
        return self


class AuditQuery(Query):
    """One page of the audit: `cursor` is the one that the page before gave, 0 for the latest."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: int = Field(default=0, ge=0, le=2**62)


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


class FollowAllQuery(Query):
    """Where to begin: not given, with what comes from now on; 0, with the oldest that is kept. The header Last-Event-ID
    wins."""

    after: int | None = Field(default=None, ge=0, le=2**62)


class FollowQuery(Query):
    """Where to begin; the header Last-Event-ID wins."""

    after: int = Field(default=0, ge=0, le=2**62)
