"""What every check and every readiness does, however it asks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from bluegreen.adapters.checks.command import CommandCheck
from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.adapters.checks.memory import MemoryCheck, MemoryReadiness
from bluegreen.adapters.checks.readiness import HttpReadiness
from bluegreen.domain.answers import SUCCESS, Expectations
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.ports import Checker, Readiness
from tests.adapters.checks.colours import BLUE, GREEN, service, serving, target


class Health:
    """Whether the colour under test is well; what a check of any kind then finds."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.memory: MemoryCheck | None = None
        self.well(True)

    def well(self, well: bool) -> None:
        self.file.write_text("well" if well else "not well")
        if self.memory is not None:
            self.memory.failures = {} if well else {GREEN: "not well"}

    async def answer(self, _: web.Request) -> web.StreamResponse:
        text = self.file.read_text()
        return web.Response(status=200 if text == "well" else 503, text=text)


@dataclass
class Subject:
    """A check, the colour it is asked of, and that colour's health."""

    check: Checker | Readiness
    target: Target
    health: Health

    async def ask(self) -> CheckResult:
        return await self.check.check(self.target)


@pytest.fixture(params=["http", "command", "memory", "http readiness", "memory readiness"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    health = Health(tmp_path / "health")
    async with serving(health.answer) as address:
        green = target(service(address))
        script = f'[ {{colour}} = green ] || exit 9; cat {health.file}; grep -q "^well" {health.file}'
        checks: dict[str, Checker | Readiness] = {
            "http": HttpCheck(HttpSpec("the check", "web", expect=Expectations(SUCCESS))),
            "command": CommandCheck("the check", ["sh", "-c", script]),
            "memory": MemoryCheck("the check"),
            "http readiness": HttpReadiness("web", consecutive=4, interval=0.25),
            "memory readiness": MemoryReadiness("web", consecutive=4, interval=0.25),
        }
        check = checks[request.param]
        if isinstance(check, MemoryCheck):
            health.memory = check
        yield Subject(check, green, health)


async def test_a_well_colour_passes(subject: Subject) -> None:
    result = await subject.ask()
    assert result.passed
    assert result.detail
    assert result.seconds >= 0.0


async def test_a_sick_colour_fails_and_the_detail_says_what_came(subject: Subject) -> None:
    subject.health.well(False)
    result = await subject.ask()
    assert not result.passed
    assert "not well" in result.detail


async def test_every_question_is_asked_anew(subject: Subject) -> None:
    for well in (True, False, True):
        subject.health.well(well)
        assert (await subject.ask()).passed is well


async def test_questions_can_be_asked_at_once(subject: Subject) -> None:
    results = await asyncio.gather(*[subject.ask() for _ in range(5)])
    assert [result.passed for result in results] == [True] * 5


async def test_a_result_carries_the_name_of_its_check(subject: Subject) -> None:
    result = await subject.ask()
    if isinstance(subject.check, (HttpReadiness, MemoryReadiness)):
        assert (subject.check.service, result.name) == ("web", "readiness of web")
    else:
        assert isinstance(subject.check, (HttpCheck, CommandCheck, MemoryCheck))
        assert result.name == subject.check.name == "the check"


async def test_a_readiness_says_how_often_it_wants_to_be_asked(subject: Subject) -> None:
    if isinstance(subject.check, (HttpReadiness, MemoryReadiness)):
        assert (subject.check.consecutive, subject.check.interval) == (4, 0.25)


async def test_the_other_colour_is_another_question(subject: Subject) -> None:
    if subject.health.memory is not None:
        subject.health.memory.failures = {BLUE: "nobody there"}
    assert not (await subject.check.check(replace(subject.target, colour=BLUE))).passed
    assert (await subject.ask()).passed
