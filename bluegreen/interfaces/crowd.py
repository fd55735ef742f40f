"""Who holds how many connections, and how what is no HTTP is answered.

Outside facts: everybody may connect to our socket, and a process has 1,024 descriptors where nobody gave it more
(getrlimit(2)), which the cutback needs too; asyncio accepts as many connections in one turn as its `backlog` says;
a transport that is closed keeps its descriptor until its peer has read what was written, one that is aborted does
not; aiohttp logs a traceback for each request that is no HTTP (all seen, Python 3.11, aiohttp 3.14).
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Hashable

from aiohttp import web

from bluegreen.interfaces.peers import Peer
from bluegreen.interfaces.problems import Problem

CONNECTIONS = 200
"""Connections that one listener holds; three listeners leave most of 1,024 descriptors to the daemon's work."""

ACCEPTED_AT_ONCE = 16
"""Connections accepted in one turn of the loop, before any of them is counted."""

WAITING = 1024
"""Connections that the kernel keeps in the queue: 200 at once overflow the usual 128 (measured)."""


class Crowd:
    """The open connections of one listener, the oldest first.

    Where there are too many, whoever holds the most gives one up: its oldest that asks nothing, else its newest.
    So a newcomer is let in whatever others hold, and one who asks at once is answered.
    """

    def __init__(self, limit: int = CONNECTIONS) -> None:
        self._limit = limit
        self._open: dict[Connection, Hashable] = {}

    def enter(self, connection: "Connection", sender: Hashable) -> None:
        """Take a connection in, and drop one where that is one too many."""
        self._open[connection] = sender
        if len(self._open) > self._limit:
            self._victim().drop()

    def leave(self, connection: "Connection") -> None:
        """It is closed; harmless twice."""
        self._open.pop(connection, None)

    def _victim(self) -> "Connection":
        ((greediest, _),) = Counter(self._open.values()).most_common(1)
        theirs = [connection for connection, sender in self._open.items() if sender == greediest]
        return next((connection for connection in theirs if connection.silent), theirs[-1])


class Connection(web.RequestHandler):
    """One connection: counted, dropped when it must be, and answered in our words also where it speaks no HTTP."""

    __slots__ = ("_crowd",)

    def __init__(self, server: web.Server, crowd: Crowd, *, loop: asyncio.AbstractEventLoop, idle: float) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say "none"
            keepalive_timeout=idle,
            lingering_time=1.0,
            auto_decompress=False,  # a compressed body would be a way around the size limit
        )
        self._crowd = crowd

    @property
    def silent(self) -> bool:
        """True while it asks nothing: no whole request came, or all were answered."""
        return not self._request_in_progress and not self._messages

    def drop(self) -> None:
        """Close it at once, also when its peer does not read."""
        self._crowd.leave(self)
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._crowd.enter(self, _sender(transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._crowd.leave(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP request; logged is only what is our own fault."""
        if status >= web.HTTPInternalServerError.status_code or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        return Problem(status, "malformed", "This is no valid HTTP request.", close=True).response()


class Listening(web.BaseSite):
    """Serves the runner's application on a bound socket, to a bounded crowd."""

    __slots__ = ("_idle", "_sock")

    def __init__(self, runner: web.AppRunner, sock: socket.socket, *, idle: float) -> None:
        super().__init__(runner, backlog=ACCEPTED_AT_ONCE)
        self._sock, self._idle = sock, idle

    @property
    def name(self) -> str:
        """Where it listens."""
        return str(self._sock.getsockname())

    async def start(self) -> None:
        """Begin to accept."""
        await super().start()
        loop, crowd, server = asyncio.get_running_loop(), Crowd(), self._runner.server
        if server is None:
            raise RuntimeError("set the runner up first")

        def connection() -> Connection:
            return Connection(server, crowd, loop=loop, idle=self._idle)

        self._server = await loop.create_server(connection, sock=self._sock, backlog=ACCEPTED_AT_ONCE)
        self._sock.listen(WAITING)


def _sender(transport: asyncio.BaseTransport) -> Hashable:
    """Who is at the other end: the user on a Unix socket, the address on TCP; None where that cannot be said."""
    connection = transport.get_extra_info("socket")
    try:
        if connection.family == socket.AF_UNIX:
            return Peer.of(connection).uid
        return str(connection.getpeername()[0])
    except OSError:
        return None
