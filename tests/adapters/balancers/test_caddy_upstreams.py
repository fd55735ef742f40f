"""What a real Caddy says of requests under way; the numbers that in_flight.py stands on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bluegreen.adapters.balancers.caddy_upstreams import CaddyUpstreams
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import BalancerUnreachable
from tests.adapters.balancers.sites import config, patch, proxy, route, server

pytestmark = pytest.mark.real

DIALS = "/config/apps/http/servers/srv0/routes/0/handle/0/upstreams"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:1\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Scene:
    """A Caddy before two upstreams that hold what they are asked until they are told to let go."""

    def __init__(
        self, caddy: EmbeddedCaddy, upstreams: CaddyUpstreams, front: int, ports: list[int], group: asyncio.TaskGroup
    ) -> None:
        self.caddy, self.upstreams, self.front = caddy, upstreams, f"http://127.0.0.1:{front}"
        self.a, self.b = (f"127.0.0.1:{port}" for port in ports)
        self.hold = asyncio.Event()
        self.asked = 0
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._group, self._tasks = group, set[asyncio.Task[None]]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                path = head.split(b" ", 2)[1]
                if path == b"/stream":
                    writer.write(STREAM)
                if path == b"/socket":
                    writer.write(SWITCHED)
                if path == b"/upload":
                    await reader.readexactly(10)
                if path not in (b"/", b"/upload"):
                    await self.hold.wait()
                if path not in (b"/stream", b"/socket"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                else:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def ask(self, path: str, times: int = 1, **headers: str) -> None:
        """Begin requests, and return once the upstream has them."""
        before = self.asked
        for _ in range(times):
            self._tasks.add(self._group.create_task(self._one(path, headers), name=path))
        await self.until(lambda: self.asked >= before + times)

    async def _one(self, path: str, headers: dict[str, str]) -> None:
        try:
            async with self.session.get(self.front + path, headers=headers) as answer:
                await answer.read()
                if answer.status == 101:
                    await self.hold.wait()
        except aiohttp.ClientError:
            return

    async def dial(self, *dials: str) -> None:
        status, said = await patch(self.caddy.admin, DIALS, [{"dial": dial} for dial in dials])
        assert status == 200, said

    async def until(self, holds: object) -> None:
        async with asyncio.timeout(20.0):
            while not holds():  # type: ignore[operator]
                await asyncio.sleep(0.01)

    async def shows(self, **numbers: int) -> None:
        """Wait until Caddy shows these and no others."""
        wanted = {getattr(self, name): number for name, number in numbers.items()}
        found: object = None
        try:
            async with asyncio.timeout(10.0):
                while (found := await self.upstreams.in_flight()) != wanted:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{found}, not {wanted}") from None

    async def close(self) -> None:
        self.hold.set()
        for task in self._tasks:
            task.cancel()
        await self.session.close()


@asynccontextmanager
async def _scene(caddy: EmbeddedCaddy) -> AsyncIterator[Scene]:
    front, *ports = free_ports(3)
    listen = f"127.0.0.1:{front}"
    await caddy.start(config(srv0=server(route(proxy(f"127.0.0.1:{ports[0]}")), listen=listen)))
    upstreams = CaddyUpstreams(caddy.admin, timeout=5.0)
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        scene = Scene(caddy, upstreams, front, ports, group)
        for port in ports:
            listening = await asyncio.start_server(scene.serve, "127.0.0.1", port)
            stack.callback(listening.close)
        await stack.enter_async_context(upstreams.opened())
        stack.push_async_callback(scene.close)
        yield scene


@pytest.fixture
async def scene(caddy: EmbeddedCaddy) -> AsyncIterator[Scene]:
    async with _scene(caddy) as made:
        yield made


async def test_what_waits_is_counted_streams_and_sockets_too_and_what_was_answered_is_not(scene: Scene) -> None:
    await scene.shows(a=0)
    await scene.ask("/hang", 5)
    await scene.ask("/stream", 2)
    await scene.ask("/socket", 1, **UPGRADE)
    await scene.ask("/", 10)
    await scene.shows(a=8)
    scene.hold.set()
    await scene.shows(a=0)


async def test_a_slow_upload_counts_while_it_lasts(scene: Scene) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(scene.front.rpartition(":")[2]))
    writer.write(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
    await scene.shows(a=1)
    writer.write(b"67890")
    await scene.shows(a=0)
    writer.close()


async def test_a_dial_that_was_left_stays_until_its_last_request_ended(scene: Scene) -> None:
    await scene.ask("/hang", 5)
    await scene.dial(scene.b)
    await scene.shows(a=5, b=0)
    await scene.ask("/hang", 3)
    await scene.shows(a=5, b=3)
    scene.hold.set()
    await scene.shows(b=0)


async def test_a_dial_that_comes_back_begins_at_none_and_one_that_stays_goes_on(scene: Scene) -> None:
    await scene.ask("/hang", 5)
    await scene.dial(scene.b)
    await scene.ask("/hang", 3)
    await scene.dial(scene.b, scene.a)
    await scene.shows(a=0, b=3)


async def test_a_reload_keeps_the_numbers(scene: Scene) -> None:
    await scene.ask("/hang", 4)
    await scene.dial(scene.a)
    status, said = await patch(scene.caddy.admin, "/config/apps/http/servers/srv0/read_timeout", "1m")
    assert status in (200, 404), said
    await scene.shows(a=4)


async def test_one_place_in_two_spellings_is_one(scene: Scene) -> None:
    await scene.dial(f"tcp/{scene.a}")
    await scene.ask("/hang", 4)
    await scene.shows(a=4)


async def test_who_opens_it_beside_another_does_not_close_it_for_that_one(scene: Scene) -> None:
    async with scene.upstreams.opened():
        await scene.shows(a=0)
    await scene.shows(a=0)


async def test_a_caddy_that_is_away_or_something_else_is_no_number(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    async with _scene(caddy) as scene:
        await caddy.stop()
        with pytest.raises(BalancerUnreachable, match="cannot be used"):
            await scene.upstreams.in_flight()
    (port,) = free_ports(1)

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"data": "more"}'[:-1])
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", port):
        upstreams = CaddyUpstreams(f"http://127.0.0.1:{port}", timeout=5.0)
        async with upstreams.opened():
            with pytest.raises(BalancerUnreachable, match="no Caddy"):
                await upstreams.in_flight()
