"""Blocking work on a disk, in a few threads of its own: a disk that hangs keeps them, and takes none from anybody else.

The loop's own threads (six on two cores) resolve names and write the cutback card: a look a second at a file that hangs
would have them all within seconds, and the way back past that file with them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AT_MOST = 4
"""Threads; what finds none waits for one, and is dropped when its caller gives up."""


class OwnThreads:
    """Threads under `name`, begun as they are needed."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(AT_MOST, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, or raises. Cancelled, work that has begun goes on by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def join(self) -> None:
        """Wait for what has begun, for tests; nothing runs afterwards. Blocks."""
        self._pool.shutdown()
