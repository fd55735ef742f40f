"""What the wiring makes of a configuration, where no adapter's own test can see it."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bluegreen.app.world import World
from bluegreen.settings import load, read_release
from bluegreen.wiring import open_world
from tests.settings.conftest import SMALLEST


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    file = tmp_path / "bluegreen.toml"
    file.write_text(SMALLEST)
    file.chmod(0o640)
    async with open_world(load(file), tmp_path) as world:
        yield world


async def test_a_release_is_read_beside_the_loop_so_that_a_disk_that_hangs_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = []

    def read(directory: Path | None, name: str) -> object:
        readers.append(threading.current_thread())
        return read_release(directory, name)

    monkeypatch.setattr("bluegreen.wiring.read_release", read)
    assert (await world.read_release("1.1.0")).version == "1.1.0"
    assert len(readers) == 1
    assert threading.current_thread() not in readers
