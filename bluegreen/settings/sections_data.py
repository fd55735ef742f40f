"""The shared databases: how they are reached, backed up and migrated."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from bluegreen.settings.argv import BackupArgv, MigrationArgv
from bluegreen.settings.credentials import Dsn, SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import Duration, FilePath, Name, Period, Size, VariableName


class Database(Section):
    """A Postgres database that both colours share. Each is backed up before it is changed."""

    name: Name = Field(
        description="What it is called here: in [[migrations]], in reports, in the names of backups.", examples=["app"]
    )
    dsn: Dsn = Field(
        description="Connection string of a role that owns what the migrations change and may read everything "
        '(pg_dump). Better { credential = "NAME" } than the text itself.',
        examples=[{"credential": "app-dsn"}],
    )
    admin_database: str = Field(
        default="postgres",
        min_length=1,
        description="Database on the same server to connect to for CREATE DATABASE: a backup is verified by "
        "restoring it into a scratch database, for which the role needs CREATEDB.",
    )
    connections: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="How many connections one colour may open at most. When a release is brought up beside the live "
        "one, this many must still be free of the server's max_connections, else PREPARING refuses. Not set: "
        "not checked.",
        examples=[40],
    )


class Backup(Section):
    """The verified backup before each change of a schema. Without [[databases]] there is nothing to back up."""

    directory: FilePath = Field(
        default=as_written("/var/backups/bluegreen"),
        description="Where dumps and their manifests are kept; made with mode 0700 if missing.",
    )
    verify: Literal["restore", "decode"] = Field(
        default="restore",
        description='What makes a backup count. "restore": it was restored into a scratch database and holds what the '
        'database held; needs CREATEDB and room for the database once more. "decode": it was read to its end.',
    )
    compare: Literal["checksum", "count"] = Field(
        default="checksum",
        description='How a restored backup is compared. "checksum": every row, each sequence and large object; costs '
        'about a second of one core for a million rows, on both sides. "count": how many rows each table has.',
    )
    keep: int = Field(
        default=5,
        ge=1,
        description="How many backups of each database are kept. Never removed: what a running deployment or the live "
        "release needs, the way back from the latest contract, and the newest that was restored. Nothing is removed "
        "to make room.",
    )
    min_free: Size = Field(
        default=as_written("1GiB"),
        description="What must remain free in `directory` beyond the database's size, else PREPARING refuses.",
    )
    timeout: Period = Field(
        default=as_written("2h"),
        description="How long backup and verification of one database may take, with `after`.",
    )
    bin_dir: FilePath | None = Field(
        default=None,
        description="Directory of pg_dump and pg_restore; they must be of the server's major version. Not set: they "
        "are looked for where Debian puts that version, then on PATH.",
        examples=["/usr/lib/postgresql/16/bin"],
    )
    after: BackupArgv | None = Field(
        default=None,
        description="Command that runs after each verified backup, to copy it off this host; {file} is filled in "
        "(beside it lie {file}.json, its manifest, and {file}.globals.sql, the roles). It is run once: when it fails, "
        "the backup has failed, and the dump stays. Not set: nothing runs.",
        examples=[["/usr/local/bin/copy-off-host", "{file}"]],
    )

    @field_validator("verify", mode="before")
    @classmethod
    def _list_proves_nothing(cls, given: object) -> object:
        if given == "list":
            raise ValueError(
                '"list" proves nothing: pg_restore --list reads the table of contents and passes a truncated dump; '
                'take "restore", or "decode" where there is no room for a copy'
            )
        return given


class Migration(Section):
    """A source of schema changes for one database. They run in the order of the file."""

    name: Name = Field(
        description="What it is called in the ledger (schema `bluegreen` in that database). Never change it later: "
        "the ledger would take every file as new.",
        examples=["app"],
    )
    database: Name = Field(description="The name of one of the [[databases]].", examples=["app"])
    kind: Literal["sql", "command"] = Field(
        description='"sql": plain SQL files in `directory`, expand before the switch, contract long after it. '
        '"command": a tool of yours, run by `up` before the switch.',
        examples=["sql"],
    )
    directory: FilePath | None = Field(
        default=None,
        description="kind sql: directory of the files NNNN_name.expand.sql and NNNN_name.contract.sql.",
        examples=["/srv/app/migrations"],
    )
    up: MigrationArgv | None = Field(
        default=None,
        description="kind command: applies what is pending, and does nothing when run again. {release} is filled in, "
        "and {dsn} as the connection string without its password, which libpq finds through PGPASSFILE: what "
        "stands in argv is seen by every user of the machine. A tool that wants all of it takes `dsn_env`.",
        examples=[["kratos", "migrate", "sql", "up", "-e", "--yes"]],
    )
    status: MigrationArgv | None = Field(
        default=None,
        description="kind command: asked after `up`; it must end with 0, else the migration has failed. Not set: "
        "`up` alone is believed.",
        examples=[["app-migrate", "check"]],
    )
    dsn_env: VariableName | None = Field(
        default=None,
        description="kind command: environment variable that gets the whole connection string. This, or {dsn} in "
        "`up`, is required: a tool with a connection string of its own could not be sent anywhere else than to "
        "production.",
        examples=["DSN"],
    )
    environment: dict[VariableName, SecretText] = Field(
        default={},
        description="kind command: further environment variables of the tool; {dsn} (with its password) and "
        '{release} are filled in. A value may be { credential = "NAME" }. Beside them the tool sees PATH, HOME, '
        "LANG and the like, and nothing else of the daemon's.",
        examples=[{"LOG_LEVEL": "info"}],
    )
    timeout: Period = Field(
        default=as_written("30m"),
        description="How long one run of the tool, or one statement outside a transaction, may take.",
    )
    lock_timeout: Period = Field(
        default=as_written("200ms"),
        description="How long a statement may wait for its lock (Postgres' lock_timeout). While it waits, users "
        "queue behind it: this is their worst delay. After it the statement gives way and tries again later.",
    )
    lock_budget: Duration = Field(
        default=as_written("10m"),
        description="How long to go on trying for a lock before the migration counts as failed, unapplied.",
    )
    contract: Literal["manual", "after-standby"] = Field(
        default="manual",
        description='When contract files run. "manual": only in a deployment started with --contract. '
        '"after-standby": in every deployment after the old colour was retired. Never in the deployment that '
        "applied their expand.",
    )

    @model_validator(mode="after")
    def _kind_has_its_keys(self) -> Self:
        if self.kind == "sql":
            self._sql_has_its_keys()
        else:
            self._command_has_its_keys()
        if self.lock_budget < self.lock_timeout:
            raise ValueError("lock_budget is shorter than one lock_timeout: no statement would get a single try")
        return self

    def _sql_has_its_keys(self) -> None:
        if self.directory is None:
            raise ValueError('kind = "sql" needs `directory`, for example directory = "/srv/app/migrations"')
        given = [key for key in ("up", "status", "dsn_env", "environment") if getattr(self, key)]
        if given:
            raise ValueError(f'`{given[0]}` is for kind = "command", and this is kind = "sql"')

    def _command_has_its_keys(self) -> None:
        if self.up is None:
            raise ValueError(
                'kind = "command" needs `up`, for example up = ["kratos", "migrate", "sql", "up", "-e", "--yes"]'
            )
        if self.directory is not None:
            raise ValueError('`directory` is for kind = "sql", and this is kind = "command"')
        if self.dsn_env is None and not any("{dsn}" in word for word in self.up):
            raise ValueError(
                "the tool must be told its database: name the variable that it reads with `dsn_env`, or write {dsn} in "
                "`up`; with a connection string of its own it would change production where a rehearsal was meant"
            )
