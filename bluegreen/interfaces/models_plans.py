"""Plans as the API sends them: the release, the terms, the steps, and what is known before anything is done."""

from collections.abc import Mapping

from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_base import Answer, Number, Time
from bluegreen.interfaces.models_terms import LimitRule, SignalRule
from bluegreen.interfaces.models_variables import Finding


class Release(Answer):
    """A version; `digest` and `file` are empty for a bare one. Variables, maybe secret, are not shown. `images` are by
    part, `components` those that were tested together, `migrations` the last one of each source that belongs to it.
    `changelog` and `env_example` are files that it names itself."""

    version: str
    digest: str
    file: str
    name: str
    images: Mapping[str, str] = {}
    components: Mapping[str, str] = {}
    migrations: Mapping[str, str] = {}
    changelog: str = ""
    env_example: str = ""


class ChangelogLine(Answer):
    """An entry of the changelog, and the words it is marked by: breaking, remove, rename, policy, migration, security.
    `heading`: a title, whose marks its entries have too."""

    version: str
    line: str
    marks: tuple[str, ...]
    heading: bool


class ComponentChange(Answer):
    """A component of the tested combination: the live version, and the new one; empty where it has none."""

    name: str
    live: str
    new: str


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
    """What a deployment would do, good until `expires_at` and for this state of the world. `changelog`: the entries
    between the live and the new version, the latest first, `changelog_left` of them left out; with `changelog_undone`
    they are what going back gives up. A deployment keeps those that are marked. `overridden`: what a gate objected, and
    a reason let through. `variables`: what was found of them; `connections`: how many the databases have left."""

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
    overridden: tuple[str, ...] = ()
    changelog: tuple[ChangelogLine, ...] = ()
    changelog_file: str = ""
    changelog_left: int = 0
    changelog_undone: bool = False
    components: tuple[ComponentChange, ...] = ()
    variables: tuple[Finding, ...] = ()
    connections: tuple[str, ...] = ()
