"""What the routes that rehearse and apply migrations send, as JSON. See models.py."""

from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_base import Answer, Number
from bluegreen.interfaces.models_upkeep import Backup


class Evidence(Answer):
    """A query of the running version that breaks, and how often it was called (null: nobody counted)."""

    query: str
    sqlstate: str
    message: str
    calls: int | None


class Finding(Answer):
    """One thing that was found: what refuses, warns or is allowed, where, on what, and what to write instead.
    `lock` is taken on `table`, which `object` is or belongs to ("": not known). `estimate_s`: from, to, in seconds on
    production. `accepted`: the file's own reason for taking it."""

    kind: str
    gate: Gate
    line: int
    object: str
    lock: str
    estimate_s: tuple[Number, Number] | None
    message: str
    remedy: str
    statement: str
    evidence: tuple[Evidence, ...]
    accepted: str
    table: str


class FileVerdict(Answer):
    """What was found in one migration."""

    file: str
    phase: MigrationPhase
    gate: Gate
    findings: tuple[Finding, ...]
    database: str
    source: str
    version: str
    kind: MigrationKind
    checksum: str


class Rehearsal(Answer):
    """All that was rehearsed, and in words what could not be looked at. `copied` is "schema" or "backup"."""

    gate: Gate
    files: tuple[FileVerdict, ...]
    not_seen: tuple[str, ...]
    copied: str
    seconds: Number


class Held(Answer):
    """A migration that stays pending, and why."""

    migration: str
    reason: str


class ContractPlan(Answer):
    """What `migrate contract` would do; `closes` are the releases that cannot serve again from then on, `alone`
    those due that have no expand of their own."""

    serving: str
    idle: Colour
    due: tuple[str, ...]
    held: tuple[Held, ...]
    closes: tuple[str, ...]
    alone: tuple[str, ...]


class MigratedByHand(Answer):
    """What was applied, with the backups from before it; `proved` says how the live colour stands on it."""

    applied: tuple[str, ...]
    held: tuple[Held, ...]
    backups: tuple[Backup, ...]
    rehearsal: Rehearsal
    proved: str
    warnings: tuple[str, ...]
