"""Work that must not be cut off in the middle: a CREATE INDEX CONCURRENTLY, an external tool, a line in the ledger."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bluegreen.domain.errors import BluegreenError

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T], name: str) -> T:
    """Do the work to its end, also when we are cancelled meanwhile: then CancelledError is raised after it, from its
    error if it failed.

    The work must bound itself, and raise nothing but errors of the domain.
    """
    cancelled: asyncio.CancelledError | None = None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_kept(work), name=name)
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as exc:
                cancelled = exc
    result = task.result()
    error = result if isinstance(result, BluegreenError) else None
    if cancelled is not None:
        raise cancelled from error
    if isinstance(result, BluegreenError):
        raise result
    return result


async def _kept(work: Coroutine[Any, Any, T]) -> T | BluegreenError:
    try:
        return await work
    except BluegreenError as exc:
        return exc  # raised inside, it would make the group cancel us and wrap it
