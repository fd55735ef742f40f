"""How long a caller may take: whoever is slower than this is answered or cut off, and cannot tie us up."""

from dataclasses import dataclass

from aiohttp import web

BODY_LIMIT = 256 * 1024
"""Bytes that a body may have."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Seconds. `body`: for a body to arrive; `heartbeat`: between two signs of life in a stream; `send`: for a client
    of a stream to take what it is sent."""

    body: float = 5.0
    heartbeat: float = 15.0
    send: float = 10.0


BUDGETS = web.AppKey("budgets", Budgets)
