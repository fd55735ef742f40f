"""Services and Caddy configurations for the tests of the balancers."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bluegreen.domain.traffic import Colour, Service

Json = Any

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

KRATOS = Service(
    "kratos",
    {Colour.BLUE: ("127.0.0.1:18101",), Colour.GREEN: ("127.0.0.1:18201", "127.0.0.1:18202")},
    site="id.example.org",
)
HERA = Service("hera", {Colour.BLUE: ("127.0.0.1:18301",), Colour.GREEN: ("127.0.0.1:18401",)}, site="hera.example.org")
SERVICES = (KRATOS, HERA)


def proxy(*dials: str, **keys: Json) -> dict[str, Json]:
    """A reverse_proxy handler."""
    return {"handler": "reverse_proxy", "upstreams": [{"dial": dial} for dial in dials], **keys}


def route(*handle: Json, host: str | Sequence[str] = (), **keys: Json) -> dict[str, Json]:
    """A route with handlers, for a host or several."""
    hosts = [host] if isinstance(host, str) else list(host)
    return ({"match": [{"host": hosts}]} if hosts else {}) | {"handle": list(handle)} | keys


def subroute(*routes: Json) -> dict[str, Json]:
    """A handler that holds routes."""
    return {"handler": "subroute", "routes": list(routes)}


def server(*routes: Json, listen: str = "127.0.0.1:0", **keys: Json) -> dict[str, Json]:
    """A server without certificates and redirects."""
    return {"listen": [listen], "automatic_https": {"disable": True}, "routes": list(routes), **keys}


def config(**servers: Json) -> dict[str, Json]:
    """A whole configuration, as small as it can be."""
    return {"apps": {"http": {"servers": servers}}}


def olympus(listen: str = "127.0.0.1:0") -> dict[str, Json]:
    """Two services on blue, as a Caddyfile is adapted, amid much else that is the operator's own."""
    return config(
        srv0=server(
            route({"handler": "headers", "response": {"set": {"X-Frame-Options": ["DENY"]}}}),
            route(
                subroute(
                    route({"handler": "encode", "encodings": {"gzip": {}}}),
                    route(
                        proxy(
                            "127.0.0.1:18101",
                            load_balancing={"retries": 1, "try_duration": 250000000},
                            headers={"request": {"set": {"X-Real": ["{http.request.remote.host}<&>"]}}},
                        )
                    ),
                ),
                host="id.example.org",
                terminal=True,
            ),
            route(proxy("127.0.0.1:18301"), host=["hera.example.org", "www.example.org"]),
            route(proxy("127.0.0.1:18999"), host="other.example.org", **{"@id": "the-operators-own"}),
            listen=listen,
        ),
        private=server(route({"handler": "static_response", "body": "ok"}), listen="127.0.0.2:0"),
    )


def paths_that_differ(a: Json, b: Json, path: str = "") -> Iterator[str]:
    """Where two configurations differ."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from paths_that_differ(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from paths_that_differ(x, y, f"{path}/{index}")
    elif a != b or type(a) is not type(b):
        yield path


@asynccontextmanager
async def admin_of(admin: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client of Caddy's admin endpoint; paths begin with a slash."""
    socket = admin.removeprefix("unix/") if admin.startswith("unix/") else None
    connector: aiohttp.BaseConnector = (
        aiohttp.UnixConnector(path=socket, force_close=True) if socket else aiohttp.TCPConnector(force_close=True)
    )
    async with aiohttp.ClientSession(
        "http://127.0.0.1" if socket else admin, connector=connector, timeout=aiohttp.ClientTimeout(total=10.0)
    ) as session:
        yield session


async def read(admin: str, path: str = "/config/") -> tuple[int, Json, str]:
    """Status, value and ETag of a GET."""
    async with admin_of(admin) as session, session.get(path) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers.get("ETag", "")


async def patch(admin: str, path: str, value: Json, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and text of a PATCH."""
    async with admin_of(admin) as session, session.patch(path, json=value, headers=headers) as answer:
        return answer.status, await answer.text()


class StoppedClock:
    """The Clock port, always the same moment."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    def suspended(self) -> float:
        return 0.0
