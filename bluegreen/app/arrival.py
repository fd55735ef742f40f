"""Whether users arrived where they were sent: asked through the front door, as they come in. Proved, not assumed."""

import asyncio
from dataclasses import dataclass

from bluegreen.app.world import World
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.traffic import Colour

PROOF_ANSWERS = 3
"""Answers in a row, for each service, that count as proof: a second Caddy on the port would show in them."""

PROOF_SECONDS = 10.0
"""Seconds within which the front door must show the intended colour."""

BAD_GATEWAY = (502, 504)
"""What a proxy says of an upstream that does not answer (RFC 9110, 15.6)."""


async def prove(world: World, colour: Colour, seconds: float) -> None:
    """Return when the front door answers from `colour`, for every service, PROOF_ANSWERS times in a row.

    Raises StepFailed naming the last answers when that is not so within `seconds`.
    """
    await _prove(world, frozenset({colour}), seconds, str(colour))


async def prove_shared(world: World, seconds: float) -> None:
    """The same, while users are shared out: either colour may answer. Which of them how often is for the access log to
    tell: our own requests are one user, who always meets the same colour."""
    await _prove(world, frozenset(Colour), seconds, "either colour")


async def _prove(world: World, colours: frozenset[Colour], seconds: float, where: str) -> None:
    last: dict[str, FrontDoorAnswer] = {}
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for service in world.services:
                group.create_task(_prove_service(world, service, colours, last), name=f"prove:{service}")
    except TimeoutError as exc:
        answers = "; ".join(describe(answer) for answer in last.values() if not _proves(answer, colours))
        raise StepFailed(f"the front door does not answer from {where}: {answers or 'no answer at all'}") from exc


@dataclass(frozen=True, slots=True)
class Landing:
    """How the way back looks through the front door: proved; or at least answered, by no other colour."""

    proved: bool
    answered: bool
    detail: str


async def look_through_front_door(world: World, colour: Colour, seconds: float) -> Landing:
    """Prove the way back as well as it can be: without an access log (a full disk) an answer must do, and an answer
    that is an error of the application's own shows that users are where they should be, if not how they fare."""
    try:
        await prove(world, colour, seconds)
    except StepFailed as exc:
        answers = [await world.front_door.ask(service) for service in world.services]
        return Landing(False, all(_lands(answer, colour) for answer in answers), exc.detail)
    return Landing(True, True, "")


def _lands(answer: FrontDoorAnswer, colour: Colour) -> bool:
    return answer.colour in (None, colour) and answer.status not in (None, *BAD_GATEWAY)


def describe(answer: FrontDoorAnswer) -> str:
    """One answer of the front door, for people."""
    got = f"HTTP {answer.status}" if answer.status is not None else answer.error or "no answer"
    colour = f"from {answer.colour}" if answer.colour else "and no access-log line names the colour"
    return f"{answer.service}: {got} {colour}"


async def _prove_service(
    world: World, service: str, colours: frozenset[Colour], last: dict[str, FrontDoorAnswer]
) -> None:
    in_a_row = 0
    while in_a_row < PROOF_ANSWERS:
        last[service] = answer = await world.front_door.ask(service)
        in_a_row = in_a_row + 1 if _proves(answer, colours) else 0
        if not in_a_row:
            await asyncio.sleep(0.05)


def _proves(answer: FrontDoorAnswer, colours: frozenset[Colour]) -> bool:
    return answer.served and answer.colour in colours
