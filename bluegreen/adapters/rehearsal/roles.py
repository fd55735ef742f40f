"""A role for the time of one rehearsal: it owns the copy and nothing else, so that a tool which goes to production all
the same cannot change what is there.

Roles belong to the whole server. Its name says whose it is, like a scratch database's; it is dropped always.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg

from bluegreen.adapters.postgres.connections import Access, Connection, describe
from bluegreen.adapters.postgres.scratch import LONGEST, PREFIX, drop_leftovers, family, owned, scratch_name, take
from bluegreen.domain.errors import OutsideError, RehearsalFailed
from bluegreen.finishing import to_the_end

ROLE_PREFIX = "bluegreen_rehearsal_"

WAITING = {"tcp_keepalives_idle": "60", "idle_session_timeout": "0"}
"""For a session that says nothing while others work, and must not be ended for it."""

CONNECTIONS = 20
"""How many a tool may open."""


@dataclass(frozen=True, slots=True)
class Login:
    """A role that may log in."""

    name: str
    password: str = field(repr=False)

    def to(self, access: Access) -> Access:
        """The same database for this role."""
        return replace(access, dsn=access.dsn.login(self.name, self.password))


@asynccontextmanager
async def temporary_role(
    access: Access, admin_database: str, project: str, database: str, purpose: str
) -> AsyncIterator[Login]:
    """A role of which we are a member, and that is no member of any. Raises RehearsalFailed, also where it cannot be
    dropped again: then it owns something outside of its copy, which is worth a human's look."""
    name = _renamed(scratch_name(project, database, purpose))
    login = Login(name, secrets.token_urlsafe(24))
    admin = access.to(admin_database)
    async with admin.session(failure=RehearsalFailed, settings=WAITING) as connection:
        await _drop_roles(connection, project, database, [])
        await take(connection, name, RehearsalFailed)
        first: OutsideError | None = None
        try:
            await _create(connection, login, access.dsn.database)
            yield login
        except OutsideError as exc:
            first = exc
            raise
        finally:
            await to_the_end(_drop(admin, name, first), f"dropping role {name}")


async def sweep(access: Access, admin_database: str, project: str, database: str) -> tuple[str, ...]:
    """Drop the scratch databases and the roles that dead makers left, those of backups too; returns their names.
    Raises RehearsalFailed."""
    async with access.to(admin_database).session(failure=RehearsalFailed) as connection:
        stuck: list[str] = []
        dropped = await drop_leftovers(connection, project, database, stuck)
        dropped += await _drop_roles(connection, project, database, stuck)
    if stuck:
        raise RehearsalFailed(
            f"what killed rehearsals left of {database} could not all be dropped: {'; '.join(stuck)}",
            next=tuple(f"as a superuser: {text.partition(': ')[0]}" for text in stuck),
        )
    return dropped


def _renamed(scratch: str) -> str:
    return (ROLE_PREFIX + scratch.removeprefix(PREFIX))[:LONGEST]


async def _create(connection: Connection, login: Login, production: str) -> None:
    await connection.execute(
        f"CREATE ROLE \"{login.name}\" LOGIN CONNECTION LIMIT {CONNECTIONS} PASSWORD '{login.password}'"
    )
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute(f'GRANT "{login.name}" TO CURRENT_USER')
    quoted = production.replace('"', '""')
    # Where PUBLIC may enter production and make tables there (as in clusters older than 15), this role reads only.
    await connection.execute(f'ALTER ROLE "{login.name}" IN DATABASE "{quoted}" SET default_transaction_read_only = on')


async def _drop_roles(connection: Connection, project: str, database: str, stuck: list[str]) -> tuple[str, ...]:
    names = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY 1", _renamed(family(project, database))
    )
    dropped = []
    for name in (record["rolname"] for record in names):
        if not await owned(connection, name):
            continue
        try:
            await connection.execute(f'DROP ROLE IF EXISTS "{name}"')
            dropped.append(name)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.DependentObjectsStillExistError) as exc:
            stuck.append(f'DROP ROLE "{name}": {describe(exc)}')
        await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
    return tuple(dropped)


async def _drop(admin: Access, name: str, first: OutsideError | None) -> None:
    try:
        async with admin.session(failure=RehearsalFailed) as connection:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", name)
            await _drop_now(connection, name)
    except OutsideError as second:
        before = f"{first.detail}; and " if first else ""
        raise RehearsalFailed(f"{before}{second.detail}", next=second.next) from (first or second)


async def _drop_now(connection: Connection, name: str) -> None:
    try:
        await connection.execute(f'DROP ROLE IF EXISTS "{name}"')
    except asyncpg.DependentObjectsStillExistError as exc:
        raise RehearsalFailed(
            f"the tool left things outside of its copy, so it does not keep to the DSN that it is given: the temporary"
            f" role {name} cannot be dropped: {exc.detail}",
            next=(f'in each database named: DROP OWNED BY "{name}"', f'DROP ROLE "{name}"'),
        ) from exc
