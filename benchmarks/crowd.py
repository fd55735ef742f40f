"""Clients that keep their connections and send POSTs, in a process of their own; every answer is kept.

A POST is not sent again when its connection is lost (RFC 9110, 9.2.2: it is not idempotent), and a connection that was
seen to close while nothing was asked is replaced without a failure: what fails here, users would have seen.
"""

import asyncio
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec

from benchmarks.child import module
from benchmarks.stand import Stand
from bluegreen.demo.children import Child

PATIENCE = 5.0
"""Seconds that an answer may take."""

BODY = b'{"article":4711,"pieces":1}'
LENGTH = re.compile(rb"(?i)content-length: (\d+)")
FAILED = ""


class Answer(msgspec.Struct, array_like=True):
    """When an answer came (monotonic seconds) and what it said: the name of a colour, or FAILED."""

    at: float
    said: str


@dataclass
class Crowd:
    """The process of the clients of one stand."""

    stand: Stand
    clients: int
    pause: float
    port: int | None = None
    """Of the listener that they ask; None: the stand's."""

    @property
    def _file(self) -> Path:
        return self.stand.directory / "crowd.json"

    def begin(self) -> Child:
        """Let them in: each asks again `pause` seconds after its answer, until the child is stopped."""
        sites = ",".join(str(service.site) for service in self.stand.services.values())
        words = (str(self._file), str(self.port or self.stand.port), sites, str(self.clients), str(self.pause))
        return module("benchmarks.crowd", *words, log=self.stand.directory / "crowd.log")

    def answers(self) -> list[Answer]:
        """All they got, in order, once the child has ended."""
        return msgspec.json.decode(self._file.read_bytes(), type=list[Answer])


class Client:
    """One client: one connection, as long as it lasts."""

    def __init__(self, port: int, site: str, answers: list[Answer]) -> None:
        self._port, self._answers = port, answers
        head = f"POST /orders HTTP/1.1\r\nHost: {site}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}"
        self._request = head.encode() + b"\r\n\r\n" + BODY
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, pause: float) -> None:
        """Ask, for ever."""
        try:
            while True:
                said = await self._ask()
                self._answers.append(Answer(monotonic(), said))
                await asyncio.sleep(pause)
        finally:
            self._hang_up()

    async def _ask(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await self._connection()
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
        except (OSError, asyncio.IncompleteReadError):
            self._hang_up()
            return FAILED
        if b"\r\nConnection: close\r\n" in head:
            self._hang_up()
        return body.decode() if head.split(b" ", 2)[1] == b"200" else FAILED

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._hang_up()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self._reader, self._writer

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def ask(port: int, sites: list[str], clients: int, pause: float) -> list[Answer]:
    """Run the clients until SIGTERM, and return what they got."""
    answers: list[Answer] = []
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with asyncio.TaskGroup() as group:
        crowd = [Client(port, sites[number % len(sites)], answers) for number in range(clients)]
        tasks = [group.create_task(client.run(pause), name=f"client {n}") for n, client in enumerate(crowd)]
        await told.wait()
        for task in tasks:
            task.cancel()
    return answers


if __name__ == "__main__":
    path, port, sites, clients, pause = sys.argv[1:]
    got = asyncio.run(ask(int(port), sites.split(","), int(clients), float(pause)))
    Path(path).write_bytes(msgspec.json.encode(got))
