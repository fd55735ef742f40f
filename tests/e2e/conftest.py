"""The stage of each scenario: a database of its own on the session's Postgres, everything else fresh."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.stage import Stage
from tests.e2e import ground as grounds
from tests.e2e.admin_proxy import AdminProxy
from tests.e2e.ground import Ground
from tests.e2e.stories import upgrade
from tests.e2e.yard import Yard

MakeStage = Callable[..., Stage]
MakeYard = Callable[..., Awaitable[Yard]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is end to end."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
async def make_stage(short_directory: Path, postgres: EmbeddedPostgres, database: str) -> AsyncIterator[MakeStage]:
    """Makes the stage of this test, not yet set up; taken down afterwards."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    async with AsyncExitStack() as stack:

        def make(**wishes: Any) -> Stage:
            stage = Stage(short_directory, wishes.pop("dsn", database), postgres.bin_dir, **wishes)
            stack.push_async_callback(stage.tear_down)
            return stage

        yield make


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    """A stage with Caddy, release 1.0.0 on blue, and the daemon."""
    stage = make_stage()
    await stage.set_up()
    await stage.start_daemon()
    return stage


@pytest.fixture
async def make_yard(short_directory: Path) -> AsyncIterator[MakeYard]:
    """Makes the yard of this test: everything in it runs, and is armed in mode "pointer"; taken down afterwards."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    async with AsyncExitStack() as stack:

        async def make(**wishes: Any) -> Yard:
            return await stack.enter_async_context(Yard(short_directory, **wishes).running())

        yield make


@pytest.fixture
async def proxy(short_directory: Path) -> AsyncIterator[AdminProxy]:
    """A proxy before the admin endpoint of this test's Caddy."""
    async with AdminProxy(f"unix/{short_directory / 'caddy' / 'admin.sock'}").running() as running:
        yield running


@pytest.fixture(scope="session")
def ground(postgres: EmbeddedPostgres) -> Iterator[Ground]:
    """One Caddy and one Postgres for all daemons that are struck, and a world that was upgraded once."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    with tempfile.TemporaryDirectory(prefix="ground-") as name, grounds.ground(Path(name), postgres) as made:
        asyncio.run(upgrade(made))
        yield made
