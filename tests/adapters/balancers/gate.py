"""A gate between the balancer and Caddy's admin endpoint: real sockets on both sides, and faults on demand.

It serves one request per connection, as the balancer sends them, and does to the next PATCHes what it is
told.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bluegreen.adapters.balancers.memory import Fault

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SILENCE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Address:
    """`unix//path` or `http://127.0.0.1:port`, as in bluegreen.toml."""

    admin: str

    @property
    def socket(self) -> str:
        return self.admin.removeprefix("unix/")

    @property
    def port(self) -> int:
        return int(self.admin.rpartition(":")[2])

    async def connect(self) -> Streams:
        if self.admin.startswith("unix/"):
            return await asyncio.open_unix_connection(self.socket)
        return await asyncio.open_connection("127.0.0.1", self.port)


DROPPED = 0
"""Instead of a status: Caddy closed the connection without an answer, as it does with a few right after its start."""


class Gate:
    """Forwards requests to Caddy; `statuses` is what Caddy answered to PATCHes, whoever heard it."""

    def __init__(self, inner: Address, outer: Address, meddle: Callable[[], Awaitable[object]]) -> None:
        self._inner, self._outer, self._meddle = inner, outer, meddle
        self._server: asyncio.Server | None = None
        self.faults: deque[Fault] = deque()
        self.held: list[bytes] = []
        self.statuses: list[int] = []

    async def __aenter__(self) -> "Gate":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        if self._outer.admin.startswith("unix/"):
            self._server = await asyncio.start_unix_server(self._serve, self._outer.socket)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._outer.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def land(self) -> None:
        """Send what was held back."""
        held, self.held = self.held, []
        for request in held:
            await self.forward(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._request(reader)
            answer = await self._answer(request) if request else b""
            if answer is None:
                await reader.read()  # until the client gives up
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        head = re.sub(rb"(?im)^host: .*\r\n", b"", head)
        first, _, rest = head.partition(b"\r\n")
        host = self._inner.admin.removeprefix("http://") if self._inner.admin.startswith("http") else "caddy"
        return first + f"\r\nHost: {host}\r\nConnection: close\r\n".encode() + rest + body

    async def _answer(self, request: bytes) -> bytes | None:
        """What the client gets: None for nothing at all, b"" for a connection that closes."""
        if not request.startswith(b"PATCH"):
            return await self.forward(request)
        fault = self.faults.popleft() if self.faults else None
        match fault:
            case Fault.LANDS_LATE:
                self.held.append(request)
                return None
            case Fault.LOST_WITHOUT_EFFECT:
                return b""
            case Fault.LOST_WITH_EFFECT:
                await self.forward(request)
                return b""
            case Fault.NO_EFFECT:
                return SILENCE
            case Fault.REFUSED:
                return await self.forward(_spoilt(request))
            case Fault.FOREIGN_CHANGE:
                await self._meddle()
        return await self.forward(request)

    async def forward(self, request: bytes) -> bytes:
        reader, writer = await self._inner.connect()
        try:
            writer.write(request)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        if request.startswith(b"PATCH"):
            self.statuses.append(int(answer.split()[1]) if answer else DROPPED)
        return answer


def _spoilt(request: bytes) -> bytes:
    """The same request with a field that Caddy does not know, of the same length as one that it does."""
    return request.replace(b'"dial"', b'"dail"')
