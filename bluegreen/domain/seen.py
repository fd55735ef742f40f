"""What was seen while a migration was rehearsed on a copy: facts only. What they mean is `schema.py`'s to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.migrations import Migration


@dataclass(frozen=True, slots=True)
class LockSeen:
    """A lock that our backend held before commit. `table` is the key in the catalogue from before (`table:OID`) of the
    table, view or sequence that is locked, or of an index's table; `mode` in Postgres's words ("ACCESS EXCLUSIVE");
    `existed`: it was there before this file."""

    table: str
    name: str
    mode: str
    existed: bool


@dataclass(frozen=True, slots=True)
class ErrorSeen:
    """What Postgres, or a tool, said. `sqlstate` "" where it came from a tool; `needs_rows`: it may be due to the copy
    holding no rows but one of ours."""

    message: str
    sqlstate: str = ""
    needs_rows: bool = False


@dataclass(frozen=True, slots=True)
class StatementSeen:
    """One statement, or all of a command (`text` ""). Names of tables in `scanned` and `rewritten` are keys in the
    catalogue from before; a new table is in neither. `dangers` are what its parse tree says
    (adapters/postgres/sql_dangers.py): pairs of a
    finding's kind and the object, known before anything runs. `read` are tables whose rows it read, by whatever way;
    `written` those whose rows it wrote, or set out to write and found none: by itself or by what it called."""

    line: int
    text: str
    locks: tuple[LockSeen, ...] = ()
    scanned: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    dangers: tuple[tuple[str, str], ...] = ()
    transactional: bool = True
    before: Catalogue = field(default_factory=dict, repr=False)
    after: Catalogue = field(default_factory=dict, repr=False)
    error: ErrorSeen | None = None
    seconds: float = 0.0
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuerySeen:
    """A query of the running version after the migration, against the copy. `verifiable` False: it failed before the
    migration too, and says nothing. `sqlstate` "" where it can still be prepared. `shape_changed`: its result has
    other columns than
    before. `missing` are columns that its INSERT would have to fill now and does not. `running`: known to be used by
    the version that serves now (False: it may be an older one's)."""

    text: str
    calls: int | None = None
    verifiable: bool = True
    sqlstate: str = ""
    message: str = ""
    shape_changed: str = ""
    missing: tuple[str, ...] = ()
    running: bool = True


@dataclass(frozen=True, slots=True)
class ProbeSeen:
    """A read-only question to production's rows, made from the change of one thing (its key after the migration).
    `kind`: duplicates, nulls, violations, orphans, overflow, rows (is there any), partition (rows of the default
    partition that belong to the new one of this key), keys (rows that have the key of a row that is inserted),
    failures (a stored generated column cannot be worked out for at least one row; 0: for all it can). `found`: how
    many, at least; None where the answer did not come in time, which `problem` says."""

    kind: str
    key: str
    name: str
    found: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table of production by its name: estimated rows, bytes of the heap and of all indexes, average bytes of a
    row."""

    rows: int
    bytes: int
    index_bytes: int
    row_bytes: float


@dataclass(frozen=True, slots=True)
class FileSeen:
    """All that was seen of one migration: the catalogue before and after, statement by statement, the queries of the
    running version, the probes, and the sizes of production by table name. `accepted` maps kinds of findings to the
    reasons that the file gives for taking them. `half_done`: it failed and left a part behind (no transaction).
    `with_rows`: the copy held production's rows, of a backup."""

    migration: Migration
    before: Catalogue
    after: Catalogue
    statements: tuple[StatementSeen, ...] = ()
    queries: tuple[QuerySeen, ...] = ()
    probes: tuple[ProbeSeen, ...] = ()
    sizes: Mapping[str, TableSize] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    half_done: bool = False
    with_rows: bool = False
