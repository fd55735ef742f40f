"""What a file of SQL holds, once it was read: statements, and what each of them needs of whoever runs it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen.adapters.postgres.sql_directives import Directive

HEADER = "-- bluegreen: no-transaction"
"""The comment before the first statement of a file that must not be one transaction."""


class SqlRefused(Exception):
    """A text that cannot be run, and the line that says so."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


class Alone(StrEnum):
    """What to make of a statement that cannot run inside a transaction, when it was cut off: was it done?"""

    NO = "runs in a transaction"
    BUILDS_INDEX = "builds an index"
    DROPS_INDEX = "drops indexes"
    REBUILDS_INDEX = "rebuilds indexes"
    AGAIN = "may run again"
    UNKNOWN = "nobody can tell"


@dataclass(frozen=True, slots=True)
class Relation:
    """A name as it stands in the text; without a schema it is found by search_path."""

    name: str
    schema: str = ""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def quoted(self) -> str:
        """As it can stand in a statement."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name) if part)


class LockMode(StrEnum):
    """Locks of tables that stop writers, or readers too, in the words of pg_locks."""

    SHARE = "ShareLock"
    SHARE_ROW_EXCLUSIVE = "ShareRowExclusiveLock"
    EXCLUSIVE = "ExclusiveLock"
    ACCESS_EXCLUSIVE = "AccessExclusiveLock"


@dataclass(frozen=True, slots=True)
class Target:
    """What a statement locks; `partners`: with it the tables that foreign keys lead to, and those that lead here."""

    relation: Relation
    mode: LockMode
    partners: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: where it begins, and what it needs. `table` and `indexes` are named for those about indexes;
    `strong` while it runs, readers or writers of a table wait: of `targets`, as far as the text says; `creates` a
    table; `setting` it only sets up the session, `limit` with a statement_timeout of its own."""

    text: str
    line: int
    alone: Alone = Alone.NO
    concurrent: bool = False
    strong: bool = False
    setting: bool = False
    limit: bool = False
    if_not_exists: bool = False
    table: Relation | None = None
    indexes: tuple[Relation, ...] = ()
    targets: tuple[Target, ...] = ()
    creates: Relation | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A whole file: one transaction, or statement by statement. `meaning` is a hash that comments and layout do not
    change; "" where it cannot be told."""

    transactional: bool
    statements: tuple[Statement, ...]
    directives: "tuple[Directive, ...]" = ()
    meaning: str = ""

    @property
    def limits_itself(self) -> bool:
        """Whether it sets a statement_timeout, so that whoever runs it must not."""
        return any(statement.limit for statement in self.statements)

    def harms(self, statement: Statement) -> bool:
        """Whether users wait while it runs: those of a table that the script made itself are none yet."""
        return statement.strong and (not statement.targets or bool(self.targets_of(statement)))

    def targets_of(self, statement: Statement) -> tuple[Target, ...]:
        """What it locks that was there before this script, as far as names tell."""
        own = [other.creates for other in self.statements if other.creates is not None]
        return tuple(target for target in statement.targets if not any(_same(target.relation, new) for new in own))


def _same(one: Relation, other: Relation) -> bool:
    return one.name == other.name and (not one.schema or not other.schema or one.schema == other.schema)
