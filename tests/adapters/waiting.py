"""Waiting in tests: for a condition, never for a time."""

import asyncio
from collections.abc import Callable

LONG = 30.0
"""Seconds after which something will not happen any more, on a busy machine too."""


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not come to hold."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.005)
