"""A database with migrations and a place for backups, on both versions of Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.sites import Site
from tests.real_parts import execute


@pytest.fixture
async def site(database: str, postgres: EmbeddedPostgres, tmp_path: Path) -> Site:
    """On Postgres 16."""
    return Site(database, tmp_path, postgres.bin_dir)


@pytest.fixture
async def site18(postgres18: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Site]:
    """On Postgres 18."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(postgres18.dsn(), f'CREATE DATABASE "{name}"')
    home = tmp_path / "site18"
    home.mkdir()
    yield Site(postgres18.dsn(name), home, postgres18.bin_dir)
    await execute(postgres18.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')
