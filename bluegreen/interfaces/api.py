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
from bluegreen.interfaces import (
    answers,
    arming,
    backfilling,
    migrating,
    openapi,
    restoring,
    samples,
    sites,
    streams,
    upkeep,
    variables,
)
from bluegreen.interfaces import models as m
from bluegreen.interfaces import models_arming as ma
from bluegreen.interfaces import models_backfill as mb
from bluegreen.interfaces import models_migrating as mm
from bluegreen.interfaces import models_restoring as mr
from bluegreen.interfaces import models_sites as msi
from bluegreen.interfaces import models_steering as ms
from bluegreen.interfaces import models_upkeep as mu
from bluegreen.interfaces import models_variables as mv
from bluegreen.interfaces import requests as r
from bluegreen.interfaces import requests_sites as rs
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import REDACT, Redact
from bluegreen.interfaces.budgets import BODY_LIMIT, BUDGETS, Budgets, send_in_time
from bluegreen.interfaces.hook_door import HookDoor
from bluegreen.interfaces.metrics import EXPOSITION, Exposition, metrics, nothing
from bluegreen.interfaces.peers import UNMAPPED, Access, Grants, Peer, Right, name_of
from bluegreen.interfaces.problems import Problem, answer_problems
from bluegreen.interfaces.routes import Route

log = structlog.get_logger(__name__)

DEFAULT, NO_DOOR = Budgets(), HookDoor()

GRANTS = web.AppKey("grants", Grants)

ANYBODY, READ, CUTBACK, OPERATE, ADMIN = Right
ONE, COLOUR = "/v1/deployments/{id}", "/v1/environments/{colour}"
BACKUP = "/v1/backups/{backup}"
BACKFILL = "/v1/migrations/backfill"

# fmt: off
ROUTES = (
    Route("GET", "/v1/status", answers.status, READ, m.Status),
    Route("GET", "/v1/deployments", answers.deployments, READ, m.Deployments, query=r.PageQuery),
    Route("GET", ONE, answers.deployment, READ, m.Deployment),
    Route("GET", f"{ONE}/explain", answers.explain, READ, ms.Explanation),
    Route("GET", f"{ONE}/samples", samples.samples, READ, None, text=True),
    Route("GET", f"{ONE}/logs", answers.logs, READ, m.Events, query=r.LogQuery),
    Route("GET", f"{ONE}/events", answers.deployment_events, READ, m.Event, query=r.FollowQuery, stream=True),
    Route("GET", "/v1/events", answers.events, READ, m.Event, query=r.FollowAllQuery, stream=True),
    Route("GET", f"{COLOUR}/logs", answers.environment_logs, READ, m.Output, query=r.OutputQuery),
    Route("GET", "/v1/plans/{id}", answers.stored_plan, READ, m.Plan),
    Route("POST", "/v1/plans", answers.plan, OPERATE, m.Plan, r.PlanRequest, status=201),
    Route("POST", "/v1/deployments", answers.deploy, OPERATE, m.Deployment, r.DeployRequest, status=202),
    Route("POST", f"{ONE}/promote", answers.promote, OPERATE, m.Deployment, r.PromoteRequest),
    Route("POST", f"{ONE}/abort", answers.abort, OPERATE, m.Deployment, r.ReasonRequest),
    Route("POST", f"{ONE}/retry", answers.retry, OPERATE, m.Deployment, r.RetryRequest, status=202),
    Route("POST", f"{ONE}/resolve", answers.resolve, OPERATE, m.Deployment, r.ResolveRequest),
    Route("POST", "/v1/cutback", answers.cutback, CUTBACK, m.Deployment, r.CutbackRequest),
    Route("POST", "/v1/pause", answers.pause, OPERATE, ms.Pause, r.PauseRequest),
    Route("POST", "/v1/resume", answers.resume, OPERATE, ms.Pause, r.ResumeRequest),
    Route("POST", "/v1/rollback", answers.rollback, OPERATE, m.Deployment, r.RollbackRequest, status=202),
    Route("GET", "/v1/migrations", upkeep.migrations, READ, mu.Migrations),
    Route("POST", "/v1/migrations/plan", migrating.rehearse, OPERATE, mm.Rehearsal, r.RehearseRequest),
    Route("POST", "/v1/migrations/up", migrating.migrate_up, OPERATE, mm.MigratedByHand, r.ReasonRequest),
    Route("GET", "/v1/migrations/contract", migrating.contract_plan, READ, mm.ContractPlan),
    Route("POST", "/v1/migrations/contract", migrating.contract, OPERATE, mm.MigratedByHand, r.ContractRequest),
    Route("POST", "/v1/migrations/repair", upkeep.repair, OPERATE, mu.Repairs, r.RepairRequest),
    Route("GET", BACKFILL, backfilling.backfills, READ, mb.Backfills),
    Route("POST", BACKFILL, backfilling.backfill, OPERATE, mb.Backfills, r.BackfillRequest),
    Route("POST", f"{BACKFILL}/pause", backfilling.pause, OPERATE, mb.Backfills, r.ReasonRequest),
    Route("POST", f"{BACKFILL}/resume", backfilling.resume, OPERATE, mb.Backfills, r.ReasonRequest),
    Route("POST", f"{BACKFILL}/cancel", backfilling.cancel, OPERATE, mb.Backfills, r.ReasonRequest),
    Route("GET", "/v1/backups", upkeep.backups, READ, mu.Backups),
    Route("POST", "/v1/backups", upkeep.back_up, OPERATE, mu.Backups, r.ReasonRequest, status=201),
    Route("POST", f"{BACKUP}/verify", upkeep.verify_backup, OPERATE, mu.Backup, r.EmptyRequest),
    Route("GET", f"{BACKUP}/restore-command", restoring.commands, OPERATE, mr.ByHandCommands),
    Route("GET", f"{BACKUP}/losses", restoring.losses, OPERATE, mr.Losses),
    Route("POST", f"{BACKUP}/restore", restoring.restore, OPERATE, mr.Restored, r.RestoreRequest),
    Route("POST", f"{COLOUR}/up", upkeep.start_colour, OPERATE, mu.ByHand, r.UpRequest),
    Route("POST", f"{COLOUR}/down", upkeep.stop_colour, OPERATE, mu.ByHand, r.ReasonRequest),
    Route("POST", f"{COLOUR}/smoke", upkeep.smoke_colour, OPERATE, mu.SmokeAnswer, r.SmokeRequest),
    Route("POST", f"{COLOUR}/takeover", upkeep.take_over, OPERATE, mu.ByHand, r.TakeoverRequest),
    Route("POST", "/v1/variables/check", variables.check, OPERATE, mv.VariableCheck, r.VariablesRequest),
    Route("GET", "/v1/caddy", arming.setup, READ, ma.BalancerSetup),
    Route("GET", "/v1/caddy/snippet", arming.caddyfile_lines, ADMIN, ma.CaddyfileLines),
    Route("POST", "/v1/caddy/arm", arming.arm, OPERATE, ma.BalancerSetup, r.ReasonRequest),
    Route("POST", "/v1/caddy/disarm", arming.disarm, OPERATE, ma.BalancerSetup, r.ReasonRequest),
    Route("GET", "/v1/sites", sites.sites, READ, msi.Sites),
    Route("POST", "/v1/sites", sites.add, OPERATE, msi.SiteChange, rs.SiteRequest),
    Route("POST", "/v1/sites/{site}/remove", sites.remove, OPERATE, msi.SiteChange, rs.RemoveSiteRequest),
    Route("GET", "/v1/notify", upkeep.receivers, READ, mu.Receivers),
    Route("POST", "/v1/notify/{name}/test", upkeep.test_receiver, OPERATE, mu.Delivery, r.EmptyRequest),
    Route("POST", "/v1/hooks/{name}/test", upkeep.test_hook, OPERATE, mu.HookTest, r.EmptyRequest),
    Route("GET", "/v1/audit", upkeep.audit, ADMIN, mu.Audit, query=r.AuditQuery),
    Route("GET", "/v1/config", answers.configuration, ADMIN, None),
    Route("POST", "/v1/reload", answers.reload, ADMIN, m.Reload, r.ReloadRequest, status=202),
    Route("GET", "/v1/openapi.json", answers.openapi_document, ANYBODY, None),
    Route("GET", "/healthz", answers.healthy, ANYBODY, None),
    Route("GET", "/readyz", answers.ready, ANYBODY, m.Ready),
    Route("GET", "/metrics", metrics, ANYBODY, None, text=True),
)
# fmt: on


def make_api(
    service: Service,
    *,
    access: Access,
    configuration: Mapping[str, Json],
    budgets: Budgets = DEFAULT,
    door: HookDoor = NO_DOOR,
    exposition: Exposition = nothing,
    redact: Redact = str,
) -> web.Application:
    """The application, to be served by `listening.serve_api`. `configuration` is shown to admins as it is:
    its secrets must be masked; `door` is where alerts come in, for `bluegreen hook test`; `exposition` gives what
    `GET /metrics` answers; `redact` blanks out secrets in what callers send. Raises ConfigurationError for an entry of
    `access` that has no such form."""
    app = web.Application(middlewares=[send_in_time, answer_problems], client_max_size=BODY_LIMIT)
    app[SERVICE] = service
    app[BUDGETS] = budgets
    app[REDACT] = redact
    app[upkeep.DOOR] = door
    app[EXPOSITION] = exposition
    app[GRANTS] = Grants.resolve(access)
    app[answers.CONFIGURATION] = configuration
    app[answers.OPENAPI] = openapi.document(ROUTES)
    app[streams.OPEN_STREAMS] = {}
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
    command = f"have an admin add you to {key} in the configuration, then: systemctl reload bluegreen"
    return Problem(403, "not-permitted", detail, commands=(command,), facts=facts)


def _peer(request: web.Request) -> Peer:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    gone = Problem(400, "caller-gone", "The caller went away.", close=True)
    if connection is None:
        raise gone
    try:
        return Peer.of(connection)
    except OSError as exc:
        raise gone from exc
