"""Starts and stops colours, and never the live one (rule 8): the route is read right before every call."""

from bluegreen.app.witness import running_release
from bluegreen.app.world import World
from bluegreen.domain.errors import BalancerError, LiveColourProtected
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour, normal


async def start(world: World, colour: Colour, release: Release) -> str:
    """Ensure an idle colour runs a release; returns the kept output. Raises LiveColourProtected, RunnerFailed."""
    await refuse_live(world, colour, "started")
    return await world.runners[colour].up(release)


async def stop(world: World, colour: Colour) -> str:
    """Ensure an idle colour is stopped; returns the kept output. Raises LiveColourProtected, RunnerFailed."""
    await refuse_live(world, colour, "stopped")
    return await world.runners[colour].down()


async def stop_slice(world: World, colour: Colour, number: int) -> str:
    """Ensure one slice of an idle colour is stopped; as `stop`."""
    await refuse_live(world, colour, "stopped")
    return await world.runners[colour].stop_slice(number)


async def stop_for_restoration(world: World, colour: Colour) -> str:
    """Stop a colour, also the live one: an operator ordered it in so many words, since its database is swapped under
    it. The only call that does not look where users are."""
    output = await world.runners[colour].down()
    await world.journal.forget("release", colour)
    return output


async def keep_started(world: World, colour: Colour, version: str) -> None:
    """Remember that a colour runs a release: until it is stopped, and beyond that what it ran last."""
    await world.journal.keep("ran", colour, version)
    await world.journal.keep("release", colour, version)


async def keep_stopped(world: World, colour: Colour) -> None:
    """Remember that a colour runs nothing any more, and what it ran last."""
    last = await ran_last(world, colour)
    if last:
        await world.journal.keep("ran", colour, last)
    await world.journal.forget("release", colour)


async def running(world: World, colour: Colour) -> str:
    """The release that a colour runs, by the journal; before we ever started it, by the configuration. Empty where it
    was stopped, or nobody knows."""
    return await running_release(world.journal, world.releases, colour)


async def ran_last(world: World, colour: Colour) -> str:
    """The release that a colour runs, else the one that it ran before it was stopped; empty where nobody knows."""
    known = await world.journal.fact("release", colour) or await world.journal.fact("ran", colour)
    return str(known or world.releases.get(colour) or "")


async def refuse_live(world: World, colour: Colour, action: str) -> None:
    """Raise LiveColourProtected unless the balancer can be read and dials nothing of this colour."""
    try:
        traffic = await world.balancer.observe()
    except BalancerError as exc:
        raise LiveColourProtected(
            f"{colour} is not {action}: where the traffic is cannot be read ({exc.detail})", next=exc.next
        ) from exc
    if any(_dials(world, service.dials, colour) for service in traffic.services):
        raise LiveColourProtected(
            f"{colour} is not {action}: {world.balancer_name} dials it ({traffic.describe()})",
            next=("bluegreen status",),
        )


def _dials(world: World, dials: tuple[str, ...], colour: Colour) -> bool:
    addresses = {normal(address) for service in world.services.values() for address in service.addresses[colour]}
    return not addresses.isdisjoint(normal(dial) for dial in dials)
