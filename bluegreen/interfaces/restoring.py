"""The routes that put a backup into service. As in upkeep.py, what takes minutes answers when it is done, and goes on
when its caller leaves."""

from aiohttp import web

from bluegreen.interfaces import models_restoring as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown


async def commands(request: web.Request) -> web.Response:
    """What a person types to put a backup into service without the daemon."""
    found = await request.app[SERVICE].restore_commands(request.match_info["backup"])
    return shown(models.ByHandCommands.model_validate(found))


async def losses(request: web.Request) -> web.Response:
    """What would go out of service with a restore, measured now."""
    return shown(models.Losses.model_validate(await request.app[SERVICE].losses(request.match_info["backup"])))


async def restore(request: web.Request) -> web.Response:
    """Put a backup into service; the former database is kept under another name. Answers when it is done."""
    body = requests.RestoreRequest.model_validate(await read_json(request))
    restored = await request.app[SERVICE].restore(
        request.match_info["backup"],
        request[CALLER],
        confirm=body.confirm,
        stop_colours=body.stop_colours,
        reason=body.reason,
    )
    return shown(models.Restored.model_validate(restored))
