"""Every test of the app runs in virtual time."""

import asyncio
from collections.abc import Callable

from tests.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualTimeLoop}
