"""What is still under way on the old colour after a switch: uploads, long polls, server-sent events, WebSockets.

They stay where they began. The balancer counts them; where it does not, or does not answer, nobody knows.
"""

import asyncio

from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Colour, normal

BUDGET = 2.0
"""Seconds for one question."""

EVERY = 2.0
"""Seconds between two questions while a release is watched: for people, nothing waits for it."""


async def still_open(world: World, colour: Colour) -> int | None:
    """How many requests are under way on a colour; None where nobody can tell."""
    if world.in_flight is None:
        return None
    try:
        async with asyncio.timeout(BUDGET):
            counts = await world.in_flight.in_flight()
    except (BalancerError, TimeoutError):
        return None
    dials = {normal(dial) for service in world.services.values() for dial in service.addresses[colour]}
    return sum(n for dial, n in counts.items() if normal(dial) in dials)


async def keep_counting(run: Run) -> None:
    """Keep `run.still_open` true, until cancelled; nothing where nobody can tell."""
    while run.world.in_flight is not None:
        run.still_open = await still_open(run.world, run.deployment.old)
        await asyncio.sleep(EVERY)


def in_words(n: int, colour: Colour) -> str:
    """`3 requests still open on blue`."""
    return f"{n} request{'' if n == 1 else 's'} still open on {colour}"
