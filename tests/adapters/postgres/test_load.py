"""Whose connections are open, counted on a real server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from bluegreen.domain.traffic import Colour
from tests.adapters.sites import Site
from tests.real_parts import execute

pytestmark = pytest.mark.real

BLUE, GREEN = Colour


@asynccontextmanager
async def sessions(dsn: str, *names: str) -> AsyncIterator[None]:
    """Open sessions of these application_names."""
    async with AsyncExitStack() as stack:
        for name in names:
            connection = await asyncpg.connect(dsn, server_settings={"application_name": name})
            stack.push_async_callback(connection.close)
        yield


@pytest.fixture(params=["site", "site18"])
def server(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


async def test_a_colours_connections_are_known_by_their_name(server: Site) -> None:
    mark = uuid4().hex[:8]
    database = server.database(colour_sessions={BLUE: f"blue-{mark}*", GREEN: f"green-{mark}"})
    before = await database.connections()
    async with sessions(server.dsn, f"blue-{mark}-web", f"blue-{mark}-api", f"green-{mark}", "psql"):
        found = await database.connections()
    assert before.open == {BLUE: 0, GREEN: 0}
    assert found.open == {BLUE: 2, GREEN: 1}
    assert found.others >= 1
    assert found.free == found.limit - found.reserved - found.used


async def test_what_the_server_reserves_is_read_from_it(server: Site) -> None:
    facts, found = await server.database().facts(), await server.database().connections()
    assert (found.limit, found.reserved) == (facts.max_connections, facts.reserved)
    assert facts.reserved == 3
    assert facts.connections >= 1


async def test_an_ordinary_role_counts_the_same_and_none_of_the_servers_own_processes(server: Site) -> None:
    role, mark = f"r_{uuid4().hex[:8]}", uuid4().hex[:8]
    await execute(server.dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    url = urlsplit(server.dsn)
    server_dsn, server.dsn = (
        server.dsn,
        urlunsplit(url._replace(netloc=f"{role}:x@{url.netloc.rpartition('@')[2]}")),
    )
    try:
        names = {BLUE: f"blue-{mark}"}
        async with sessions(server_dsn, f"blue-{mark}"):
            by_ordinary = await server.database(colour_sessions=names).connections()
        assert by_ordinary.open == {BLUE: 1}
        assert by_ordinary.others < 5, "checkpointer, writers and launchers are no connections"
    finally:
        await execute(server_dsn, f"DROP ROLE {role}")
