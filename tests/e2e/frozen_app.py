"""One colour of an application that can be made to fail in every way in which nothing comes back.

`python -m tests.e2e.frozen_app DIRECTORY COLOUR PORT [RELEASE]` listens with SO_REUSEPORT, so that a second process may
stand at the same place. The release that it says it is stands in DIRECTORY/COLOUR, unless it is given; what it does in
DIRECTORY/COLOUR.mode: "hang" (nothing is answered), "hang-users" (all but the probe's path and the checks), "reset".
On SIGTERM it makes room: it listens no more, and ends each connection with its next answer.
"""

import asyncio
import signal
import socket
import struct
import sys
from pathlib import Path

PAGE_SECONDS = 0.005
POLL_SECONDS = 6.0
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
CHECKS = ("/version", "/health/ready")
PROBE = "/"


class Application:
    """What answers for one colour."""

    def __init__(self, directory: Path, colour: str, release: str = "") -> None:
        self._release, self._mode = directory / colour, directory / f"{colour}.mode"
        self._colour, self._given = colour, release
        self.leaving = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not await self._answer(head.split(b" ", 2)[1].decode(), writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> bool:
        mode = self._mode.read_text() if self._mode.exists() else ""
        if mode == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return False
        if mode == "hang" or (mode == "hang-users" and path not in (*CHECKS, PROBE)):
            await asyncio.Event().wait()
        if path == "/events":
            writer.write(STREAM)
            while True:
                writer.write(b"7\r\ndata: 1\r\n")
                await writer.drain()
                await asyncio.sleep(1.0)
        await asyncio.sleep(POLL_SECONDS if path == "/poll" else PAGE_SECONDS)
        release = self._given or (self._release.read_text() if self._release.exists() else "")
        body = f'{{"version": "{release}", "colour": "{self._colour}"}}'.encode()
        says = f"X-Colour: {self._colour}\r\nX-Version: {release}\r\nContent-Type: application/json\r\n"
        says += "Connection: close\r\n" if self.leaving else ""
        status = "200 OK" if release else "503 Not here"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{says}\r\n".encode() + body)
        await writer.drain()
        return not self.leaving


async def serve(directory: Path, colour: str, port: int, release: str = "") -> None:
    """Answer until killed."""
    application = Application(directory, colour, release)
    server = await asyncio.start_server(application.serve, "127.0.0.1", port, reuse_port=True, backlog=1024)

    def leave() -> None:
        application.leaving = True
        server.close()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
    (directory / f"{colour}.ready-{release or 'self'}").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
