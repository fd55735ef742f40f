"""The ledger: which migration was done to this database, when, for whom. It lies in schema `bluegreen` of the database.

It is made by the first thing that writes it; readers of a database without one find it empty.
"""

import json
import os
import socket
from dataclasses import dataclass

import asyncpg

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import query, script
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import Applied, Migration, MigrationKind, MigrationPhase

VERSION = 2
SCRIPT = "ledger_{}.sql"
"""What brings a ledger to that version from the one before it; the first one makes it."""

STAMPED = 2
"""The first version that knows how the schema was after the last migration."""

FINISHED = ("done", "skipped")

Key = tuple[str, str, MigrationPhase]


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one migration; `meaning` as in Migration."""

    applied: Applied
    mode: str
    meaning: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether the next statement was begun, and its end is not known."""
        return self.applied.in_flight

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.applied.state in FINISHED


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written of one migration. `statements_done`, `in_flight` None, `hash_before` "": as the ledger has
    it. `rehearsal` is JSON."""

    state: str
    statements_done: int | None = None
    in_flight: bool | None = None
    error: str = ""
    output: str = ""
    new_attempt: bool = False
    hash_before: str = ""
    rehearsal: str | None = None


def key(migration: Migration) -> Key:
    """What is unique in the ledger."""
    return migration.source, migration.version, migration.phase


def mode(migration: Migration) -> str:
    """How a migration runs."""
    if not migration.file:
        return "command"
    if migration.phase is MigrationPhase.BACKFILL:
        return "batches"
    return "transaction" if migration.transactional else "statements"


def owner() -> str:
    """Who writes: this host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def version(connection: Connection) -> int:
    """Which ledger this database has; 0 for none. MigrationFailed where a newer bluegreen made it."""
    if await connection.fetchval("SELECT to_regclass('bluegreen.meta')") is None:
        return 0
    found = int(await connection.fetchval("SELECT version FROM bluegreen.meta"))
    if found > VERSION:
        raise MigrationFailed(
            f"the ledger (schema bluegreen) has version {found}, this program knows {VERSION}:"
            " a newer bluegreen was here; run that one",
            found=found,
        )
    return found


async def ensure(connection: Connection) -> None:
    """Make the ledger, or bring it to this version; the migration lock must be held."""
    found = await version(connection)
    if found == VERSION:
        return
    try:
        async with connection.transaction():
            if not found and await connection.fetchval("SELECT to_regnamespace('bluegreen')") is None:
                await connection.execute("CREATE SCHEMA bluegreen")
            for newer in range(found + 1, VERSION + 1):
                await connection.execute(script(__package__, SCRIPT.format(newer)))
    except asyncpg.InsufficientPrivilegeError as exc:
        raise MigrationFailed(
            f"the ledger cannot be made: {exc}",
            next=("as a superuser: CREATE SCHEMA bluegreen AUTHORIZATION the_role_of_the_dsn",),
        ) from exc


async def rows(connection: Connection, database: str) -> dict[Key, Row]:
    """The whole ledger in the order applied; empty where there is none."""
    if not await version(connection):
        return {}
    found = [_row(record, database) for record in await connection.fetch(query("ledger_rows"))]
    return {(row.applied.source, row.applied.version, row.applied.phase): row for row in found}


async def head(connection: Connection) -> str:
    """The label of the migration that was done last; empty without one."""
    if not await version(connection):
        return ""
    return await connection.fetchval(query("ledger_head")) or ""


async def write(connection: Connection, migration: Migration, deployment: str, release: str, entry: Entry) -> bool:
    """Write one row; False where the ledger has this migration as done already, which is never overwritten."""
    written = await connection.fetchval(
        query("ledger_write"),
        *(migration.source, migration.version, migration.phase.value, migration.checksum, mode(migration)),
        *(entry.state, max(migration.statements, 1), entry.statements_done, entry.in_flight),
        *(deployment, release, owner()),
        *(entry.error, entry.output, int(entry.new_attempt)),
        *(migration.meaning, entry.hash_before, entry.rehearsal),
    )
    return written is not None


async def write_as_ourselves(
    connection: Connection, migration: Migration, deployment: str, release: str, entry: Entry
) -> None:
    """Write one row inside the transaction of a migration, which may have changed the role. MigrationFailed where
    another session had it done meanwhile: both cannot have happened, so this transaction must not commit."""
    await connection.execute("SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE")
    if not await write(connection, migration, deployment, release, entry):
        raise MigrationFailed(f"{migration.label}: somebody else applied it meanwhile")


def _row(record: asyncpg.Record, database: str) -> Row:
    gate, accepted = _rehearsed(record["rehearsal"])
    applied = Applied(
        database=database,
        source=record["source"],
        version=record["version"],
        phase=MigrationPhase(record["phase"]),
        state=record["state"],
        deployment=record["deployment"],
        checksum=record["checksum"],
        statements_total=record["statements_total"],
        statements_done=record["statements_done"],
        finished_at=record["finished_at"],
        error=record["error"],
        release=record["release"],
        kind=MigrationKind.COMMAND if record["mode"] == "command" else MigrationKind.SQL,
        gate=gate,
        accepted=accepted,
        in_flight=record["in_flight"],
    )
    return Row(applied, record["mode"], record["meaning"])


def _rehearsed(kept: str | None) -> tuple[str, tuple[str, ...]]:
    """What the rehearsal of a migration said, and the kinds of findings that its file took all the same."""
    if not kept:
        return "", ()
    findings = json.loads(kept).get("findings", [])
    accepted = {finding["kind"]: finding["gate"] for finding in findings if finding.get("accepted")}
    weights = [Gate.WARN if finding.get("accepted") else Gate(finding["gate"]) for finding in findings]
    return Gate.worst(weights), tuple(kind for kind, gate in accepted.items() if gate == Gate.REFUSE)
