"""Traffic that others moved is put back where it should be: one write, read back, and proved through the front door."""

from contextlib import suppress

from bluegreen.app.arrival import PROOF_SECONDS, prove
from bluegreen.app.world import World
from bluegreen.domain.errors import ChangeUnknown, ConnectionLost
from bluegreen.domain.traffic import Colour


async def write(
    world: World, colour: Colour, generation: int, *, expected: Colour | None = None, fallback: bool = False
) -> None:
    """Make one attempt to send every service to `colour` and read it back. Raises a BalancerError where it is not so.

    With `expected`, MovedOutside where users are not on that colour (nothing is written then).
    """
    with suppress(ConnectionLost):  # settled by the read below
        await world.balancer.switch(colour, generation, expected=expected, fallback=fallback)
    traffic = await world.balancer.observe()
    if (traffic.colour, traffic.generation, traffic.fallback) != (colour, generation, fallback):
        raise ChangeUnknown(f"{colour} was written but is not what {world.balancer_name} says: {traffic.describe()}")


async def put_back(world: World, colour: Colour, generation: int) -> None:
    """The same over whatever is there, then proved through the front door. Raises BalancerError, StepFailed."""
    await write(world, colour, generation)
    await prove(world, colour, PROOF_SECONDS)
