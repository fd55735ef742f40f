"""Whether users arrived where they were sent: asked through the front door, as they come in. Proved, not assumed."""

import asyncio
from dataclasses import dataclass

from bluegreen.app.world import World
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.traffic import Colour

PROOF_ANSWERS = 5
"""Answers in a row, for each service, that count as proof: a second Caddy on the port would show in them."""

SURE_ANSWERS = 20
"""Answers in a row that count as proof once another colour has answered: by chance alone half of them would."""

PROOF_SECONDS = 10.0
"""Seconds within which the front door must show the intended colour."""

FELL_BACK = " Or the balancer fell back to it by itself, as it is configured to"

BAD_GATEWAY = (502, 504)
"""What a proxy says of an upstream that does not answer (RFC 9110, 15.6)."""


async def prove(world: World, colour: Colour, seconds: float) -> None:
    """Return when the front door answers from `colour`, for every service, PROOF_ANSWERS times in a row.

    After an answer of the other colour it takes SURE_ANSWERS: a balancer that is still on its way settles, and two on
    one port do not. Raises StepFailed naming the last answers when that is not so within `seconds`.
    """
    await _prove(world, frozenset({colour}), seconds, str(colour))


async def prove_shared(world: World, seconds: float) -> None:
    """The same, while users are shared out: either colour may answer. Which of them how often is for the access log to
    tell: our own requests are one user, who always meets the same colour."""
    await _prove(world, frozenset(Colour), seconds, "either colour")


async def _prove(world: World, colours: frozenset[Colour], seconds: float, where: str) -> None:
    heard = {service: _Heard(colours) for service in world.services}
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for service in world.services:
                group.create_task(_prove_service(world, service, heard[service]), name=f"prove:{service}")
    except TimeoutError as exc:
        answers = "; ".join(said for said in map(_describe, heard.values()) if said)
        fell_back = FELL_BACK if world.terms.fallback and any(each.mixed for each in heard.values()) else ""
        raise StepFailed(
            f"the front door does not answer from {where}: {answers or 'no answer at all'}{fell_back}"
        ) from exc


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
    unknown = answer.doubt or "and no access-log line names the colour"
    colour = f"from {answer.colour}" if answer.colour else unknown
    return f"{answer.service}: {got} {colour}"


class _Heard:
    """What came back for one service, which should come from one of these colours."""

    def __init__(self, colours: frozenset[Colour]) -> None:
        self._colours = colours
        self.answers = self.arrived = self.in_a_row = 0
        self.others: list[FrontDoorAnswer] = []
        """Answers of a colour that nobody is sent to."""
        self.mixed = False
        """Whether one of them came after one from where it should: that is no balancer on its way."""
        self.last: FrontDoorAnswer | None = None

    def take(self, answer: FrontDoorAnswer) -> None:
        """Take in one more answer."""
        arrived = _proves(answer, self._colours)
        self.last, self.answers, self.arrived = answer, self.answers + 1, self.arrived + arrived
        self.in_a_row = self.in_a_row + 1 if arrived else 0
        if answer.colour is not None and answer.colour not in self._colours:
            self.others.append(answer)
            self.mixed = self.arrived > 0

    @property
    def proved(self) -> bool:
        """Whether that is enough."""
        return self.in_a_row >= (SURE_ANSWERS if self.others else PROOF_ANSWERS)


def _describe(heard: _Heard) -> str:
    if heard.last is None or heard.proved:
        return ""
    if not heard.mixed:
        return describe(heard.last)
    others = f"{len(heard.others)} of {heard.answers} answers came from {heard.others[0].colour}"
    return f"{heard.last.service}: {others}: does a second balancer listen on the same port?"


async def _prove_service(world: World, service: str, heard: _Heard) -> None:
    while not heard.proved:
        heard.take(await world.front_door.ask(service))
        if not heard.in_a_row:
            await asyncio.sleep(0.05)


def _proves(answer: FrontDoorAnswer, colours: frozenset[Colour]) -> bool:
    return answer.served and answer.colour in colours
