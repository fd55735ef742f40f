"""What becomes of streams when a real Caddy is switched in mode "rewrite", and what a switch says that it costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.traffic import Colour, Service, Split
from bluegreen.ports_traffic import Costs
from tests.adapters.balancers.sites import StoppedClock, config, proxy, read, route, server

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
LONG, SHORT = Style(stream_close_delay=60.0), Style(stream_close_delay=1.0)


class Stand:
    """A Caddy before two colours that say who they are, in an answer, over a WebSocket and as events."""

    def __init__(self, caddy: EmbeddedCaddy, front: int, service: Service, session: aiohttp.ClientSession) -> None:
        self.caddy, self.front, self.service, self.session = caddy, f"http://127.0.0.1:{front}", service, session

    def balancer(self, style: Style) -> CaddyBalancer:
        return CaddyBalancer(self.caddy.admin, [self.service], timeout=5.0, clock=StoppedClock(), style=style)

    async def answered(self) -> str:
        async with self.session.get(self.front, headers={"Connection": "close"}) as answer:
            return await answer.text()


async def said(socket: aiohttp.ClientWebSocketResponse) -> str:
    await socket.send_str("who?")
    return await socket.receive_str(timeout=20.0)


async def next_event(events: aiohttp.ClientResponse) -> bytes:
    async with asyncio.timeout(20.0):
        return await events.content.readline()


async def close_code(socket: aiohttp.ClientWebSocketResponse) -> object:
    message = await socket.receive(timeout=20.0)
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    return message.data


@pytest.fixture
async def stand(caddy: EmbeddedCaddy) -> AsyncIterator[Stand]:
    front, blue, green = free_ports(3)
    service = Service("web", {BLUE: (f"127.0.0.1:{blue}",), GREEN: (f"127.0.0.1:{green}",)})
    listen = f"127.0.0.1:{front}"
    await caddy.start(config(srv0=server(route(proxy(*service.addresses[BLUE])), listen=listen)))
    async with AsyncExitStack() as stack:
        for colour, port in ((BLUE, blue), (GREEN, green)):
            await stack.enter_async_context(_serving(colour, port))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Stand(caddy, front, service, session)


@asynccontextmanager
async def _serving(colour: Colour, port: int) -> AsyncIterator[None]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=colour)

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            await socket.send_str(colour)
        return socket

    async def tick(request: web.Request) -> web.StreamResponse:
        events = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await events.prepare(request)
        with suppress(ConnectionError):
            while True:
                await events.write(f"{colour}\n".encode())
                await asyncio.sleep(0.05)
        return events

    app = web.Application()
    app.add_routes([web.get("/", answer), web.get("/socket", talk), web.get("/events", tick)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def test_c19_streams_live_on_on_the_old_colour_while_others_are_on_the_new_one(stand: Stand) -> None:
    async with stand.balancer(LONG) as balancer:
        await balancer.switch(BLUE, 1)
        async with (
            stand.session.ws_connect(f"{stand.front}/socket") as socket,
            stand.session.get(f"{stand.front}/events") as events,
        ):
            await balancer.switch(GREEN, 2, expected=BLUE)
            assert await stand.answered() == "green"
            assert await said(socket) == "blue"
            for _ in range(3):
                assert await next_event(events) == b"blue\n"
            await balancer.switch(BLUE, 3)
            assert await said(socket) == "blue"


async def test_c19_streams_live_on_through_the_steps_of_a_canary_and_a_fallback(stand: Stand) -> None:
    async with stand.balancer(LONG) as balancer:
        await balancer.switch(BLUE, 1)
        async with stand.session.ws_connect(f"{stand.front}/socket") as socket:
            await balancer.split(Split(GREEN, 0.05), 2, expected=BLUE)
            await balancer.split(Split(GREEN, 0.25), 3, expected=Split(GREEN, 0.05))
            await balancer.switch(GREEN, 4, expected=Split(GREEN, 0.25), fallback=True)
            assert await stand.answered() == "green"
            async with stand.session.ws_connect(f"{stand.front}/socket") as newer:
                await balancer.switch(GREEN, 5, expected=GREEN)
                assert (await said(socket), await said(newer)) == ("blue", "green")


async def test_c19_after_the_delay_caddy_closes_what_still_talks_and_lets_events_go_on(stand: Stand) -> None:
    async with stand.balancer(SHORT) as balancer:
        await balancer.switch(BLUE, 1)
        async with (
            stand.session.ws_connect(f"{stand.front}/socket") as socket,
            stand.session.get(f"{stand.front}/events") as events,
        ):
            await balancer.switch(GREEN, 2, expected=BLUE)
            assert await said(socket) == "blue"
            assert await close_code(socket) == aiohttp.WSCloseCode.GOING_AWAY
            for _ in range(30):
                assert await next_event(events) == b"blue\n"


@pytest.mark.parametrize("style", [Style(), LONG], ids=["not wished", "wished, and not yet written"])
async def test_c19_without_the_delay_in_force_a_switch_closes_websockets_and_no_events(
    style: Style, stand: Stand
) -> None:
    async with (
        stand.balancer(style) as balancer,
        stand.session.ws_connect(f"{stand.front}/socket") as socket,
        stand.session.get(f"{stand.front}/events") as events,
    ):
        await balancer.switch(GREEN, 1, expected=BLUE)
        assert await close_code(socket) == aiohttp.WSCloseCode.GOING_AWAY
        for _ in range(3):
            assert await next_event(events) == b"blue\n"


async def test_the_delay_that_is_wished_is_the_only_other_thing_that_is_written(stand: Stand) -> None:
    handler = "/config/apps/http/servers/srv0/routes/0/handle/0"
    async with stand.balancer(LONG) as balancer:
        _, before, _ = await read(stand.caddy.admin, handler)
        await balancer.switch(GREEN, 1, expected=BLUE)
        _, after, _ = await read(stand.caddy.admin, handler)
    assert after.pop("stream_close_delay") == 60_000_000_000
    assert {**after, "upstreams": None} == {**before, "upstreams": None}


async def test_what_a_switch_costs_is_said_before_it(stand: Stand) -> None:
    async with stand.balancer(Style()) as plain, stand.balancer(LONG) as wishing:
        costs: Costs = plain
        connections, streams = await costs.costs()
        assert "connections that are kept alive" in connections
        assert "closes the WebSockets of web" in streams
        assert "stream_close_delay" in streams
        assert "this first switch still closes the WebSockets of web" in (await wishing.costs())[1]
        await wishing.switch(BLUE, 1)
        assert await wishing.costs() == (connections,)
