"""Work that blocks and cannot be broken off, in a thread of its own.

Not in the event loop's few threads: work that hangs there would soon hold all of them, and files are written there
too. And a thread of an executor is waited for when the program ends; these are not.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T], name: str) -> "asyncio.Future[T]":
    """What comes of it, or its error. Wait for it with asyncio.shield, within a budget; whoever no longer does leaves
    the thread behind until the work is done, so see to it that there is no second one."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def fail(error: Exception) -> None:
        future.set_exception(error)
        future.exception()  # where nobody waits any more, it is nobody's business

    def run() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            try:
                found = work()
            except Exception as exc:  # noqa: BLE001 - handed on to whoever waits
                loop.call_soon_threadsafe(fail, exc)
            else:
                loop.call_soon_threadsafe(future.set_result, found)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
