"""Stands between the daemon and Caddy's admin socket and notes when a change arrives and when it is answered.

It serves one request per connection, as the balancer sends them, and reads no more of it than it must. What it adds
to the read before the change is counted against us.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

LENGTH = re.compile(rb"(?i)content-length: (\d+)")


@dataclass(frozen=True, slots=True)
class Change:
    """When a PATCH arrived and when Caddy's answer to it did, in monotonic seconds."""

    arrived: float
    answered: float


class Stopwatch:
    """A proxy from the Unix socket `outer` to the Unix socket `inner`."""

    def __init__(self, inner: Path, outer: Path) -> None:
        self._inner, self._outer = inner, outer
        self._changes: asyncio.Queue[Change] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stopwatch"]:
        """Serve until left."""
        server = await asyncio.start_unix_server(self._serve, self._outer)
        try:
            yield self
        finally:
            server.close()

    async def next_change(self, timeout: float) -> Change:
        """The first change not yet taken; waits `timeout` seconds for it (TimeoutError)."""
        async with asyncio.timeout(timeout):
            return await self._changes.get()

    def forget(self) -> None:
        """Drop the changes that were not taken."""
        while not self._changes.empty():
            self._changes.get_nowait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # a daemon that is stopped asks no further
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived = monotonic()
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        answer = await self._ask(head + body)
        if head.startswith(b"PATCH"):
            self._changes.put_nowait(Change(arrived, monotonic()))
        writer.write(answer)
        await writer.drain()

    async def _ask(self, request: bytes) -> bytes:
        first, _, rest = request.partition(b"\r\n")
        reader, writer = await asyncio.open_unix_connection(self._inner)
        try:
            writer.write(first + b"\r\nConnection: close\r\n" + rest)
            return await reader.read()
        finally:
            writer.close()
