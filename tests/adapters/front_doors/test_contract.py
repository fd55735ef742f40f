"""What every FrontDoor does, in memory and on a real Caddy whose access log is tailed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.traffic import Colour
from tests.adapters.front_doors.doors import CaddyWorld, MemoryWorld, World, answer_from

BLUE, GREEN = Colour.BLUE, Colour.GREEN


@pytest.fixture(params=["memory", pytest.param("caddy", marks=pytest.mark.real)])
async def world(request: pytest.FixtureRequest, caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with CaddyWorld(caddy, short_directory).running() as running:
        yield running


async def test_an_answer_names_the_colour_that_gave_it(world: World) -> None:
    answer = await world.door.ask("hera")
    assert (answer.service, answer.colour, answer.status, answer.body) == ("hera", BLUE, 200, b"blue")
    assert (answer.served, answer.error) == (True, "")


async def test_it_follows_the_traffic(world: World) -> None:
    assert (await world.door.ask("hera")).colour is BLUE
    await world.serve_from(GREEN)
    answer = await answer_from(GREEN, world.door)
    assert (answer.status, answer.body) == (200, b"green")
    await world.serve_from(BLUE)
    assert (await answer_from(BLUE, world.door)).body == b"blue"


@pytest.mark.parametrize(("status", "served"), [(204, True), (302, True), (404, True), (500, False), (503, False)])
async def test_a_bad_answer_is_an_answer_of_that_colour(world: World, status: int, served: bool) -> None:
    await world.answer(BLUE, status)
    answer = await world.door.ask("hera")
    assert (answer.colour, answer.status, answer.served, answer.error) == (BLUE, status, served, "")


async def test_without_a_line_in_the_log_the_colour_is_not_known(world: World) -> None:
    await world.silence_log()
    answer = await world.door.ask("hera")
    assert (answer.colour, answer.status, answer.body) == (None, 200, b"blue")


async def test_where_nobody_listens_there_is_no_answer(world: World) -> None:
    await world.close()
    answer = await world.door.ask("hera")
    assert (answer.colour, answer.status, answer.served) == (None, None, False)
    assert answer.error.startswith("no answer")
