"""Waiting in tests: for a condition, never for a time; and for processes that come and go."""

import asyncio
from collections.abc import Callable
from pathlib import Path

LONG = 30.0
"""Seconds after which something will not happen any more, on a busy machine too."""


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not come to hold."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.005)


def running(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def pid_in(file: Path) -> int:
    """The pid that a command writes into a file, with a line's end."""
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())
