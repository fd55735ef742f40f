"""The routes of `bluegreen caddy`: the balancer set up for mode "pointer", and back again."""

from aiohttp import web

from bluegreen.interfaces import models_arming as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown


async def setup(request: web.Request) -> web.Response:
    """How the balancer is set up for a switch, service by service."""
    return shown(models.BalancerSetup.model_validate(await request.app[SERVICE].setup()))


async def caddyfile_lines(request: web.Request) -> web.Response:
    """The lines for the Caddyfile, the secret of the preview among them."""
    return shown(models.CaddyfileLines.model_validate(request.app[SERVICE].caddyfile_lines()))


async def arm(request: web.Request) -> web.Response:
    """Set up every service for mode "pointer"; users stay where they are. Answers when it is proved."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    return shown(models.BalancerSetup.model_validate(await request.app[SERVICE].arm(request[CALLER], body.reason)))


async def disarm(request: web.Request) -> web.Response:
    """Put the operator's own routes back; users stay where they are. Answers when it is proved."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    return shown(models.BalancerSetup.model_validate(await request.app[SERVICE].disarm(request[CALLER], body.reason)))
