"""The routes that rehearse and apply migrations, one function a route.

They answer when it is done, and what they began goes on when the caller leaves.
"""

from aiohttp import web

from bluegreen.interfaces import models_migrating as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown

FILES_LIMIT = 1 << 20
"""Bytes that the files of one rehearsal may have, as JSON."""


async def rehearse(request: web.Request) -> web.Response:
    """Rehearse what is pending, or the given files, on a copy; production is only read."""
    body = requests.RehearseRequest.model_validate(await read_json(request, FILES_LIMIT))
    found = await request.app[SERVICE].rehearse(body.files, body.source or "", request[CALLER])
    return shown(models.Rehearsal.model_validate(found))


async def migrate_up(request: web.Request) -> web.Response:
    """Apply the pending expand migrations by hand, after a backup and a rehearsal."""
    body = requests.ReasonRequest.model_validate(await read_json(request))
    return shown(
        models.MigratedByHand.model_validate(await request.app[SERVICE].migrate_up(request[CALLER], body.reason))
    )


async def contract_plan(request: web.Request) -> web.Response:
    """What `contract` would do now, and which releases could not serve again."""
    return shown(models.ContractPlan.model_validate(await request.app[SERVICE].contract_plan()))


async def contract(request: web.Request) -> web.Response:
    """Apply the contract migrations that nothing stands against, after a backup and a rehearsal."""
    body = requests.ContractRequest.model_validate(await read_json(request))
    expected = None if body.expected is None else tuple(body.expected)
    done = await request.app[SERVICE].migrate_contract(request[CALLER], body.reason, expected)
    return shown(models.MigratedByHand.model_validate(done))
