"""A database beside the real one, on the same server, for the time of one test: made empty, always dropped.

Its name says whose it is; an advisory lock of that name, held by who made it, says whether he still lives. So what a
killed daemon left is found and dropped by the next attempt, and what another daemon uses right now is not touched.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg

from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.errors import BackupFailed, OutsideError
from bluegreen.finishing import to_the_end

PREFIX = "bluegreen_scratch_"
LONGEST = 63
"""Bytes of a name in Postgres."""

PATIENCE, POLL = 10.0, 0.25
"""Seconds to wait for a name that somebody uses."""

TIMEOUT = 120.0
"""Seconds to make or drop a database: both force a checkpoint."""


def scratch_name(project: str, database: str, purpose: str) -> str:
    """The name for this project, database and purpose, in at most 63 bytes."""
    slug = re.sub(r"[^a-z0-9]+", "_", purpose.lower()).strip("_")
    return (family(project, database) + slug)[:LONGEST]


def family(project: str, database: str) -> str:
    """What the names of all scratch databases of this project and database begin with."""
    return f"{PREFIX}{hashlib.sha256(f'{project}/{database}'.encode()).hexdigest()[:8]}_"


@asynccontextmanager
async def scratch(
    access: Access,
    admin_database: str,
    project: str,
    database: str,
    purpose: str,
    *,
    failure: type[OutsideError] = BackupFailed,
    owner: str = "",
) -> AsyncIterator[Access]:
    """An empty database like that of `access`, which nobody but its owner may enter: us, or the role `owner` of which
    we must be a member. Raises `failure`."""
    name = scratch_name(project, database, purpose)
    admin = access.to(admin_database)
    async with admin.session(failure=failure, settings={"tcp_keepalives_idle": "60"}) as connection:
        await connection.execute(query("settings"), "0")
        await drop_leftovers(connection, project, database)
        await take(connection, name, failure)
        first: OutsideError | None = None
        try:
            await _create(connection, name, access, owner, failure)
            yield access.to(name)
        except OutsideError as exc:
            first = exc
            raise
        finally:
            await to_the_end(_drop(admin, name, first, failure), f"dropping {name}")


async def drop_leftovers(
    connection: Connection, project: str, database: str, stuck: list[str] | None = None
) -> tuple[str, ...]:
    """Drop what dead makers left of this project and database; returns their names. What cannot be dropped (the DSN has
    another role now, a tool left a prepared transaction there) keeps nobody from working; it is told in `stuck`."""
    names = await connection.fetch(
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1", family(project, database)
    )
    dropped = []
    for name in (record["datname"] for record in names):
        if not await owned(connection, name):
            continue
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', timeout=TIMEOUT)
            dropped.append(name)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError) as exc:
            (stuck if stuck is not None else []).append(f'DROP DATABASE "{name}": {exc}')
        await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
    return tuple(dropped)


async def owned(connection: Connection, name: str) -> bool:
    """Whether nobody else alive made this name; if so, it is this connection's for as long as it lives."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name))


async def _create(connection: Connection, name: str, access: Access, owner: str, failure: type[OutsideError]) -> None:
    statement = await connection.fetchval(query("create_scratch"), name, access.dsn.database)
    try:
        await connection.execute(statement + (f' OWNER "{owner}"' if owner else ""), timeout=TIMEOUT)
    except asyncpg.InsufficientPrivilegeError as exc:
        raise failure(
            f"a scratch database is needed, and the role may not make one: {exc}",
            next=("ALTER ROLE the_role_of_the_dsn CREATEDB", *_ways_around(failure)),
        ) from exc
    await connection.execute(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC')
    await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def _ways_around(failure: type[OutsideError]) -> tuple[str, ...]:
    return ('or [backup] verify = "decode"',) if failure is BackupFailed else ()


async def take(connection: Connection, name: str, failure: type[OutsideError]) -> None:
    """Make a name this connection's. Who sweeps has it for a moment; a maker that was killed is gone as soon as the
    server notices, at the latest after the statement it is in. Raises `failure` where somebody keeps it."""
    deadline = monotonic() + PATIENCE
    while not await owned(connection, name):
        if monotonic() >= deadline:
            raise failure(f"another daemon uses {name}")
        await asyncio.sleep(POLL)


async def _drop(admin: Access, name: str, first: OutsideError | None, failure: type[OutsideError]) -> None:
    try:
        async with admin.session(failure=failure) as connection:  # the one that made it may be broken by now
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', timeout=TIMEOUT)
    except OutsideError as second:
        before = f"{first.detail}; and " if first else ""
        raise failure(
            f"{before}the scratch database {name} could not be dropped (the next one who needs one tries again):"
            f" {second.detail}"
        ) from (first or second)
