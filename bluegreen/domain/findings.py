"""What a rehearsal has to say of a migration: findings, their gate, and what to write instead."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.migrations import MigrationKind, MigrationPhase


class Gate(StrEnum):
    """Whether a migration may run beside the version that is running."""

    ALLOW = "allow"
    WARN = "warn"
    REFUSE = "refuse"

    @staticmethod
    def worst(gates: Iterable["Gate"]) -> "Gate":
        """The strictest of them; ALLOW of none."""
        order = tuple(Gate)
        return max(gates, key=order.index, default=Gate.ALLOW)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A query of the running version that a migration breaks: its text, what Postgres says of it now, and how often
    it was called (None: nobody counted)."""

    query: str
    sqlstate: str
    message: str
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found in a file. `kind` is a stable word with hyphens ("column-dropped"), which
    `-- bluegreen: accept KIND reason="…"` names. `object` is the table, column or other thing
    by its full name, `table` the table that it is or belongs to ("": not known), `lock` what that one is locked with,
    in Postgres's words ("ACCESS EXCLUSIVE"). `estimate_s` is how long it would take on production: from, to, in
    seconds. `accepted` is the reason that the file gives for taking it all the same: then it no longer refuses."""

    kind: str
    gate: Gate
    message: str
    remedy: str = ""
    line: int = 0
    statement: str = ""
    object: str = ""
    lock: str = ""
    estimate_s: tuple[float, float] | None = None
    evidence: tuple[Evidence, ...] = ()
    accepted: str = ""
    table: str = ""

    @property
    def weight(self) -> Gate:
        """What it counts for: what was accepted is a warning at most."""
        return Gate.WARN if self.accepted and self.gate is Gate.REFUSE else self.gate


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What was found in one migration. `file` is its name, or the command's label."""

    database: str
    source: str
    version: str
    phase: MigrationPhase
    kind: MigrationKind
    file: str
    checksum: str
    findings: tuple[Finding, ...] = ()

    @property
    def gate(self) -> Gate:
        """The strictest finding."""
        return Gate.worst(finding.weight for finding in self.findings)

    @property
    def label(self) -> str:
        """How people name the migration."""
        return f"{self.source}/{self.version}.{self.phase}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rehearsal of all that was pending. `not_seen` says in words what could not be looked at ("no CREATEDB: …",
    "no pg_stat_statements: …"); `copied` is "schema" or "backup" (with its rows), "" where no copy could be made."""

    files: tuple[FileVerdict, ...] = ()
    not_seen: tuple[str, ...] = ()
    copied: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def gate(self) -> Gate:
        """The strictest file."""
        return Gate.worst(file.gate for file in self.files)

    @property
    def refused(self) -> tuple[FileVerdict, ...]:
        """The files that must not run."""
        return tuple(file for file in self.files if file.gate is Gate.REFUSE)


def joined(rehearsals: Iterable[Rehearsal]) -> Rehearsal:
    """Several databases as one."""
    parts = tuple(rehearsals)
    return Rehearsal(
        tuple(file for part in parts for file in part.files),
        tuple(dict.fromkeys(text for part in parts for text in part.not_seen)),
        ", ".join(dict.fromkeys(part.copied for part in parts if part.copied)),
        sum(part.seconds for part in parts),
    )
