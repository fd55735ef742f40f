"""Server-sent events: a deployment's story as it happens, resumed where a client left off.

The journal is the queue: a follower reads from it as fast as its client takes the lines, so a slow client
costs one event in memory, and one that takes nothing for as long as `Budgets.send` is cut off; it resumes by
Last-Event-ID.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator

import structlog
from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.records import Event
from bluegreen.interfaces import models
from bluegreen.interfaces.budgets import BUDGETS
from bluegreen.interfaces.problems import Problem

log = structlog.get_logger(__name__)

OPEN_STREAMS: web.AppKey[dict[EventSourceResponse, str]] = web.AppKey("open_streams")
"""The streams that are open, and whose each is."""

STREAMS = 32
"""Streams that one user may hold open: more are a program gone wrong, and would shut that user's orders out."""


def begin(request: web.Request, after: int) -> int:
    """The number to go on from: the header Last-Event-ID, else `after`. Problem 400 where it is no number."""
    last = request.headers.get("Last-Event-ID")
    if last is None:
        return after
    if not (last.isascii() and last.isdigit() and len(last) < 19):
        raise Problem(400, "malformed", "Last-Event-ID must be a number that an event had as its id.")
    return int(last)


async def stream(request: web.Request, events: AsyncIterator[Event], who: str) -> web.StreamResponse:
    """Send events until the client goes or the daemon stops; Problem 429 where `who` holds too many streams."""
    open_streams = request.app[OPEN_STREAMS]
    if Counter(open_streams.values())[who] >= STREAMS:
        detail = f"{who} holds {STREAMS} streams open already."
        raise Problem(429, "too-many-streams", detail, commands=("ss -xp | grep bluegreen",))
    budgets = request.app[BUDGETS]
    async with sse_response(request, ping_interval=budgets.heartbeat, send_timeout=budgets.send) as response:
        open_streams[response] = who
        try:
            await _pump_while_connected(response, events)
        except* (ConnectionError, TimeoutError):
            pass  # the client is gone, or takes nothing: it comes back with Last-Event-ID
        except* BluegreenError as failures:  # the head is sent: an answer with a problem cannot follow it
            log.warning("stream.broken_off", reason=str(failures.exceptions[0]))
        finally:
            open_streams.pop(response, None)
    return response


async def _pump_while_connected(response: EventSourceResponse, events: AsyncIterator[Event]) -> None:
    """A client that goes away is noticed by the heartbeat also while nothing happens."""
    async with asyncio.TaskGroup() as group:
        pump = group.create_task(_pump(response, events), name="events-to-client")
        await response.wait()
        pump.cancel()


async def _pump(response: EventSourceResponse, events: AsyncIterator[Event]) -> None:
    try:
        async for event in events:
            shown = models.Event.model_validate(event)
            await response.send(shown.model_dump_json(), id=str(event.seq), event=event.name)
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()  # it waits at its last event: its follower would stay until it is collected


def close_all(app: web.Application) -> None:
    """End every stream: the daemon stops."""
    still_open = app[OPEN_STREAMS]
    for response in tuple(still_open):
        response.stop_streaming()
