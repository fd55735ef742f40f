"""What counts as proof that users arrived: how many answers in a row, and what of two balancers on one port."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, repeat
from types import SimpleNamespace
from typing import cast

import pytest

from bluegreen.app.arrival import PROOF_ANSWERS, SURE_ANSWERS, prove
from bluegreen.app.world import World
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import StepFailed
from tests.domain.examples import BLUE, GREEN

GOOD = FrontDoorAnswer("web", GREEN, 200, 0.0)
OTHER = replace(GOOD, colour=BLUE)
BROKEN = replace(GOOD, status=500)


class Door:
    """The FrontDoor port, whose answers are written beforehand."""

    def __init__(self, answers: Iterator[FrontDoorAnswer]) -> None:
        self._answers, self.asked = answers, 0

    async def ask(self, service: str) -> FrontDoorAnswer:
        self.asked += 1
        await asyncio.sleep(0.01)
        return replace(next(self._answers), service=service)


def world_of(door: Door, *, fallback: bool = False) -> World:
    terms = SimpleNamespace(fallback=fallback)
    return cast("World", SimpleNamespace(services={"web": object()}, front_door=door, terms=terms))


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        (repeat(GOOD), PROOF_ANSWERS),
        (chain([BROKEN, GOOD, BROKEN], repeat(GOOD)), 3 + PROOF_ANSWERS),
        (chain([OTHER], repeat(GOOD)), 1 + SURE_ANSWERS),
        (chain([GOOD] * (PROOF_ANSWERS - 1), [OTHER], repeat(GOOD)), PROOF_ANSWERS + SURE_ANSWERS),
    ],
    ids=["all is well", "an error begins it anew", "a balancer on its way", "one answer of the other colour"],
)
async def test_so_many_answers_in_a_row_are_a_proof(answers: Iterator[FrontDoorAnswer], asked: int) -> None:
    door = Door(answers)
    await prove(world_of(door), GREEN, 10.0)
    assert door.asked == asked


async def test_c14_two_balancers_that_share_the_users_prove_nothing_and_are_guessed_at() -> None:
    """With three in a row, as it once was, all of these passed by chance."""
    said = [await what_is_said_of_two(random.Random(seed)) for seed in range(300)]
    guess = "answers came from blue: does a second balancer listen on the same port?"
    assert all(guess in each for each in said if each)
    assert said.count("") < 25, "one in 2**5 meets no answer of the other one at all"


async def what_is_said_of_two(draw: random.Random) -> str:
    """Why the proof fails; empty where it passes."""
    door = Door(draw.choice([GOOD, OTHER]) for _ in repeat(None))
    try:
        await prove(world_of(door), GREEN, 10.0)
    except StepFailed as exc:
        return exc.detail
    return ""


async def test_a_balancer_that_may_fall_back_by_itself_is_guessed_at_too() -> None:
    door = Door(cycle([GOOD, OTHER]))
    with pytest.raises(StepFailed, match="fell back to it by itself"):
        await prove(world_of(door, fallback=True), GREEN, 10.0)


async def test_a_balancer_that_never_gets_there_is_no_pair_of_them() -> None:
    with pytest.raises(StepFailed, match=r"does not answer from green: web: HTTP 200 from blue$"):
        await prove(world_of(Door(repeat(OTHER))), GREEN, 10.0)


async def test_one_that_arrived_and_then_broke_is_told_by_its_last_answer() -> None:
    with pytest.raises(StepFailed, match=r"web: HTTP 500 from green$"):
        await prove(world_of(Door(chain([OTHER, GOOD], repeat(BROKEN)))), GREEN, 10.0)
