"""What a real Traefik does with its files: the facts that the adapter rests on, and a run without a lost request."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.adapters.balancers.traefik_document import parsed, rendered
from bluegreen.demo.ports import free_ports
from bluegreen.demo.traefik import EmbeddedTraefik
from bluegreen.domain.errors import ChangeUnknown
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.sites import StoppedClock
from tests.adapters.waiting import until

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
HOST = "web.test"
SETTLED = 0.4
"""Seconds in which a file that is refused has been looked at; the throttle is 10 ms here."""


class Scene:
    """A real Traefik, and a server of each colour that answers with its name."""

    def __init__(self, directory: Path) -> None:
        front, api, *ports = free_ports(4)
        self.ports = dict(zip(Colour, ports, strict=True))
        self.service = Service("web", {c: (f"127.0.0.1:{port}",) for c, port in self.ports.items()}, site=HOST)
        self.traefik = EmbeddedTraefik(directory, front, api)
        self.traefik.routes({"web": HOST})
        self.traefik.serve({"web": self.service.addresses[BLUE][0]})

    def balancer(self, timeout: float = 5.0) -> TraefikBalancer:
        traefik = self.traefik
        return TraefikBalancer(traefik.file, (self.service,), timeout=timeout, clock=StoppedClock(), api=traefik.api)

    async def ask(self, path: str = "/") -> str:
        """What one user gets: the name of a colour, or a status."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.traefik.front}{path}", headers={"Host": HOST}, data=b"x") as answer,
        ):
            return await answer.text() if answer.status == 200 else str(answer.status)

    def put(self, text: bytes) -> None:
        partial = self.traefik.dynamic / "new"
        partial.write_bytes(text)
        partial.replace(self.traefik.file)

    async def gets(self, wanted: str) -> None:
        async with asyncio.timeout(10):
            while await self.ask() != wanted:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def _answering(colour: Colour, port: int) -> AsyncIterator[None]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/socket":
            upgraded = web.WebSocketResponse()
            await upgraded.prepare(request)
            async for _ in upgraded:
                await upgraded.send_str(colour)
            return upgraded
        await request.read()
        return web.Response(text=colour)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    async with _answering(BLUE, scene.ports[BLUE]), _answering(GREEN, scene.ports[GREEN]):
        try:
            await scene.traefik.start()
            yield scene
        finally:
            await scene.traefik.kill()


async def test_a_replaced_file_is_noticed_without_a_reload(scene: Scene) -> None:
    assert await scene.ask() == BLUE
    async with scene.balancer() as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE)
        await scene.gets(GREEN)


@pytest.mark.parametrize(
    ("text", "users"),
    [
        (b'{"http": {"services": {"we', "blue"),
        (b'{"http": {"services": {"web": {"unheard-of": 1}}}}', "blue"),
        (b'{"http": {"services": {}}}', "blue"),
        (b"", "404"),
    ],
    ids=["torn", "an unknown key", "no services", "empty"],
)
async def test_a_file_that_it_cannot_use_leaves_users_where_they_are_but_an_empty_one_does_not(
    scene: Scene, text: bytes, users: str
) -> None:
    scene.put(text)
    if users == "404":
        await scene.gets(users)
    await asyncio.sleep(SETTLED)
    assert await scene.ask() == users


async def test_a_file_that_is_gone_leaves_users_without_an_answer(scene: Scene) -> None:
    scene.traefik.file.unlink()
    await scene.gets("404")


async def test_one_file_in_error_holds_up_all_others_and_the_switch_says_so(scene: Scene) -> None:
    (scene.traefik.dynamic / "other.yml").write_text('{"http": {"services": {"x": {"unheard-of": 1}}}}')
    async with scene.balancer(timeout=1.0) as balancer:
        with pytest.raises(ChangeUnknown, match="another file in its directory"):
            await balancer.switch(GREEN, 1, expected=BLUE)
        assert await scene.ask() == BLUE
        assert (await balancer.observe()).colour is BLUE, "users are where Traefik sends them, not where the file says"
        (scene.traefik.dynamic / "other.yml").unlink()
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).generation == 2


async def test_it_waits_between_two_changes_as_long_as_it_is_told(tmp_path: Path) -> None:
    """Its own default is 2 s: the second of two changes comes that much later, and the switch waits for it."""
    scene = Scene(tmp_path)
    scene.traefik = EmbeddedTraefik(tmp_path, *free_ports(2), throttle="1s")
    async with _answering(BLUE, scene.ports[BLUE]), _answering(GREEN, scene.ports[GREEN]):
        try:
            await scene.traefik.start()
            async with scene.balancer() as balancer:
                await balancer.switch(GREEN, 1, expected=BLUE)
                began = monotonic()
                await balancer.switch(BLUE, 2)
                assert monotonic() - began > 0.3
                assert await scene.ask() == BLUE
        finally:
            await scene.traefik.kill()


async def test_restarted_it_serves_what_was_switched_to(scene: Scene) -> None:
    async with scene.balancer() as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE)
        await scene.traefik.kill()
        assert (await balancer.observe()).generation == 1, "its API is down: the file tells"
        await scene.traefik.start()
        await scene.gets(GREEN)
        traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, 1)


async def test_a_websocket_lives_on_on_the_old_colour(scene: Scene) -> None:
    async with (
        scene.balancer() as balancer,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{scene.traefik.front}/socket", headers={"Host": HOST}) as socket,
    ):
        await balancer.switch(GREEN, 1, expected=BLUE)
        await scene.gets(GREEN)
        await socket.send_str("still there?")
        assert (await socket.receive(timeout=10)).data == BLUE


async def test_c20_no_post_on_a_connection_that_is_kept_is_lost_by_ten_switches(scene: Scene) -> None:
    got: Counter[str] = Counter()
    done = asyncio.Event()

    async def user(session: aiohttp.ClientSession) -> None:
        while not done.is_set():
            async with session.post(scene.traefik.front, headers={"Host": HOST}, data=b"x") as answer:
                got[await answer.text()] += 1
            await asyncio.sleep(0.002)

    async with scene.balancer() as balancer, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(user(session), name=f"user {number}")
        for generation in range(1, 11):
            before = got.total()
            await balancer.switch(GREEN if generation % 2 else BLUE, generation)
            await until(lambda before=before: got.total() > before + 40)  # type: ignore[misc]
        done.set()
    assert set(got) == {"blue", "green"}, got
    assert min(got.values()) > 50


async def test_the_operator_s_own_wishes_stay_in_the_file(scene: Scene) -> None:
    value = json.loads(scene.traefik.file.read_text())
    value["http"]["services"]["web"]["loadBalancer"]["passHostHeader"] = False
    value["http"]["middlewares"] = {"slim": {"compress": {}}}
    scene.put(rendered(value))
    async with scene.balancer() as balancer:
        await balancer.switch(GREEN, 1)
        after = parsed(scene.traefik.file.read_bytes())
        assert after["http"]["services"]["web"]["loadBalancer"]["passHostHeader"] is False
        assert after["http"]["middlewares"] == {"slim": {"compress": {}}}
        assert (await balancer.observe()).generation == 1
