"""One function a route: read the request, call the use case, show what it answers."""

import hashlib
from collections.abc import Mapping

from aiohttp import web
from pydantic import BaseModel

from bluegreen.app.requests import Caller, DeployRequest
from bluegreen.app.service import Service
from bluegreen.domain import deployments as domain
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import models, models_steering, requests
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.problems import Problem
from bluegreen.interfaces.streams import begin, stream

SERVICE = web.AppKey("service", Service)
CONFIGURATION: web.AppKey[Mapping[str, Json]] = web.AppKey("configuration")
OPENAPI: web.AppKey[Mapping[str, Json]] = web.AppKey("openapi")
CALLER = web.RequestKey("caller", Caller)

KEY_LENGTH = 255
"""Characters that an Idempotency-Key may have."""


# --- reading


async def status(request: web.Request) -> web.Response:
    """Where the traffic is, and whether anything moves."""
    return _shown(models.Status.model_validate(await _service(request).status()))


async def deployments(request: web.Request) -> web.Response:
    """Deployments, the latest first."""
    page = requests.PageQuery.model_validate(dict(request.query))
    found = await _service(request).deployments(page.limit, page.cursor)
    cursor = found[-1].id if len(found) == page.limit else None
    return _shown(models.Deployments.model_validate({"items": found, "cursor": cursor}))


async def deployment(request: web.Request) -> web.Response:
    """One deployment; "current" is the running one, else the last."""
    return _deployment(await _service(request).deployment(_id(request)))


async def explain(request: web.Request) -> web.Response:
    """The arithmetic of a deployment's verdict: now, or as it was last."""
    return _shown(models_steering.Explanation.model_validate(await _service(request).explain(_id(request))))


async def logs(request: web.Request) -> web.Response:
    """A deployment's story: its events, with what its commands printed."""
    query = requests.LogQuery.model_validate(dict(request.query))
    found = await _service(request).deployment(_id(request))
    events = await _service(request).events(query.after, found.id, query.limit)
    after = events[-1].seq if events else query.after
    items = [event for event in events if query.phase in (None, event.phase)]
    return _shown(models.Events.model_validate({"items": items, "after": after}))


async def deployment_events(request: web.Request) -> web.StreamResponse:
    """A deployment's story as it happens, from its beginning or from Last-Event-ID."""
    query = requests.FollowQuery.model_validate(dict(request.query))
    after = begin(request, query.after)
    found = await _service(request).deployment(_id(request))
    return await stream(request, _service(request).follow(after, found.id), request[CALLER].who)


async def events(request: web.Request) -> web.StreamResponse:
    """Everything that happens: from now on, or after the number that `after` or Last-Event-ID names."""
    query = requests.FollowAllQuery.model_validate(dict(request.query))
    now = await _service(request).newest() if query.after is None else query.after
    return await stream(request, _service(request).follow(begin(request, now)), request[CALLER].who)


async def environment_logs(request: web.Request) -> web.Response:
    """The end of a colour's own log."""
    query = requests.OutputQuery.model_validate(dict(request.query))
    colour = Colour(request.match_info["colour"])
    text = await _service(request).environment_logs(colour, query.lines)
    return _shown(models.Output(colour=colour, text=text))


async def stored_plan(request: web.Request) -> web.Response:
    """A plan that was made."""
    return _shown(models.Plan.model_validate(await _service(request).stored_plan(_id(request))))


async def configuration(request: web.Request) -> web.Response:
    """The configuration in force; secrets are masked."""
    shown = request.app[CONFIGURATION]
    return web.json_response(dict(shown))


async def openapi_document(request: web.Request) -> web.Response:
    """This API as an OpenAPI 3.1 document."""
    return web.json_response(request.app[OPENAPI])


async def healthy(request: web.Request) -> web.Response:
    """The daemon turns."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Whether the daemon is fully able to work; 503 with the reasons where not."""
    reasons = await _service(request).troubles()
    if reasons:
        facts = {"ready": False, "reasons": list(reasons)}
        raise Problem(503, "not-ready", "; ".join(reasons), commands=("bluegreen status",), facts=facts)
    return _shown(models.Ready(ready=True, reasons=()))


# --- ordering


async def plan(request: web.Request) -> web.Response:
    """Say what a deployment would do; nothing is done."""
    wanted = requests.PlanRequest.model_validate(await read_json(request)).wanted()
    made = await _service(request).plan(wanted, request[CALLER])
    return _shown(models.Plan.model_validate(made), 201, Location=f"/v1/plans/{made.id}")


async def deploy(request: web.Request) -> web.Response:
    """Start a deployment of a plan or a release; with an Idempotency-Key, once however often it is asked."""
    body = requests.DeployRequest.model_validate(await read_json(request))
    wanted = DeployRequest(plan=body.plan or "", release=body.wanted(), supersede=body.supersede)
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or not key.isprintable():
        detail = f"Idempotency-Key must be printable, at most {KEY_LENGTH} characters."
        raise Problem(400, "malformed", detail)
    return _started(await _service(request).deploy(wanted, request[CALLER], key))


async def promote(request: web.Request) -> web.Response:
    """Pass the gate: let users meet the new release."""
    body = requests.PromoteRequest.model_validate(await read_json(request))
    await _require_match(request)
    promoted = await _service(request).promote(_id(request), request[CALLER], body.reason, full=body.full)
    return _deployment(promoted)


async def abort(request: web.Request) -> web.Response:
    """Before the switch: give up. After it: cut back."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    await _require_match(request)
    return _deployment(await _service(request).abort(_id(request), request[CALLER], body.reason))


async def retry(request: web.Request) -> web.Response:
    """Try an ABANDONED deployment's plan again, or a STRANDED one's way back."""
    requests.RetryRequest.model_validate(await read_json(request))
    await _require_match(request)
    return _started(await _service(request).retry(_id(request), request[CALLER]))


async def resolve(request: web.Request) -> web.Response:
    """Say that a STRANDED deployment was settled by hand."""
    body = requests.ResolveRequest.model_validate(await read_json(request))
    return _deployment(await _service(request).resolve(_id(request), request[CALLER], body.reason))


async def cutback(request: web.Request) -> web.Response:
    """Send all traffic back to the old colour; harmless twice."""
    body = requests.CutbackRequest.model_validate(await read_json(request))
    return _deployment(await _service(request).cutback(request[CALLER], body.reason, force=body.force))


async def pause(request: web.Request) -> web.Response:
    """Let nothing move by itself; what operators order works all the while."""
    body = requests.PauseRequest.model_validate(await read_json(request))
    paused = await _service(request).pause(request[CALLER], body.reason, body.seconds)
    return _shown(models_steering.Pause(pause=models.Paused.model_validate(paused)))


async def resume(request: web.Request) -> web.Response:
    """Let things move by themselves again; harmless where nothing is paused."""
    body = requests.ResumeRequest.model_validate(await read_json(request))
    ended = await _service(request).resume(request[CALLER], body.reason)
    return _shown(models_steering.Pause(pause=None, ended=models.Paused.model_validate(ended) if ended else None))


async def rollback(request: web.Request) -> web.Response:
    """Return to an earlier release: a deployment of its own."""
    body = requests.RollbackRequest.model_validate(await read_json(request))
    return _started(await _service(request).rollback(body.release or "", request[CALLER], body.reason))


async def reload(request: web.Request) -> web.Response:
    """Begin again with the configuration as it stands now; refused while a deployment runs, or where it is wrong."""
    requests.ReloadRequest.model_validate(await read_json(request))
    warnings = await _service(request).reload(request[CALLER])
    return _shown(models.Reload(warnings=warnings), 202)


def _service(request: web.Request) -> Service:
    return request.app[SERVICE]


def _id(request: web.Request) -> str:
    return request.match_info["id"]


async def _require_match(request: web.Request) -> None:
    """Hold the caller to the state it looked at; Problem 412 where the deployment has moved on."""
    wanted = request.headers.get("If-Match")
    if wanted is None:
        return
    current = _etag(await _service(request).deployment(_id(request)))
    if wanted.strip() not in ("*", current):
        raise Problem(
            412,
            "deployment-moved-on",
            "The deployment is not in the state you looked at.",
            commands=("bluegreen status",),
            facts={"etag": current},
        )


def _etag(found: domain.Deployment) -> str:
    """Names a deployment's state, not its every tick: `elapsed` alone makes no new one."""
    state = f"{found.id} {found.phase} {found.attempt} {len(found.path)} {found.moved} {found.settled}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:16]}"'


def _deployment(found: domain.Deployment) -> web.Response:
    return _shown(models.Deployment.model_validate(found), ETag=_etag(found))


def _started(found: domain.Deployment) -> web.Response:
    location = f"/v1/deployments/{found.id}"
    return _shown(models.Deployment.model_validate(found), 202, ETag=_etag(found), Location=location)


def _shown(answer: BaseModel, status: int = 200, **headers: str) -> web.Response:
    body = answer.model_dump_json().encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
