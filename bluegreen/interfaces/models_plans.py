"""Plans as the API sends them: the release, the terms, the steps, and what is known before anything is done."""

from collections.abc import Mapping

from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_base import Answer, Number, Time
from bluegreen.interfaces.models_terms import LimitRule, SignalRule


class Release(Answer):
    """A version; `digest` and `file` are empty for a bare one. Variables, maybe secret, are not shown."""

    version: str
    digest: str
    file: str
    name: str


class CanaryStep(Answer):
    """`share` (of 1) of the users meet the new colour, for at most `seconds`."""

    share: Number
    seconds: Number


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
    proving: Number
    signals: tuple[SignalRule, ...] = ()
    limits: tuple[LimitRule, ...] = ()
    canary: tuple[CanaryStep, ...] = ()
    standby_smoke: Number = 0.0
    aftermath: Number = 0.0
    fallback: bool = False
    slice_pause: Number = 0.0


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
    supersedes: str
    judged: tuple[str, ...]
    costs: tuple[str, ...]
