"""Whether the balancer reads the file that tells it where to send users. Asked with a nonce, never assumed.

In a directory that is closed to Caddy the file does not exist for it, and it serves by its last arm without a word
(pinned in tests/adapters/balancers/test_caddy_facts.py): every user would be answered, and no switch would move any.
"""

import asyncio
from collections.abc import Iterable
from uuid import uuid4

from bluegreen.app.world import World
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import BalancerError, BluegreenError, RouteNotFound, StepFailed
from bluegreen.ports_traffic import Arming, PointerDoor

DISARMED = ("arming", "disarmed")
"""The fact that an operator disarmed, by kind and key: nothing arms again by itself then."""

TRIES = 3
"""Nonces that are planted: whoever else verifies meanwhile plants his own over ours."""

PATIENCE = 2.0
"""Seconds in which every service must answer to one nonce; a switch meanwhile changes what it should say."""

PAUSE = 0.1
"""Seconds between two questions."""


async def verify_pointer(world: World) -> tuple[BluegreenError, ...]:
    """What speaks against moving users by the file, with what to type; empty where nothing does, and in any other mode
    than "pointer". Moves nobody; leaves a nonce beside the file. Raises nothing of the domain."""
    if world.arming is None or world.pointer_door is None:
        return ()
    return await verify(world.services, world.arming, world.pointer_door)


async def verify(services: Iterable[str], arming: Arming, door: PointerDoor) -> tuple[BluegreenError, ...]:
    """The same, on the parts alone."""
    try:
        arms = await arming.arms()
        unfit = tuple(unfit_for_a_switch(each) for each in arms if not each.serves)
        armed = {each.service for each in arms if each.serves}
        return (*unfit, *await _look(tuple(name for name in services if name in armed), arming, door))
    except BalancerError as exc:
        return (exc,)


def unfit_for_a_switch(arms: Arms) -> RouteNotFound:
    """Why a switch would not move the users of this service."""
    why = f": {arms.fault}" if arms.fault else ""
    where = f" (at {', '.join(arms.paths)})" if arms.paths else ""
    again = "it is armed anew" if arms.armed is Armed.OUTDATED else "it is armed"
    return RouteNotFound(
        f"{arms.service} is {arms.armed}{where}{why}; no switch moves its users before {again}",
        next=("bluegreen caddy arm",),
        service=arms.service,
    )


async def _look(services: tuple[str, ...], arming: Arming, door: PointerDoor) -> tuple[BluegreenError, ...]:
    if not services:
        return ()
    if await arming.pointed() is None:
        return (
            StepFailed(
                f"there is no file {arming.file}: Caddy sends users to whichever colour is alive",
                next=("bluegreen caddy arm",),
            ),
        )
    blind = dict.fromkeys(services, "")
    for _ in range(TRIES):
        nonce = uuid4().hex
        await arming.plant(nonce)
        async with asyncio.TaskGroup() as group:
            for name in blind:
                group.create_task(_ask(name, nonce, arming, door, blind), name=f"pointer:{name}")
        blind = {name: why for name, why in blind.items() if why}
        if not blind:
            return ()
    return tuple(_blind(name, why, arming.file) for name, why in blind.items())


async def _ask(service: str, nonce: str, arming: Arming, door: PointerDoor, answers: dict[str, str]) -> None:
    """Put into `answers` why this service does not follow the file; empty where it does."""
    answers[service] = "no answer in time"
    try:
        async with asyncio.timeout(PATIENCE):
            while answers[service]:
                answers[service] = _compared(await door.reads(service, nonce), await arming.pointed())
                if answers[service]:
                    await asyncio.sleep(PAUSE)
    except TimeoutError:
        return
    except BalancerError as exc:
        answers[service] = exc.detail


def _compared(read: str | None, written: str | None) -> str:
    if read is None:
        return "a nonce that was laid beside it is not known there"
    if read.strip() != (written or "").strip():
        return f'it reads "{read.strip()}" where "{(written or "").strip()}" is written'
    return ""


def _blind(service: str, why: str, file: str) -> StepFailed:
    return StepFailed(
        f"Caddy does not follow {file} for {service}: {why}. Either its directory is closed to Caddy, or the front door"
        " leads to another Caddy",
        next=(f"namei -l {file}", "bluegreen doctor"),
        service=service,
    )


async def forgets(world: World) -> tuple[str, ...]:
    """What is not armed, and what a Caddy that reads its Caddyfile again would forget, in words; empty where nothing,
    or where that cannot be told now."""
    try:
        arms = await world.arming.arms() if world.arming is not None else ()
    except BalancerError:
        return ()
    bare = ", ".join(each.service for each in arms if not each.serves)
    until = f"{bare}: not armed, and no deployment starts before `bluegreen caddy arm`"
    return (*((until,) if bare else ()), *forgotten(arms))


def forgotten(arms: Iterable[Arms]) -> tuple[str, ...]:
    """The same, of these services."""
    lost = ", ".join(each.service for each in arms if each.armed is Armed.OURS)
    since = "armed through the admin API alone: a reload or restart of Caddy from its Caddyfile takes that away"
    return (f"{lost}: {since}, until the lines of `bluegreen caddy snippet` are there",) if lost else ()
