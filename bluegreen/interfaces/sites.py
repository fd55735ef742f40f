"""The routes of `bluegreen site`: host names set up at Caddy once."""

from aiohttp import web

from bluegreen.interfaces import models_sites as models
from bluegreen.interfaces import requests_sites as requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown


async def sites(request: web.Request) -> web.Response:
    """The sites that were added, as they stand."""
    return shown(models.Sites.model_validate(await request.app[SERVICE].sites()))


async def add(request: web.Request) -> web.Response:
    """Add a site; answers when it is proved that nobody was moved. Again: nothing is written."""
    body = requests.SiteRequest.model_validate(await read_json(request))
    done = await request.app[SERVICE].add_site(body.wanted(), request[CALLER])
    return shown(models.SiteChange.model_validate(done))


async def remove(request: web.Request) -> web.Response:
    """Take a site away."""
    body = requests.RemoveSiteRequest.model_validate(await read_json(request))
    name, caller = request.match_info["site"], request[CALLER]
    done = await request.app[SERVICE].remove_site(name, caller, body.reason, force=body.force)
    return shown(models.SiteChange.model_validate(done))
