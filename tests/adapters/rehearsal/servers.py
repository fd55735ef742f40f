"""The populated shop on one server, and copies of it: made in a moment, each for one migration."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import uuid4

import asyncpg

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.rehearsal.cases import ROLES, schema
from tests.real_parts import execute

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

TEMPLATE = "shop_template"


class Shops:
    """One server with the shop as a template."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.major = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Shops"]:
        """With the roles and the template, made afresh and removed afterwards."""
        await self._remove()
        for role in ROLES:
            await execute(self.server.dsn(), f"CREATE ROLE {role} LOGIN")
        await execute(self.server.dsn(), f'CREATE DATABASE "{TEMPLATE}"')
        async with self.connected(TEMPLATE) as connection:
            self.major = connection.get_server_version().major
            await connection.execute(schema())
            await connection.execute("ANALYZE")
        try:
            yield self
        finally:
            await self._remove()

    async def _remove(self) -> None:
        await execute(self.server.dsn(), f'DROP DATABASE IF EXISTS "{TEMPLATE}"')
        for role in ROLES:
            await execute(self.server.dsn(), f"DROP ROLE IF EXISTS {role}")

    @asynccontextmanager
    async def copy(self) -> AsyncIterator[str]:
        """The name of a populated copy, dropped afterwards with whoever is still in it."""
        name = f"shop_{uuid4().hex[:12]}"
        await execute(self.server.dsn(), f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
        try:
            yield name
        finally:
            await execute(self.server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')

    @asynccontextmanager
    async def connected(self, database: str, role: str = "postgres") -> AsyncIterator[Connection]:
        """A connection of its own, ended afterwards."""
        connection = await asyncpg.connect(
            self.server.dsn(database, role),
            timeout=10.0,
            command_timeout=30.0,
            statement_cache_size=0,
            server_settings={"jit": "off"},
        )
        try:
            yield connection
        finally:
            await connection.close(timeout=10.0)
