"""The route of `bluegreen env check`."""

from aiohttp import web

from bluegreen.interfaces import models_variables as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown


async def check(request: web.Request) -> web.Response:
    """Compare the variables of the idle colour with the release's example and with the live colour: names alone."""
    body = requests.VariablesRequest.model_validate(await read_json(request))
    found = await request.app[SERVICE].check_variables(body.release or "", request[CALLER])
    return shown(models.VariableCheck.model_validate(found))
