"""Whether the path of the operators' socket still leads to us.

Outside fact: a socket whose path is deleted or replaced goes on listening, and nobody can reach it any more (unix(7)).
"""

import asyncio
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two looks."""

NEXT = ("systemctl restart bluegreen", "bluegreen cutback --offline")


async def watch_socket(path: Path, every: float = LOOK_EVERY) -> None:
    """Say in the log when the socket at `path` is gone or another's, and when it is back; never ends by itself.

    It is not made anew: what stands there now may be somebody's, and a restart loses nothing.
    """
    ours, was = await asyncio.to_thread(_identity, path), True
    while True:
        await asyncio.sleep(every)
        found = await asyncio.to_thread(_identity, path)
        if was and found != ours:
            reason = "it was deleted" if found is None else "something else stands there"
            log.error("socket.lost", socket=str(path), reason=reason, next=NEXT)
        elif found == ours and not was:
            log.info("socket.regained", socket=str(path))
        was = found == ours


def _identity(path: Path) -> tuple[int, int] | None:
    """Names the file at a path; None where there is none that we may see."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
