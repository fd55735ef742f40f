"""A stand-in for the paths of Cloudflare's API that a switch uses, built from its public documentation.

What it keeps to (developers.cloudflare.com/api and its examples): the envelope of `success`, `errors`, `messages` and
`result`, `result: null` with an error; PATCH overwrites the keys it names and nothing else, and answers with the whole
load balancer; `modified_on` moves; a bad token is 403 with code 10000, an unknown id 404 with 1001, a load balancer
that cannot be 400 with 1002 ("validation failed"); too many requests are 429 with `Retry-After` for all that follows.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bluegreen.adapters.balancers.memory import Fault

Json = Any

TOKEN = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
ZONE, ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353", "01a7362d577a6c3019a474fd6f485823"
LOAD_BALANCER = "699d98642c564d2e855e9661899b7252"
BLUE_POOL, GREEN_POOL = "17b5962d775c646f3f9725cbc7a53df4", "9290f38c5d07c2e2f4df57b1f61d4196"
OTHER_POOL = "00920f38ce07c2e2f4df50b1f61d4194"

POLICIES = ("", "off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests")
AFFINITIES = ("", "none", "cookie", "ip_cookie", "header")

STATUSES = {Fault.REFUSED: 400, Fault.UNREACHABLE: 429}


def load_balancer(**keys: Json) -> dict[str, Json]:
    """One as its documentation shows it, sending all users to blue's pool, with much that is the operator's own."""
    return {
        "id": LOAD_BALANCER,
        "created_on": "2026-01-01T05:20:00.12345Z",
        "modified_on": "2026-01-01T05:20:00.12345Z",
        "description": "Load Balancer for www.example.org",
        "name": "www.example.org",
        "enabled": True,
        "ttl": 30,
        "fallback_pool": OTHER_POOL,
        "default_pools": [BLUE_POOL],
        "region_pools": {},
        "country_pools": {},
        "pop_pools": {},
        "rules": [],
        "proxied": True,
        "steering_policy": "off",
        "session_affinity": "none",
        "session_affinity_ttl": 5000,
        "session_affinity_attributes": {"samesite": "Auto", "secure": "Auto", "drain_duration": 100},
        "random_steering": {"default_weight": 1},
        "adaptive_routing": {"failover_across_pools": False},
        "location_strategy": {"prefer_ecs": "always", "mode": "resolver_ip"},
    } | keys


def pool(id: str, name: str, *places: str, **keys: Json) -> dict[str, Json]:
    """A pool with an origin at each place, `host:port`."""
    origins = [
        {"name": f"{name}-{number}", "address": place.rpartition(":")[0], "port": int(place.rpartition(":")[2])}
        for number, place in enumerate(places)
    ]
    return {
        "id": id,
        "name": name,
        "enabled": True,
        "minimum_origins": 1,
        "monitor": "f1aba936b94213e5b8dca0c0dbf1f9cc",
        "origins": [each | {"enabled": True, "weight": 1} for each in origins],
    } | keys


class CloudflareStandIn:
    """Serves the API on loopback. `faults` are met by the next PATCHes, `asked` lists every request, `landed` counts
    PATCHes that took effect; while `blocked`, every request gets 429; `silent` gives no answer at all."""

    def __init__(self, balancer: Mapping[str, Json], *pools: Mapping[str, Json]) -> None:
        self.balancer: dict[str, Json] = dict(balancer)
        self.pools = {each["id"]: dict(each) for each in pools}
        self.faults: deque[Fault] = deque()
        self.held: list[Mapping[str, Json]] = []
        self.asked: list[tuple[str, str]] = []
        self.landed = 0
        self.blocked = False
        self.answers: deque[web.Response] = deque()
        self._given_up = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.base = ""

    async def __aenter__(self) -> "CloudflareStandIn":
        app = web.Application()
        app.router.add_route("*", "/client/v4/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}/client/v4"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing answers any more."""
        self._given_up.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def land(self) -> None:
        """Let what was held back take effect, whatever was written since: there is nothing to be conditional on."""
        held, self.held = self.held, []
        for keys in held:
            self._apply(keys)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        place = request.match_info["tail"]
        self.asked.append((request.method, place))
        if self.answers:
            return self.answers.popleft()
        if self.blocked:
            return _failure(429, 10013, "Rate limited. Please wait and consider throttling your request speed")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _failure(403, 10000, "Authentication error")
        if place == f"zones/{ZONE}/load_balancers/{LOAD_BALANCER}":
            return await self._patch(request) if request.method == "PATCH" else _success(self.balancer)
        found = self.pools.get(place.removeprefix(f"accounts/{ACCOUNT}/load_balancers/pools/"))
        return _success(found) if found is not None else _failure(404, 1001, "object not found: not found")

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        keys = await request.json()
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.LANDS_LATE:
            self.held.append(keys)
            await self._given_up.wait()
        if fault in (Fault.LOST_WITH_EFFECT, Fault.LOST_WITHOUT_EFFECT):
            if fault is Fault.LOST_WITH_EFFECT:
                self._apply(keys)
            assert request.transport is not None
            request.transport.abort()
        if fault is Fault.NO_EFFECT:
            return _success(self.balancer)
        if fault is Fault.REFUSED:
            return _failure(400, 1002, "default_pools: validation failed")
        wrong = self._wrong(keys)
        if wrong:
            return _failure(400, 1002, f"{wrong}: validation failed")
        if fault not in (Fault.LOST_WITH_EFFECT, Fault.LOST_WITHOUT_EFFECT):
            self._apply(keys)
        return _success(self.balancer)

    def _wrong(self, keys: Mapping[str, Json]) -> str:
        """What Cloudflare's validation would say; "" where nothing."""
        pools = [*keys.get("default_pools", ()), *([keys["fallback_pool"]] if "fallback_pool" in keys else [])]
        weights = (keys.get("random_steering") or {}).get("pool_weights") or {}
        for unknown in [each for each in (*pools, *weights) if each not in self.pools]:
            return f"the pool {unknown} does not exist"
        if "default_pools" in keys and not keys["default_pools"]:
            return "default_pools must not be empty"
        if keys.get("steering_policy", "off") not in POLICIES:
            return f"steering_policy {keys['steering_policy']} is not supported"
        if keys.get("session_affinity", "none") not in AFFINITIES:
            return f"session_affinity {keys['session_affinity']} is not supported"
        if any(not 0 <= weight <= 1 or round(weight, 2) != weight for weight in weights.values()):
            return "weights are from 0 to 1, in steps of 0.01"
        return f"{sorted(keys.keys() - self.balancer.keys())}: unknown" if keys.keys() - self.balancer.keys() else ""

    def _apply(self, keys: Mapping[str, Json]) -> None:
        self.balancer |= {**keys, "modified_on": datetime.now(UTC).isoformat()}
        self.landed += 1


def _success(result: Json) -> web.Response:
    return web.json_response({"success": True, "errors": [], "messages": [], "result": result})


def _failure(status: int, code: int, message: str) -> web.Response:
    body = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return web.json_response(body, status=status, headers={"Retry-After": "247"} if status == 429 else {})
