"""The routes of upkeep, one function a route: backups, migrations, colours by hand, tests, the audit.

What takes minutes answers when it is done. It goes on when its caller leaves: aiohttp does not cancel a handler for
that, and how it ended is an event and a line in the log.
"""

from aiohttp import web
from pydantic import BaseModel

from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import models_upkeep as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.hook_door import HookDoor

DOOR: web.AppKey[HookDoor] = web.AppKey("door", HookDoor)


async def migrations(request: web.Request) -> web.Response:
    """Every migration of every database, with what the ledger says of it."""
    return shown(models.Migrations.model_validate({"items": await request.app[SERVICE].migrations()}))


async def repair(request: web.Request) -> web.Response:
    """Take files and schema as they are for what was applied, or settle one migration by a person's word."""
    body = requests.RepairRequest.model_validate(await read_json(request))
    service, caller = request.app[SERVICE], request[CALLER]
    label = body.applied or body.not_applied
    if label is None:
        done = await service.repair(caller, body.reason, indexes=body.indexes)
    else:
        done = (await service.settle(label, caller, body.reason, applied=body.applied is not None),)
    return shown(models.Repairs.model_validate({"items": done}))


async def backups(request: web.Request) -> web.Response:
    """The backups that are kept, the latest first."""
    return shown(models.Backups.model_validate({"items": await request.app[SERVICE].backups()}))


async def back_up(request: web.Request) -> web.Response:
    """Take a verified backup of every database; answers when it is taken."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    taken = await request.app[SERVICE].back_up(request[CALLER], body.reason)
    return shown(models.Backups.model_validate({"items": taken}), 201)


async def verify_backup(request: web.Request) -> web.Response:
    """Verify a kept backup once more, without touching it; answers when that is known."""
    requests.EmptyRequest.model_validate(await read_json(request))
    checked = await request.app[SERVICE].verify_backup(request.match_info["backup"], request[CALLER])
    return shown(models.Backup.model_validate(checked))


async def start_colour(request: web.Request) -> web.Response:
    """Bring the idle colour up with a release, by default the one it last ran."""
    body = requests.UpRequest.model_validate(await read_json(request))
    service = request.app[SERVICE]
    return shown(
        models.ByHand.model_validate(
            await service.start_colour(_colour(request), body.release or "", request[CALLER], body.reason)
        )
    )


async def stop_colour(request: web.Request) -> web.Response:
    """Stop the idle colour."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    stopped = await request.app[SERVICE].stop_colour(_colour(request), request[CALLER], body.reason)
    return shown(models.ByHand.model_validate(stopped))


async def take_over(request: web.Request) -> web.Response:
    """Start the live-only parts of the colour that serves, on a person's word that no others run."""
    body = requests.TakeoverRequest.model_validate(await read_json(request))
    done = await request.app[SERVICE].take_over(_colour(request), request[CALLER], body.reason)
    return shown(models.ByHand.model_validate(done))


async def smoke_colour(request: web.Request) -> web.Response:
    """Ask a colour what a deployment would ask of it: readiness, the smoke checks, perhaps continuity."""
    body = requests.SmokeRequest.model_validate(await read_json(request))
    service, colour = request.app[SERVICE], _colour(request)
    found = await service.smoke_colour(colour, request[CALLER], with_continuity=body.continuity)
    return shown(models.SmokeAnswer.model_validate(found))


async def receivers(request: web.Request) -> web.Response:
    """The names of those who are told."""
    return shown(models.Receivers(items=request.app[SERVICE].receivers()))


async def test_receiver(request: web.Request) -> web.Response:
    """Send a receiver one notice, marked as a test; 503 with the reason where it is not delivered."""
    requests.EmptyRequest.model_validate(await read_json(request))
    sent = await request.app[SERVICE].test_receiver(request.match_info["name"], request[CALLER])
    return shown(models.Delivery.model_validate(sent))


async def test_hook(request: web.Request) -> web.Response:
    """Post a resolved alert to the hook's own listener, and say what a firing one would do now."""
    requests.EmptyRequest.model_validate(await read_json(request))
    service = request.app[SERVICE]
    tested = await request.app[DOOR].test(request.match_info["name"], request[CALLER], service)
    return shown(models.HookTest.model_validate(tested))


async def audit(request: web.Request) -> web.Response:
    """Who did what, the latest first."""
    page = requests.AuditQuery.model_validate(dict(request.query))
    rows = await request.app[SERVICE].audit(page.limit, page.cursor)
    cursor = rows[-1].seq if len(rows) == page.limit else None
    return shown(models.Audit.model_validate({"items": rows, "cursor": cursor}))


def shown(answer: BaseModel, status: int = 200) -> web.Response:
    """An answer as JSON."""
    return web.Response(status=status, body=answer.model_dump_json().encode(), content_type="application/json")


def _colour(request: web.Request) -> Colour:
    return Colour(request.match_info["colour"])
