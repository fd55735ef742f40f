"""How long a caller may take: whoever is slower than this is answered or cut off, and cannot tie us up."""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

BODY_LIMIT = 256 * 1024
"""Bytes that a body may have."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Seconds. `body`: for a body to arrive; `heartbeat`: between two signs of life in a stream; `send`: for a client
    to take what it is sent."""

    body: float = 5.0
    heartbeat: float = 15.0
    send: float = 10.0


BUDGETS = web.AppKey("budgets", Budgets)


@web.middleware
async def send_in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Cut off a client that does not take its answer: else both would stay in memory for as long as it likes."""
    response = await handler(request)
    try:
        async with asyncio.timeout(request.app[BUDGETS].send):
            await response.prepare(request)
            await response.write_eof()
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
    return response
