"""The route that gives the samples of a deployment: one JSON object a line, as `bluegreen replay` reads them."""

import asyncio

import structlog
from aiohttp import web

from bluegreen.domain.errors import BluegreenError
from bluegreen.interfaces.answers import SERVICE
from bluegreen.interfaces.budgets import BUDGETS
from bluegreen.interfaces.recordings import line_of

PIECE = 256 * 1024
"""Bytes that are sent at a time."""

log = structlog.get_logger(__name__)


async def samples(request: web.Request) -> web.StreamResponse:
    """Everything that counted in a deployment's trial, one sample a line, as `bluegreen replay` reads it."""
    found = await request.app[SERVICE].samples(request.match_info["id"])
    response = web.StreamResponse()
    response.content_type, response.charset = "text/plain", "utf-8"
    await response.prepare(request)
    piece = bytearray()
    try:
        async for sample in found:
            piece += line_of(sample)
            if len(piece) >= PIECE:
                await _send(request, response, piece)
        await _send(request, response, piece)
    except (ConnectionError, TimeoutError):
        _break_off(request)
    except BluegreenError as exc:  # the head is sent: an answer with a problem cannot follow it
        log.warning("samples.broken_off", reason=exc.detail)
        _break_off(request)
    return response


async def _send(request: web.Request, response: web.StreamResponse, piece: bytearray) -> None:
    """Send what was gathered; TimeoutError where the client does not take it."""
    async with asyncio.timeout(request.app[BUDGETS].send):
        await response.write(bytes(piece))
    piece.clear()


def _break_off(request: web.Request) -> None:
    """An answer that ended short must not look like a whole one."""
    if request.transport is not None:
        request.transport.abort()
