"""A colour of one service on a real HTTP server on loopback, and targets that point at it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bluegreen.demo.ports import free_ports
from bluegreen.domain.checks import Target
from bluegreen.domain.traffic import Colour, Service

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BLUE, GREEN = Colour.BLUE, Colour.GREEN


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers every request by `handler`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def service(*addresses: str, name: str = "web", site: str | None = None, scheme: str = "http") -> Service:
    """A service whose green listens at `addresses`; its blue is nowhere."""
    return Service(name, {BLUE: ("127.0.0.1:1",), GREEN: addresses}, site, scheme)


def target(*services: Service, release: str = "1.2.0", colour: Colour = GREEN) -> Target:
    """Those services of a colour."""
    return Target(colour, release, {service.name: service for service in services})
