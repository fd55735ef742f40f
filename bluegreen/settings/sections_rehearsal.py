"""The rehearsal: pending migrations are run on a copy before production is touched."""

from typing import Literal

from pydantic import Field

from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import FilePath, Period, Size


class Rehearsal(Section):
    """The rehearsal of pending migrations on a scratch database of the same server. Production is only read."""

    source: Literal["schema", "backup"] = Field(
        default="schema",
        alias="from",
        description='What the copy is made from. "schema": production\'s schema, and one row of ours in each table; '
        'quick at any size. "backup": the verified backup with its rows, up to `max_size`.',
    )
    max_size: Size = Field(
        default=as_written("1GiB"),
        description='from "backup": the largest backup that is restored. Above it the schema alone is copied, and '
        "the rehearsal says so.",
    )
    timeout: Period = Field(
        default=as_written("10m"), description="How long all of it may take on one database, else it has failed."
    )
    statement_timeout: Period = Field(
        default=as_written("60s"), description="How long each statement may run on the copy, else it has failed."
    )
    probe_budget: Period = Field(
        default=as_written("20s"),
        description="How long production's rows may be asked, for each migration, whether they fit what it demands "
        "(read-only). What has no answer by then is said.",
    )
    queries: FilePath | None = Field(
        default=None,
        description="A file of SQL with what the running version asks, statements ended by `;`. Each is prepared on "
        "the copy before and after a migration. Not set: only what pg_stat_statements has counted is known.",
        examples=["/srv/app/queries.sql"],
    )
    tool_role: Literal["temporary", "own"] = Field(
        default="temporary",
        description='Whom tools (kind "command") run as on the copy. "temporary": as a role that owns the copy and '
        'nothing else, for which the role of the DSN needs CREATEROLE. "own": as the role of the DSN, for tools that '
        "need more than the owner of a database may.",
    )
