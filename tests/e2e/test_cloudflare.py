"""Whole deployments behind a stand-in for Cloudflare: its API, and a front door that sends users where its load
balancer says. The daemon and the application are real."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import random
from typing import Any

import aiohttp
from aiohttp import web

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.domain.phases import Phase
from tests.adapters.balancers.cloudflare_stand_in import (
    ACCOUNT,
    BLUE_POOL,
    GREEN_POOL,
    LOAD_BALANCER,
    TOKEN,
    ZONE,
    CloudflareStandIn,
    load_balancer,
    pool,
)
from tests.e2e.conftest import MakeYard
from tests.e2e.yard import TWO, Yard, until

COLOURS = {BLUE_POOL: "blue", GREEN_POOL: "green"}
SECTION = """
[cloudflare]
zone = "{zone}"
account = "{account}"
load_balancer = "{balancer}"
blue_pool = "{blue}"
green_pool = "{green}"
token = "{token}"
api = "{api}"
front_door = "http://127.0.0.1:{door}"
timeout = "1s"
look_every = "300ms"

[canary]"""

Go = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@dataclass
class Edge:
    """A yard behind Cloudflare."""

    yard: Yard
    api: CloudflareStandIn
    door: int

    async def colours(self) -> set[str | None]:
        """Which colours answer users now."""
        found = set[str | None]()
        async with self.yard.client() as session:
            for site in list(self.yard.sites.values()) * 3:
                async with session.get(f"http://{site}:{self.door}/") as answer:
                    found.add(answer.headers.get("X-Colour"))
        return found


def _goes(api: CloudflareStandIn) -> str:
    """The colour that the load balancer sends this request to; a session's cookie is not looked at."""
    first, *rest = api.balancer["default_pools"]
    weights = (api.balancer["random_steering"] or {}).get("pool_weights", {})
    if rest and api.balancer["steering_policy"] == "random" and random() > weights[first]:
        return COLOURS[rest[0]]
    return COLOURS[first]


@asynccontextmanager
async def front_door(yard: Yard, api: CloudflareStandIn) -> AsyncIterator[int]:
    """Passes requests on as the load balancer says; the port it listens on."""
    names = {site: name for name, site in yard.sites.items()}

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:

        async def go(request: web.Request) -> web.StreamResponse:
            port = yard.ports[_goes(api)][names[request.host.partition(":")[0]]]
            url = f"http://127.0.0.1:{port}{request.raw_path}"
            async with session.request(request.method, url, headers=request.headers) as answer:
                return web.Response(status=answer.status, body=await answer.read(), headers=_signed(answer))

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", go)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


def _signed(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: answer.headers[name] for name in ("X-Colour", "X-Version", "Content-Type") if name in answer.headers}


@asynccontextmanager
async def at_cloudflare(make_yard: MakeYard, **more: Any) -> AsyncIterator[Edge]:
    """A yard that is moved behind Cloudflare."""
    yard = await make_yard(**more)
    await yard.kill_daemon()
    api = CloudflareStandIn(
        load_balancer(), pool(BLUE_POOL, "blue", "203.0.113.1:443"), pool(GREEN_POOL, "green", "203.0.113.2:443")
    )
    async with api, front_door(yard, api) as door:
        places = {"zone": ZONE, "account": ACCOUNT, "balancer": LOAD_BALANCER, "blue": BLUE_POOL, "green": GREEN_POOL}
        section = SECTION.format(token=TOKEN, api=api.base, door=door, **places)
        text = yard.config.read_text().replace('project = "yard"', 'project = "yard"\nbalancer = "cloudflare"')
        text = text.replace('probe = "/"', 'probe = "/page"\nversion = "header:X-Version"').replace(
            "\n[canary]", section
        )
        yard.config.write_text(text)
        yard.config.chmod(0o600)
        await yard.start_daemon()
        yield Edge(yard, api, door)


async def test_a_good_release_goes_live_in_one_change_and_what_others_change_then_is_changed_back(
    make_yard: MakeYard,
) -> None:
    async with at_cloudflare(make_yard, sites=TWO, window="1s") as edge:
        live = await edge.yard.ended(await edge.yard.deploy())
        assert live.phase == "LIVE", live.reason
        assert await edge.colours() == {"green"}
        assert (edge.api.balancer["default_pools"], edge.api.landed) == ([GREEN_POOL], 1)
        assert "data centres follow within seconds" in " ".join(live.plan.costs)
        assert live.plan.steps[0].text.startswith("check Cloudflare")
        edge.api.balancer["default_pools"] = [BLUE_POOL]
        await until(lambda: edge.api.balancer["default_pools"] == [GREEN_POOL], 15.0, "users are back on green")


async def test_a_bad_release_is_cut_back_and_the_old_colour_proved_by_its_version(make_yard: MakeYard) -> None:
    async with at_cloudflare(make_yard, sites=TWO) as edge:
        back = await edge.yard.ended(await edge.yard.deploy("1.1.0-bad"))
        assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
        assert await edge.colours() == {"blue"}


async def test_a_share_of_the_users_meets_a_release_before_all_do(make_yard: MakeYard) -> None:
    async with at_cloudflare(make_yard, canary='steps = ["50% 1s"]', window="1s") as edge:
        id = await edge.yard.deploy()
        await until(lambda: edge.api.balancer["session_affinity"] == "cookie", 30.0, "users are shared out")
        assert edge.api.balancer["random_steering"]["pool_weights"] == {GREEN_POOL: 0.5, BLUE_POOL: 0.5}
        live = await edge.yard.ended(id)
        assert live.phase == "LIVE", live.reason
        assert (edge.api.balancer["default_pools"], edge.api.balancer["session_affinity"]) == ([GREEN_POOL], "none")


async def test_without_the_daemon_the_way_back_takes_its_token_from_the_configuration(make_yard: MakeYard) -> None:
    async with at_cloudflare(make_yard, sites=TWO) as edge:
        await edge.yard.reached(await edge.yard.deploy(), Phase.WATCHING)
        await edge.yard.kill_daemon()
        ran = await edge.yard.cli("cutback", "--offline")
        assert ran.code == 0, ran.output
        assert await edge.colours() == {"blue"}
        for file in (edge.yard.directory / "state" / "cutback.json", edge.yard.directory / "daemon.log"):
            assert TOKEN not in file.read_text()


async def test_a_late_change_that_lands_over_the_way_back_is_taken_back_by_itself(make_yard: MakeYard) -> None:
    """No fence holds at Cloudflare: what its API cannot promise is seen, and put right."""
    async with at_cloudflare(make_yard, sites=TWO) as edge:
        looked_at = (await edge.yard.cli("doctor")).output
        assert "id goes to blue" in looked_at
        assert "id answered 200 as 1.0.0" in looked_at
        edge.api.faults.append(Fault.LANDS_LATE)
        back = await edge.yard.ended(await edge.yard.deploy())
        assert (back.phase, await edge.colours()) == ("REVERTED", {"blue"}), back.reason
        edge.api.land()
        assert await edge.colours() == {"green"}
        await until(lambda: edge.api.balancer["default_pools"] == [BLUE_POOL], 15.0, "users are back on blue")
        assert await edge.colours() == {"blue"}
