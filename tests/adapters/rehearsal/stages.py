"""A production to rehearse on, for the tests of rehearsals: who its role is, and what came of a rehearsal."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from bluegreen.adapters.postgres.catalogue import fingerprint
from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.findings import FileVerdict, Rehearsal
from bluegreen.domain.migrations import Backup, MigrationPhase
from tests.adapters.sites import RELEASE, Site
from tests.real_parts import execute

PHASES = (MigrationPhase.EXPAND,)


async def rehearse(
    site: Site,
    *,
    phases: tuple[MigrationPhase, ...] = PHASES,
    backup: Backup | None = None,
    files: Mapping[str, str] | None = None,
    **rules: Any,
) -> Rehearsal:
    """A rehearsal of all that is pending; whatever it says, production is what it was, and nothing of it is left."""
    before = await look(site)
    database = site.database(rehearsal=RehearsalRules(**rules))
    try:
        return await database.rehearse(RELEASE, phases, "test", backup=backup, files=files)
    finally:
        assert await leftovers(site) == []
        assert await look(site) == before


async def look(site: Site) -> str:
    """The hash of production's catalogue."""
    connection = await site.connect()
    try:
        return await fingerprint(connection)
    finally:
        await connection.close(timeout=10.0)


async def leftovers(site: Site) -> list[str]:
    """The databases and roles of rehearsals that are there."""
    found: list[str] = await site.value(
        "SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM (SELECT datname::text AS name FROM pg_database"
        " UNION ALL SELECT rolname::text FROM pg_roles) AS names WHERE name ~ '^bluegreen_(scratch|rehearsal)_'"
    )
    return found


def kinds(verdict: FileVerdict) -> set[str]:
    """What was found, but for the locks that every DDL takes."""
    return {finding.kind for finding in verdict.findings} - {"lock"}


async def owned(site: Site, server: EmbeddedPostgres, rights: str, bin_dir: Any = None) -> Site:
    """The site for a role that is no superuser, owns the database and has these rights ("CREATEDB CREATEROLE"). The
    role stays until the server goes: it owns nothing but the test's database."""
    role, name = f"app_{uuid4().hex[:8]}", site.dsn.rpartition("/")[2]
    await execute(server.dsn(), f"CREATE ROLE {role} LOGIN {rights}; ALTER DATABASE {name} OWNER TO {role}")
    home = site.home / role
    home.mkdir()
    return Site(server.dsn(name, role), home, bin_dir or site.bin_dir)
