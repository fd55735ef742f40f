"""The only ways to a runner (rule 8): the route is read right before every call that changes something.

What serves users, and what runs beside them, are two things. A colour that the balancer dials is never started, stopped
or prepared. Its live-only parts (workers, schedulers) are started there alone, and stopped where users are not, so that
they never run twice. A test holds that nobody else calls a runner's verbs.
"""

import msgspec

from bluegreen.app.witness import running_release
from bluegreen.app.world import World
from bluegreen.domain.errors import BalancerError, LiveColourProtected, StepFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour, Traffic, normal


async def prepare(world: World, colour: Colour, release: Release) -> str:
    """Ensure that all is there that an idle colour will need (its host, its tool, every image); nothing is started.
    Returns the kept output. Raises LiveColourProtected, RunnerFailed."""
    await refuse_live(world, colour, "prepared")
    return await world.runners[colour].prepare(release)


async def start(world: World, colour: Colour, release: Release) -> str:
    """Ensure an idle colour runs a release, without its live-only parts; returns the kept output. Raises
    LiveColourProtected, RunnerFailed."""
    await refuse_live(world, colour, "started")
    return await world.runners[colour].up(release)


async def stop(world: World, colour: Colour) -> str:
    """Ensure an idle colour is stopped, all of it; returns the kept output. Raises as `start`."""
    await refuse_live(world, colour, "stopped")
    return await world.runners[colour].down()


async def stop_slice(world: World, colour: Colour, number: int) -> str:
    """Ensure one slice of an idle colour is stopped; as `stop`."""
    await refuse_live(world, colour, "stopped")
    return await world.runners[colour].stop_slice(number)


async def start_live_only(world: World, colour: Colour, release: Release) -> str:
    """Ensure the live-only parts of the colour that serves run; returns the kept output. Nobody but live_only.py calls
    it: those of the other colour are stopped before. Raises LiveColourProtected, RunnerFailed."""
    await _require_serving(world, colour, f"the live-only parts of {colour} are not started")
    return await world.runners[colour].up(release, live_only=True)


async def stop_live_only(world: World, colour: Colour) -> str:
    """Ensure the live-only parts of a colour are stopped, where users are on the other one; returns the kept output.
    Raises LiveColourProtected, RunnerFailed."""
    await _require_serving(world, colour.other, f"the live-only parts of {colour} are not stopped")
    return await world.runners[colour].down(live_only=True)


async def stop_for_restoration(world: World, colour: Colour) -> str:
    """Stop a colour, also the live one: an operator ordered it in so many words, since its database is swapped under
    it. It does not look where users are, nor does `start_after_restoration`."""
    output = await world.runners[colour].down()
    await world.journal.forget("release", colour)
    return output


async def start_after_restoration(world: World, colour: Colour, release: Release) -> str:
    """Start what was stopped for a restoration again, also the colour that users are on. Raises RunnerFailed."""
    return await world.runners[colour].up(release)


async def keep_started(world: World, colour: Colour, release: Release) -> None:
    """Remember that a colour runs a release: until it is stopped, and beyond that what it ran last."""
    await world.journal.keep("started", colour, msgspec.to_builtins(release))
    await world.journal.keep("ran", colour, release.version)
    await world.journal.keep("release", colour, release.version)


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


async def release_of(world: World, colour: Colour) -> Release:
    """The release that a colour runs, with all that it was started with; before we ever started it, as its file says
    now. Raises StepFailed where nobody knows which, ReleaseInvalid, JournalUnreadable."""
    version = await ran_last(world, colour)
    if not version:
        raise StepFailed(
            f"which release {colour} runs is not known",
            next=(f"set [environments.{colour}] release, then: bluegreen reload",),
        )
    kept = await world.journal.fact("started", colour)
    if kept is not None and kept["version"] == version:
        return msgspec.convert(kept, Release)
    return await world.read_release(version)


async def refuse_live(world: World, colour: Colour, action: str) -> None:
    """Raise LiveColourProtected unless the balancer can be read and dials nothing of this colour."""
    traffic = await _traffic(world, f"{colour} is not {action}")
    if any(_dials(world, service.dials, colour) for service in traffic.services):
        raise LiveColourProtected(
            f"{colour} is not {action}: {world.balancer_name} dials it ({traffic.describe()})",
            next=("bluegreen status",),
        )


async def _require_serving(world: World, colour: Colour, refused: str) -> None:
    """Raise LiveColourProtected unless the balancer can be read and sends all users to this colour."""
    traffic = await _traffic(world, refused)
    if traffic.colour is not colour:
        raise LiveColourProtected(
            f"{refused}: users are not on {colour} ({traffic.describe()})", next=("bluegreen status",)
        )


async def _traffic(world: World, refused: str) -> Traffic:
    try:
        return await world.balancer.observe()
    except BalancerError as exc:
        raise LiveColourProtected(
            f"{refused}: where the traffic is cannot be read ({exc.detail})",
            next=exc.next or ("bluegreen status", world.by_hand),
        ) from exc


def _dials(world: World, dials: tuple[str, ...], colour: Colour) -> bool:
    addresses = {normal(address) for service in world.services.values() for address in service.addresses[colour]}
    return not addresses.isdisjoint(normal(dial) for dial in dials)
