"""What the settings say of migrations and backups: the rules that the database's parts work by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.migrations import MigrationKind

DSN = "{dsn}"
RELEASE = "{release}"
FILE = "{file}"


@dataclass(frozen=True, slots=True)
class Source:
    """One [[migrations]]: a directory of SQL files, or a tool. Durations in seconds.

    `up` brings the schema up; `status`, where given, is asked afterwards and must exit 0. In both `{release}` is
    replaced, and `{dsn}` by the DSN without its password, which the tool then finds by PGPASSFILE. In `environment`
    `{dsn}` is the whole DSN; `dsn_env` is short for a variable that holds just that. `timeout` bounds a tool, and
    each single statement. `lock_timeout` is how long users may queue behind one attempt to get a lock, `lock_budget`
    how long it is tried again; `strong_timeout` bounds a statement while it holds a lock that stops readers or
    writers (0: no limit; a file that sets statement_timeout itself has its own). After `name_after` seconds of waiting
    for a lock, who is in the way is named. A tool that stops users for longer than `block_timeout` is cancelled.
    """

    name: str
    kind: MigrationKind
    directory: Path | None = None
    up: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    dsn_env: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3600.0
    lock_timeout: float = 0.2
    lock_budget: float = 600.0
    strong_timeout: float = 3.0
    name_after: float = 60.0
    block_timeout: float = 0.5

    def __post_init__(self) -> None:
        if self.kind is MigrationKind.SQL and self.directory is None:
            raise ConfigurationError(f"migrations {self.name!r} of kind sql need a directory")
        if self.kind is MigrationKind.COMMAND and not self.up:
            raise ConfigurationError(f"migrations {self.name!r} of kind command need the command to run: up = [...]")
        told = self.dsn_env or any(DSN in text for text in (*self.up, *self.environment.values()))
        if self.kind is MigrationKind.COMMAND and not told:
            # A tool with a DSN of its own could not be rehearsed: it would migrate production each time.
            raise ConfigurationError(
                f"migrations {self.name!r}: the command must be told which database to migrate:"
                f" name the variable with dsn_env, or write {DSN} in up"
            )
        if self.lock_timeout <= 0:
            # Postgres reads 0 as "wait for ever", with every user of the table queued behind us.
            raise ConfigurationError(f"migrations {self.name!r}: lock_timeout must be more than 0 s")


@dataclass(frozen=True, slots=True)
class BackupRules:
    """[backup]. `verify` "restore" compares what a scratch database holds after a restore, "decode" reads the whole
    dump. `compare` "checksum" compares every row, "count" how many there are.

    Needed free: the database's size times `space_factor`, plus `min_free` bytes. `keep` dumps of each database stay.
    `bin_dir` is looked in first for pg_dump and pg_restore. `after` runs once the dump is verified, with `{file}`
    replaced (copy it off the host; its manifest is `{file}.json`). `timeout` seconds for all of it.
    """

    directory: Path
    verify: Literal["restore", "decode"] = "restore"
    compare: Literal["checksum", "count"] = "checksum"
    min_free: int = 1024**3
    space_factor: float = 1.0
    keep: int = 10
    timeout: float = 7200.0
    bin_dir: Path | None = None
    after: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ConfigurationError("[backup] keep must be at least 1: the backup just taken is always kept")
