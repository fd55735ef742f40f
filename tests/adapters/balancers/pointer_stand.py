"""Two services behind a real Caddy that follows a file, each colour of each an application that says who it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.armed_stand import Application
from tests.adapters.balancers.bench_pointer import PointerBench
from tests.adapters.balancers.benches import outer_address
from tests.adapters.balancers.sites import Json, config, proxy, route, server, subroute

SITES = ("id.example.org", "shop.example.org")


@dataclass
class Load:
    """What users met: how many requests failed, and the colours in the order of the answers."""

    failed: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)


class PointerStand:
    """`bench` has the balancer; users come in at `front`."""

    def __init__(self, bench: PointerBench, front: int, services: tuple[Service, ...], whole: Json) -> None:
        self.bench, self.front, self.services, self.whole = bench, front, services, whole
        self.applications: dict[str, Application] = {}
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=20.0), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def ask(self, site: str, method: str = "GET") -> str:
        """The colour that answers a user of this site; else what went wrong."""
        try:
            async with self.session.request(method, f"http://127.0.0.1:{self.front}/", headers={"Host": site}) as got:
                return str((await got.json())["colour"]) if got.status == 200 else f"HTTP {got.status}"
        except aiohttp.ClientError as exc:
            return repr(exc)

    async def colours(self) -> set[str]:
        """Who answers now, for all sites."""
        return {await self.ask(site) for site in SITES for _ in range(3)}

    @asynccontextmanager
    async def load(self, users: int = 8, pause: float = 0.002) -> AsyncIterator[Load]:
        """Users that keep their connections and send a POST soon after each answer."""
        load, going = Load(), True

        async def user(site: str) -> None:
            while going:
                answer = await self.ask(site, "POST")
                (load.colours if answer in tuple(Colour) else load.failed).append(answer)
                await asyncio.sleep(pause)

        async with asyncio.TaskGroup() as group:
            for number in range(users):
                group.create_task(user(SITES[number % 2]), name=f"user {number}")
            try:
                yield load
            finally:
                going = False


async def until(said: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it is so."""
    async with asyncio.timeout(30.0):
        while not await said():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def pointer_stand(
    caddy: EmbeddedCaddy, directory: Path, style: Style, *, arm: bool = True, routes: int = 0
) -> AsyncIterator[PointerStand]:
    """Both colours run, and all users are on blue; `routes` are others of the operator's."""
    front, *ports = free_ports(5)
    services = tuple(
        Service(
            name,
            {Colour.BLUE: (f"127.0.0.1:{ports[2 * n]}",), Colour.GREEN: (f"127.0.0.1:{ports[2 * n + 1]}",)},
            site=SITES[n],
        )
        for n, name in enumerate(("id", "shop"))
    )
    own = proxy(*services[0].addresses[Colour.BLUE], headers={"request": {"set": {"X-Own": ["kept"]}}})
    whole = config(
        srv0=server(
            *(route(proxy("127.0.0.1:9"), host=f"r{n}.example.org") for n in range(routes)),
            route(subroute(route({"handler": "encode", "encodings": {"gzip": {}}}), route(own)), host=SITES[0]),
            route(proxy(*services[1].addresses[Colour.BLUE]), host=SITES[1], **{"@id": "the-operators-own"}),
            listen=f"127.0.0.1:{front}",
        )
    )
    pointers = directory / "pointers"
    pointers.mkdir()
    bench = PointerBench(caddy, outer_address("unix", directory), pointers, style, services)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(caddy.kill)
        running = await stack.enter_async_context(bench.running(whole, arm=arm))
        stand = PointerStand(running, front, services, whole)
        stack.push_async_callback(stand.session.close)
        for service in services:
            for colour in Colour:
                application = Application(colour, int(service.addresses[colour][0].rpartition(":")[2]))
                await application.start()
                stack.push_async_callback(application.stop)
                stand.applications[f"{service.name} {colour}"] = application
        yield stand
