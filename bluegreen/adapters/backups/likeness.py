"""What belongs to a database itself and is in no dump of it: its owner, rights, settings, comment, limits.

A restored database gets these of the one it takes the place of, as that is now. Not copied: security labels, and what
our role may not copy; that is said.
"""

from dataclasses import dataclass

import asyncpg

from bluegreen.adapters.postgres.connections import Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.domain.errors import BackupFailed

own = questions(__package__, "restoring.sql")

LISTS = frozenset({
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
})  # fmt: skip
"""Settings whose value is a list of names (GUC_LIST_QUOTE in guc_tables.c; pg_dump knows the same ones)."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a database is, but for what it holds."""

    owner: str
    connection_limit: int
    tablespace: str
    comment: str | None
    grants: tuple[tuple[str | None, str, bool], ...] | None
    settings: tuple[tuple[str | None, str, str], ...]


async def look(connection: Connection, name: str) -> Likeness:
    """How that database is now. Raises BackupFailed where there is none."""
    found = await connection.fetchrow(own("likeness"), name)
    if found is None:
        raise BackupFailed(f"there is no database {name} on the server")
    grants = tuple((r["grantee"], r["privilege"], r["grantable"]) for r in await connection.fetch(own("grants"), name))
    settings = tuple((r["role"], r["name"], r["value"]) for r in await connection.fetch(own("settings"), name))
    return Likeness(
        found["owner"],
        found["connection_limit"],
        found["tablespace"],
        found["comment"],
        None if found["default_grants"] else grants,
        settings,
    )


async def dress(connection: Connection, name: str, likeness: Likeness) -> tuple[str, ...]:
    """Give that database the owner and all that lets nobody in; what our role may not give is returned, in words."""
    await connection.execute(f"ALTER DATABASE {quoted(name)} OWNER TO {quoted(likeness.owner)}")
    await connection.execute(f"ALTER DATABASE {quoted(name)} CONNECTION LIMIT {likeness.connection_limit}")
    comment = "NULL" if likeness.comment is None else _literal(likeness.comment)
    await connection.execute(f"COMMENT ON DATABASE {quoted(name)} IS {comment}")
    missing = []
    for role, setting, value in likeness.settings:
        try:
            await _set(connection, name, role, setting, value)
        except asyncpg.PostgresError as exc:
            of = f" for role {role}" if role else ""
            missing.append(f"the setting {setting} = {value}{of} was not copied: {describe(exc)}")
    return tuple(missing)


def grants(name: str, likeness: Likeness) -> tuple[str, ...]:
    """The statements that let in whoever was let in: the last thing before users come."""
    database = quoted(name)
    if likeness.grants is None:
        return (f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO PUBLIC",)
    given = (
        f"GRANT {privilege} ON DATABASE {database} TO {quoted(grantee) if grantee else 'PUBLIC'}"
        + (" WITH GRANT OPTION" if grantable else "")
        for grantee, privilege, grantable in likeness.grants
    )
    return (f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {quoted(likeness.owner)}", *given)


async def _set(connection: Connection, name: str, role: str | None, setting: str, value: str) -> None:
    whose = f"ROLE {quoted(role)} IN DATABASE {quoted(name)}" if role else f"DATABASE {quoted(name)}"
    async with connection.transaction():
        if setting in LISTS:
            await connection.execute("SELECT set_config($1, $2, true)", setting, value)
            await connection.execute(f"ALTER {whose} SET {quoted(setting)} FROM CURRENT")
        else:
            await connection.execute(f"ALTER {whose} SET {quoted(setting)} TO {_literal(value)}")


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    escaped = text.replace("'", "''").replace("\\", "\\\\")
    return f"E'{escaped}'"
