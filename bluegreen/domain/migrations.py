"""What changes the shared schema: migrations, the ledger's rows, and the backups taken before them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MigrationPhase(StrEnum):
    """When a migration may run: before the switch, in batches beside users, or when nothing needs the old shape any
    more."""

    EXPAND = "expand"
    BACKFILL = "backfill"
    CONTRACT = "contract"


class MigrationKind(StrEnum):
    """Plain SQL files, or an opaque tool."""

    SQL = "sql"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Migration:
    """One pending migration. `source` is its name in [[migrations]], `version` the file's NNNN_name (or the
    release, for a command); `transactional` False: statement by statement, outside any transaction; `meaning` is a
    hash that comments and layout do not change, "" where it cannot be told; `before_switch`: a backfill that says it
    runs before the switch."""

    database: str
    source: str
    version: str
    phase: MigrationPhase
    kind: MigrationKind
    checksum: str
    file: str = ""
    transactional: bool = True
    statements: int = 0
    meaning: str = ""
    before_switch: bool = False

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.source}/{self.version}.{self.phase}"


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of the ledger. `release` is the one it was applied for. `gate` is what its rehearsal said ("" where there
    was none), `accepted` the kinds of findings that its file took all the same; `in_flight`: a statement was begun, and
    its end is not known."""

    database: str
    source: str
    version: str
    phase: MigrationPhase
    state: str
    deployment: str
    checksum: str
    statements_total: int
    statements_done: int
    finished_at: datetime | None
    error: str = ""
    release: str = ""
    kind: MigrationKind = MigrationKind.SQL
    gate: str = ""
    accepted: tuple[str, ...] = ()
    in_flight: bool = False

    @property
    def begun(self) -> bool:
        """Whether it left something in the database, whole or in part, or may have: of a tool that failed, and of a
        statement in flight, nobody knows what took effect, and the batches of a backfill that stopped stay."""
        if self.state in ("done", "running") or self.statements_done > 0 or self.in_flight:
            return True
        stopped = self.state in ("failed", "interrupted")
        return stopped and (self.kind is MigrationKind.COMMAND or self.phase is MigrationPhase.BACKFILL)

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.source}/{self.version}.{self.phase}"


PENDING = "pending"
"""The state of a migration that the ledger does not have."""


@dataclass(frozen=True, slots=True)
class MigrationState:
    """One migration, and what the ledger says of it: `state` is pending, running, done, failed, interrupted or
    skipped. `file` is empty for a command, and where the file is gone since; `changed`: the file is not the one that
    was applied; `reformatted`: it says the same. `missing`: it was applied, and its file is gone. `out_of_order`: it is
    pending, and one with a higher number was applied. `held` says why a contract file cannot run yet, as far as the
    schema knows. `at` is when it ended, `deployment` which one ran it last."""

    database: str
    source: str
    version: str
    phase: MigrationPhase
    kind: MigrationKind
    state: str = PENDING
    file: str = ""
    at: datetime | None = None
    deployment: str = ""
    statements_total: int = 0
    statements_done: int = 0
    error: str = ""
    changed: bool = False
    reformatted: bool = False
    missing: bool = False
    out_of_order: bool = False
    held: str = ""

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.source}/{self.version}.{self.phase}"


@dataclass(frozen=True, slots=True)
class SchemaDrift:
    """The schema is not as our last migration left it (`since`, its label, at `at`): `things` says what differs."""

    since: str
    at: datetime | None
    things: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaState:
    """How a schema stands: every migration in order, what was changed past us, and indexes that are INVALID."""

    migrations: tuple[MigrationState, ...] = ()
    drift: SchemaDrift | None = None
    invalid_indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What a database answers when asked how it is. Sizes in bytes; connections are counts of the server, `reserved` of
    them kept for superusers and the like."""

    server_version: int
    size: int
    max_connections: int
    connections: int
    may_create_database: bool
    reserved: int = 3

    @property
    def major(self) -> int:
        """The server's major version (server_version is server_version_num, e.g. 160004)."""
        return self.server_version // 10_000


@dataclass(frozen=True, slots=True)
class Backup:
    """A dump that exists and was verified. `size` in bytes, `sha256` of the file, `verified` the level reached,
    `rows` the compared row counts summed over all tables; `deployment` and `release` are what it was taken for.
    `id` is its name for people and for the API: letters, digits, `.`, `_` and `-`. `compared`, where it was verified by
    being restored: every row by "checksum", or only their "count". `notes`: what it lacks; `needed`: why it is kept
    beyond the newest ones, in words."""

    id: str
    database: str
    file: str
    size: int
    sha256: str
    verified: str
    tables: int
    rows: int
    taken_at: datetime
    seconds: float
    deployment: str = ""
    release: str = ""
    compared: str = ""
    notes: tuple[str, ...] = ()
    needed: str = ""
