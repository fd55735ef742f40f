"""The routes of backfills, one function a route.

`backfill` and `resume` answer when all is done, or a person stopped it: what they began goes on when the caller leaves.
"""

from collections.abc import Sequence

from aiohttp import web

from bluegreen.domain.backfills import Progress
from bluegreen.interfaces import models_backfill as models
from bluegreen.interfaces import requests
from bluegreen.interfaces.answers import CALLER, SERVICE
from bluegreen.interfaces.bodies import read_json
from bluegreen.interfaces.upkeep import shown


async def backfills(request: web.Request) -> web.Response:
    """Every backfill that was ever begun, with how far it is."""
    return _shown(await request.app[SERVICE].backfills())


async def backfill(request: web.Request) -> web.Response:
    """Run the backfills that have rows to do, or one of them; answers when they are done or a person stopped them."""
    body = requests.BackfillRequest.model_validate(await read_json(request))
    return _shown(await request.app[SERVICE].backfill(request[CALLER], body.label or "", body.reason))


async def pause(request: web.Request) -> web.Response:
    """Stop the backfill that runs between two batches; nothing is held then."""
    return _shown(await request.app[SERVICE].pause_backfill(request[CALLER], await _reason(request)))


async def resume(request: web.Request) -> web.Response:
    """Go on with what was paused; answers like `backfill`, at once where a deployment goes on with it."""
    return _shown(await request.app[SERVICE].resume_backfill(request[CALLER], await _reason(request)))


async def cancel(request: web.Request) -> web.Response:
    """Stop the backfill that runs or is paused; its rows stay to be done."""
    return _shown(await request.app[SERVICE].cancel_backfill(request[CALLER], await _reason(request)))


async def _reason(request: web.Request) -> str:
    return requests.ReasonRequest.model_validate(await read_json(request)).reason


def _shown(found: Sequence[Progress]) -> web.Response:
    return shown(models.Backfills.model_validate({"items": tuple(found)}))
