"""Waits that name every reason to leave them."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar

from bluegreen.domain.errors import BluegreenError

T = TypeVar("T")


class Left(StrEnum):
    """Why a wait was left."""

    ENDED = "ended"
    STOPPED = "stopped"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Wait(Generic[T]):
    """How a wait ended; `result` only where the work did."""

    left: Left
    result: T | None = None


async def until(
    work: Coroutine[Any, Any, T], *, name: str, stop: asyncio.Event, seconds: float | None = None
) -> Wait[T]:
    """Run `work` until it ends, `stop` is set or `seconds` pass; then it is cancelled, and always awaited.

    Work that ended counts as ended, whatever came at the same time. Its BluegreenError is raised as it is, also
    out of the task groups it used; but where the caller itself is being cancelled, that goes before (a task group
    would drop it).
    """
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name=name)
            halt = group.create_task(stop.wait(), name=f"{name}:stop")
            try:
                await asyncio.wait({task, halt}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                halt.cancel()
                task.cancel()
    except BaseExceptionGroup as failures:
        if _is_cancelled():
            raise asyncio.CancelledError from failures
        raise_first(failures)
    if not task.cancelled():
        return Wait(Left.ENDED, task.result())
    return Wait(Left.STOPPED if stop.is_set() else Left.LATE)


async def woken(event: asyncio.Event, seconds: float) -> bool:
    """Return when `event` is set (True), or after `seconds` to look at the clock (False)."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def delays() -> Iterator[float]:
    """Seconds between tries that must not end: 0.2, doubled up to 5."""
    delay = 0.2
    while True:
        yield delay
        delay = min(delay * 2, 5.0)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def raise_first(failures: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise the one BluegreenError that a group stands for, else the group as it is."""
    error = first_error(failures)
    if error is None:
        raise failures
    raise error from failures


def first_error(failures: BaseExceptionGroup[BaseException]) -> BluegreenError | None:
    """The first BluegreenError of a group, where the group holds nothing else; None otherwise."""
    expected, others = failures.split(BluegreenError)
    if expected is None or others is not None:
        return None
    error: BaseException = expected
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, BluegreenError) else None
