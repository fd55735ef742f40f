"""Every test of the app runs in virtual time, on parts in memory."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.app.outside import Outside
from tests.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def outside() -> Iterator[Outside]:
    """Blue is live with 1.0.0, green is idle, users come and all is well. What must never happen is looked for after
    every test."""
    outside = Outside()
    yield outside
    assert outside.broken == []
