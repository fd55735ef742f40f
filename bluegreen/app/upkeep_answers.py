"""What the verbs of upkeep answer: backups, migrations, colours by hand, tests of receivers and hooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.arming import Arms
from bluegreen.domain.backfills import Progress
from bluegreen.domain.checks import CheckResult
from bluegreen.domain.findings import Rehearsal
from bluegreen.domain.migrations import Backup, MigrationState, SchemaDrift
from bluegreen.domain.sites import Left, Site
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variables import Finding


@dataclass(frozen=True, slots=True)
class MigrationsOf:
    """The migrations of one database in order, what was changed past them, INVALID indexes, and how far its backfills
    are; `problem` says why they cannot be told, then there are none."""

    database: str
    items: tuple[MigrationState, ...]
    drift: SchemaDrift | None = None
    invalid_indexes: tuple[str, ...] = ()
    problem: str = ""
    backfills: tuple[Progress, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A migration that stays pending, and why."""

    migration: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContractPlan:
    """What `migrate contract` would do beside `serving`: labels that are `due`, and what is held back. `closes` are the
    releases that cannot serve again from then on; `alone` those due that have no expand of their own."""

    serving: str
    idle: Colour
    due: tuple[str, ...]
    held: tuple[Held, ...]
    closes: tuple[str, ...]
    alone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MigratedByHand:
    """What was applied by hand, with the backups from before it; `proved` says how the live colour stands on it."""

    applied: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    backups: tuple[Backup, ...] = ()
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    proved: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ByHandCommands:
    """The lines that put a backup of `database` into service without the daemon; `#` begins an explanation."""

    backup: Backup
    database: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByHand:
    """A colour that was started or stopped by hand: the release it runs now ("" stopped), and what was printed."""

    colour: Colour
    release: str
    output: str


@dataclass(frozen=True, slots=True)
class SmokeAnswer:
    """What a colour's checks say; `release` is the one it was expected to run ("" any)."""

    colour: Colour
    release: str
    passed: bool
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A test notice that was delivered, in `seconds`."""

    name: str
    key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HookTest:
    """A resolved alert that came in by a hook and was only recorded; `firing` says what one that fires now would do,
    and `why` it would only be recorded."""

    hook: str
    listen: str
    event: str
    effect: AlertEffect
    reason: str
    firing: AlertEffect
    why: str


@dataclass(frozen=True, slots=True)
class BalancerSetup:
    """How the balancer is set up for a switch: `mode` is pointer, rewrite, or the name of a balancer that is no Caddy.
    In mode pointer `file` tells it where to send users, and `says` what stands there (None: there is none)."""

    mode: str
    services: tuple[Arms, ...]
    file: str = ""
    says: str | None = None


@dataclass(frozen=True, slots=True)
class CaddyfileLines:
    """What the operator puts into his own file, so that mode "pointer" survives a reload; the secret of the preview
    stands in it."""

    snippet: str


@dataclass(frozen=True, slots=True)
class SiteShown:
    """A site as it stands, and the service whose users come by it ("" none)."""

    site: Site
    service: str


@dataclass(frozen=True, slots=True)
class SitesShown:
    """The sites that were added, and what a change left that was cut off in the middle."""

    items: tuple[SiteShown, ...]
    left: Left | None = None


@dataclass(frozen=True, slots=True)
class SiteChange:
    """A site that was added or removed; `written` False: it was so already."""

    site: SiteShown
    written: bool


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was put right in the ledger of one database, a line each; none where nothing was wrong."""

    database: str
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VariableCheck:
    """What the `idle` colour would give `release`. `passed`: a deployment would not be refused for it. `doubts`: what
    could not be compared. `changed` are the names that the two colours have different values of, `counts` how many
    names each side has: "example" and the colours."""

    release: str
    live: Colour
    idle: Colour
    passed: bool
    findings: tuple[Finding, ...] = ()
    doubts: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
