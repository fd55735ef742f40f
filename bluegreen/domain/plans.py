"""What is to be done: a release, and the plan to make it live on the terms that were promised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bluegreen.domain.changelog import Line
from bluegreen.domain.phases import Phase
from bluegreen.domain.rules import SIGNALS, LimitRule, SignalRule
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variables import Finding


class Kind(StrEnum):
    """Why a deployment exists."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Release:
    """A version plus what it needs. `name` is what an operator types; `digest` covers the release file's content;
    a bare version has neither file nor digest.

    `images`: what each part runs, by the part's name, pinned by tag or digest; `components`: the versions that were
    tested together; `migrations`: the last file of each source that belongs to it; `changelog` and `env_example` are
    files that it names itself, "" where it leaves that to the configuration.
    """

    version: str
    variables: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    file: str = ""
    name: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, str] = field(default_factory=dict)
    migrations: Mapping[str, str] = field(default_factory=dict)
    changelog: str = ""
    env_example: str = ""


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """A step of a canary: `share` (of 1) of the users meet the new colour for at most `seconds`."""

    share: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deployment promised when it was planned; a changed configuration does not change it. Seconds.

    `fallback`: while it is watched, the balancer itself lets the old colour answer what the new one does not;
    `slice_pause` lies between two slices of the old colour that are stopped.
    """

    deadlines: Mapping[Phase, float]
    auto_promote: bool
    window: float
    standby: float
    on_blind: str
    on_no_traffic: str
    min_effect: float
    alpha: float
    min_bad: int
    probe_failures: int
    slow_factor: float
    slow_floor: float
    silent_after: float
    drain: float
    inspect: float
    contract: bool = False
    proving: float = 0.0
    signals: tuple[SignalRule, ...] = SIGNALS
    limits: tuple[LimitRule, ...] = ()
    canary: tuple[CanaryStep, ...] = ()
    standby_smoke: float = 0.0
    aftermath: float = 0.0
    fallback: bool = False
    slice_pause: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One line of a plan: what a phase will do, or why it has nothing to do (`does` is False)."""

    phase: Phase
    text: str
    does: bool = True


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """A component of the tested combination: the version that is live, and the new one; "" where it has none."""

    name: str
    live: str
    new: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment would do, made for one state of the world (`digest`) and good until `expires_at`.

    `migrations` are the labels of the expand migrations it will apply, in order; `supersedes` is the id of a deployment
    that is ended first; `judged` says by what the release will be judged, a line for each signal and limit;
    `costs` what the switch costs users with this balancer, a line each.

    `overridden` are the objections of a gate that `force` and `reason` let through. `changelog` is what
    `changelog_file` says between the live and the new version, `changelog_left` lines of it left out; with
    `changelog_undone` it is what going back gives up. `components` are those of the release and of the live one.
    `variables` is what was found of them, `connections` how many the databases have left, a line each.
    """

    id: str
    kind: Kind
    release: Release
    live: Colour
    live_release: str
    terms: Terms
    steps: tuple[PlanStep, ...]
    warnings: tuple[str, ...]
    digest: str
    created_at: datetime
    expires_at: datetime
    live_is_down: bool = False
    force: bool = False
    reason: str = ""
    requested_by: str = ""
    migrations: tuple[str, ...] = ()
    supersedes: str = ""
    judged: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    changelog: tuple[Line, ...] = ()
    changelog_file: str = ""
    changelog_left: int = 0
    changelog_undone: bool = False
    components: tuple[ComponentChange, ...] = ()
    variables: tuple[Finding, ...] = ()
    connections: tuple[str, ...] = ()

    @property
    def trusts_live(self) -> bool:
        """True where the live colour is taken to be well: it is held to its checks, and users may be sent back to it
        by themselves. Not in a rollback, which leaves it, and not where it is known to be down."""
        return self.kind is Kind.DEPLOY and not self.live_is_down

    @property
    def idle(self) -> Colour:
        """The colour that the release will run on."""
        return self.live.other
