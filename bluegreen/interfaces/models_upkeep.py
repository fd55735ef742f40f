"""What the routes of upkeep send, as JSON: backups, migrations, colours by hand, tests, the audit. See models.py."""

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_backfill import Backfill
from bluegreen.interfaces.models_base import Answer, Number, Time


class MigrationState(Answer):
    """One migration: `state` is pending, running, done, failed, interrupted or skipped. `changed`: its file is not the
    one that was applied; `reformatted`: it says the same. `missing`: it was applied and its file is gone. `held` says
    why a contract file cannot run yet."""

    database: str
    source: str
    version: str
    phase: MigrationPhase
    kind: MigrationKind
    state: str
    file: str
    at: Time | None
    deployment: str
    statements_total: int
    statements_done: int
    error: str
    changed: bool
    reformatted: bool
    missing: bool
    out_of_order: bool
    held: str


class SchemaDrift(Answer):
    """The schema is not as migration `since` left it: `things` says what differs."""

    since: str
    at: Time | None
    things: tuple[str, ...]


class MigrationsOf(Answer):
    """The migrations of one database, what was changed past them, INVALID indexes, and how far its backfills are;
    `problem` says why they cannot be told."""

    database: str
    items: tuple[MigrationState, ...]
    drift: SchemaDrift | None
    invalid_indexes: tuple[str, ...]
    problem: str
    backfills: tuple[Backfill, ...]


class Migrations(Answer):
    """Database by database."""

    items: tuple[MigrationsOf, ...]


class Repaired(Answer):
    """What was put right in the ledger of one database, a line each."""

    database: str
    done: tuple[str, ...]


class Repairs(Answer):
    """Database by database."""

    items: tuple[Repaired, ...]


class Backup(Answer):
    """A verified dump of one database. `seconds` it took to make, or to verify; `compared` by "checksum" or "count"
    where it was restored; `notes` what it lacks; `needed` why it is kept beyond the newest."""

    id: str
    database: str
    file: str
    size: int
    sha256: str
    verified: str
    tables: int
    rows: int
    taken_at: Time
    seconds: Number
    deployment: str
    release: str
    compared: str
    notes: tuple[str, ...]
    needed: str


class Backups(Answer):
    """The latest first."""

    items: tuple[Backup, ...]


class ByHand(Answer):
    """A colour that was started or stopped by hand; `release` is what it runs now, empty for none."""

    colour: Colour
    release: str
    output: str


class StepTaken(Answer):
    """One request of a check at one address, and its answer, with secrets masked. `failure` says what was expected and
    what came, empty where all was well."""

    number: int
    title: str
    service: str
    address: str
    seconds: Number
    failure: str
    sent: str
    got: str


class CheckResult(Answer):
    """One check's answer, and the requests of its last try; none where it asks in another way."""

    name: str
    passed: bool
    detail: str
    seconds: Number
    steps: tuple[StepTaken, ...]


class SmokeAnswer(Answer):
    """What a colour's checks say; it was expected to run `release`, empty for any."""

    colour: Colour
    release: str
    passed: bool
    checks: tuple[CheckResult, ...]


class Receivers(Answer):
    """The names in [[notify]]."""

    items: tuple[str, ...]


class Delivery(Answer):
    """A test notice was delivered."""

    name: str
    key: str
    seconds: Number


class HookTest(Answer):
    """A resolved alert came in by the hook and was recorded; `firing` is what a firing one would do now."""

    hook: str
    listen: str
    event: str
    effect: AlertEffect
    reason: str
    firing: AlertEffect
    why: str


class AuditRow(Answer):
    """Who did what, from where, why, and what it changed."""

    seq: int
    at: Time
    who: str
    origin: str
    verb: str
    deployment: str
    reason: str
    before: str
    after: str


class Audit(Answer):
    """The latest first; `cursor` leads to the next page, null on the last."""

    items: tuple[AuditRow, ...]
    cursor: int | None
