"""The sample application: one process for one service of one colour, `python -m bluegreen.demo.application`.

Every answer says who gave it (X-Colour, X-Version). Readiness is "I am up", not "the database is up": an
outage of the shared database would otherwise take both colours out at once.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass

import click
from aiohttp import web

from bluegreen.demo.faults import Faults
from bluegreen.demo.services import FAULTS, ROUTES, STORE
from bluegreen.demo.store import Store, StoreFailed

FAULT_VARIABLE = "BLUEGREEN_DEMO_FAULT"
PAGE_WORK = 0.01
"""Seconds that every page costs besides the database: something for "three times slower" to be three times
of.
"""

SHUTDOWN = 2.0
"""Seconds for requests in flight at SIGTERM."""

log = logging.getLogger("bluegreen.demo.application")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process this is."""

    version: str
    colour: str
    service: str


IDENTITY = web.AppKey("identity", Identity)


def application(identity: Identity, store: Store, faults: Faults) -> web.Application:
    """One service's application; it opens the store when it starts."""
    app = web.Application(middlewares=[_database_errors, _misbehave])
    app[IDENTITY], app[STORE], app[FAULTS] = identity, store, faults
    app.router.add_routes(ROUTES[identity.service])
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/health/smoke", smoke)
    app.router.add_get("/version", version)
    app.on_response_prepare.append(_sign)
    app.cleanup_ctx.append(_opened)
    return app


async def ready(request: web.Request) -> web.Response:
    """GET: 200 once it serves."""
    if request.app[FAULTS].never_ready:
        return web.json_response({"status": "starting"}, status=503)
    return web.json_response({"status": "ready"})


async def smoke(request: web.Request) -> web.Response:
    """GET: 200 when this release can read everything it needs."""
    if request.app[FAULTS].smoke_fails:
        return web.json_response({"status": "failed"}, status=500)
    await request.app[STORE].probe()
    return web.json_response({"status": "passed"})


async def version(request: web.Request) -> web.Response:
    """GET: which release, colour and service this is."""
    return web.json_response(asdict(request.app[IDENTITY]))


async def _sign(request: web.Request, answer: web.StreamResponse) -> None:
    identity = request.app[IDENTITY]
    answer.headers["X-Colour"], answer.headers["X-Version"] = identity.colour, identity.version


async def _opened(app: web.Application) -> AsyncIterator[None]:
    faults = app[FAULTS]
    await app[STORE].open()
    if faults.deprecated:
        log.warning("DeprecationWarning: the cookie format of 1.0 is deprecated and will be removed in 3.0")
    if faults.crash_after is not None:
        asyncio.get_running_loop().call_later(faults.crash_after, os._exit, 1)
    yield
    await app[STORE].close()


@web.middleware
async def _database_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except StoreFailed as exc:
        log.error("the database failed us: %s", exc)
        return web.json_response({"error": "the database does not answer as it should"}, status=503)


@web.middleware
async def _misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/health/") or request.path == "/version":
        return await handler(request)
    faults, clock = request.app[FAULTS], asyncio.get_running_loop().time
    began = clock()
    if faults.hang:
        await asyncio.Event().wait()  # until the client goes away: that is the fault
    if faults.error_now():
        return web.json_response({"error": "internal error"}, status=500)
    if faults.complains_now():
        log.error("the session of this user could not be saved: it goes on without")
    await asyncio.sleep(PAGE_WORK)
    answer = await handler(request)
    await asyncio.sleep(faults.delay(clock() - began))
    return answer


@click.command()
@click.option("--colour", required=True)
@click.option("--service", required=True, type=click.Choice(sorted(ROUTES)))
@click.option("--version", "release", required=True, help="the release's version; may name a fault")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", required=True, type=int)
@click.option("--dsn-env", default="DATABASE_URL", help="the environment variable that holds the DSN")
@click.option("--fault", default=None, envvar=FAULT_VARIABLE, help="over what the version says")
def main(colour: str, service: str, release: str, host: str, port: int, dsn_env: str, fault: str | None) -> None:
    """Serve one service of one colour until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if dsn_env not in os.environ:
        raise click.UsageError(f"the environment variable {dsn_env} must hold the DSN")
    try:
        faults = Faults.parse(fault) if fault is not None else Faults.of_version(release)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    app = application(Identity(release, colour, service), Store(os.environ[dsn_env], colour, release), faults)
    try:
        web.run_app(
            app, host=host, port=port, print=None, access_log=None,
            shutdown_timeout=SHUTDOWN, handler_cancellation=True,
        )  # fmt: skip
    except (StoreFailed, OSError) as exc:
        raise click.ClickException(f"{service} {release} cannot start on port {port}: {exc}") from exc


if __name__ == "__main__":
    main()
