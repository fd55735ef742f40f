"""The operators' API: HTTP and JSON on a Unix socket; who may do what comes from the kernel.

One table says every route, its right and its shapes; the OpenAPI document is made from the same table.
"""

from collections.abc import Mapping

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bluegreen.app.requests import Caller
from bluegreen.app.service import Service
from bluegreen.domain.records import Json
from bluegreen.interfaces import answers, openapi, streams
from bluegreen.interfaces import models as m
from bluegreen.interfaces import requests as r
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.budgets import BODY_LIMIT, BUDGETS, Budgets
from bluegreen.interfaces.peers import UNMAPPED, Access, Grants, Peer, Right, name_of
from bluegreen.interfaces.problems import Problem, answer_problems
from bluegreen.interfaces.routes import Route

log = structlog.get_logger(__name__)

DEFAULT = Budgets()

GRANTS = web.AppKey("grants", Grants)

ANYBODY, READ, CUTBACK, OPERATE, ADMIN = Right
ONE, COLOUR = "/v1/deployments/{id}", "/v1/environments/{colour}"

# fmt: off
ROUTES = (
    Route("GET", "/v1/status", answers.status, READ, m.Status),
    Route("GET", "/v1/deployments", answers.deployments, READ, m.Deployments, query=r.PageQuery),
    Route("GET", ONE, answers.deployment, READ, m.Deployment),
    Route("GET", f"{ONE}/logs", answers.logs, READ, m.Events, query=r.LogQuery),
    Route("GET", f"{ONE}/events", answers.deployment_events, READ, m.Event, query=r.FollowQuery, stream=True),
    Route("GET", "/v1/events", answers.events, READ, m.Event, query=r.FollowQuery, stream=True),
    Route("GET", f"{COLOUR}/logs", answers.environment_logs, READ, m.Output, query=r.OutputQuery),
    Route("GET", "/v1/plans/{id}", answers.stored_plan, READ, m.Plan),
    Route("POST", "/v1/plans", answers.plan, OPERATE, m.Plan, r.PlanRequest, status=201),
    Route("POST", "/v1/deployments", answers.deploy, OPERATE, m.Deployment, r.DeployRequest, status=202),
    Route("POST", f"{ONE}/promote", answers.promote, OPERATE, m.Deployment, r.ReasonRequest),
    Route("POST", f"{ONE}/abort", answers.abort, OPERATE, m.Deployment, r.ReasonRequest),
    Route("POST", f"{ONE}/retry", answers.retry, OPERATE, m.Deployment, r.RetryRequest, status=202),
    Route("POST", f"{ONE}/resolve", answers.resolve, OPERATE, m.Deployment, r.ResolveRequest),
    Route("POST", "/v1/cutback", answers.cutback, CUTBACK, m.Deployment, r.CutbackRequest),
    Route("POST", "/v1/rollback", answers.rollback, OPERATE, m.Deployment, r.RollbackRequest, status=202),
    Route("GET", "/v1/config", answers.configuration, ADMIN, None),
    Route("GET", "/v1/openapi.json", answers.openapi_document, ANYBODY, None),
    Route("GET", "/healthz", answers.healthy, ANYBODY, None),
    Route("GET", "/readyz", answers.ready, ANYBODY, m.Ready),
)
# fmt: on


def make_api(
    service: Service, *, access: Access, configuration: Mapping[str, Json], budgets: Budgets = DEFAULT
) -> web.Application:
    """The application, to be served by `listening.serve_api`. `configuration` is shown to admins as it is:
    its secrets must be masked. Raises ConfigurationError for an entry of `access` that has no such form."""
    app = web.Application(middlewares=[answer_problems], client_max_size=BODY_LIMIT)
    app[SERVICE] = service
    app[BUDGETS] = budgets
    app[GRANTS] = Grants.resolve(access)
    app[answers.CONFIGURATION] = configuration
    app[answers.OPENAPI] = openapi.document(ROUTES)
    app[streams.OPEN_STREAMS] = set()
    app.on_shutdown.append(_end_streams)
    for name in app[GRANTS].unknown:
        log.warning("access.unknown_name", entry=name)
    for route in ROUTES:
        app.router.add_route(route.method, route.pattern, _guarded(route))
    return app


async def _end_streams(app: web.Application) -> None:
    streams.close_all(app)


def _guarded(route: Route) -> Handler:
    """The route's handler, for callers who have its right."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if route.right > Right.NONE:
            request[CALLER] = await _admit(request, route.right)
        return await route.handler(request)

    return handler


async def _admit(request: web.Request, needed: Right) -> Caller:
    """Who calls; Problem 403 where the kernel's word on them does not grant what is needed."""
    peer = _peer(request)
    who = await name_of(peer.uid)
    if request.app[GRANTS].of(peer) < needed:
        raise _refusal(peer, who, needed)
    return Caller(who, "socket")


def _refusal(peer: Peer, who: str, needed: Right) -> Problem:
    key = f"access.{needed.name.lower()}"
    facts = {"uid": peer.uid, "key": key}
    if peer.uid == UNMAPPED:
        detail = f"The kernel shows you as uid {UNMAPPED}: your credentials are mapped, you might be anybody."
        command = "systemctl show -p PrivateUsers bluegreen"
        return Problem(403, "peer-unmapped", detail, commands=(command,), facts=facts)
    detail = f'{who} may not do this: it needs the right "{needed.name.lower()}", granted by {key}.'
    command = f"add yourself to {key} in the configuration of bluegreen, then restart it"
    return Problem(403, "not-permitted", detail, commands=(command,), facts=facts)


def _peer(request: web.Request) -> Peer:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None:
        raise ConnectionResetError("the caller is gone")
    return Peer.of(connection)
