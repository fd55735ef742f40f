"""The Continuity port, in memory and by flows on real servers: what one colour gives is used on the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from bluegreen.adapters.checks.continuity import FlowContinuity, Tries
from bluegreen.adapters.checks.memory import MemoryContinuity
from bluegreen.domain.answers import Expectations, Place
from bluegreen.domain.checks import CheckResult, Given, Minted, Target
from bluegreen.domain.flows import Flow, Step
from bluegreen.domain.traffic import Service
from bluegreen.ports_stack import Continuity
from tests.adapters.checks.colours import BLUE, GREEN, serving
from tests.adapters.checks.homes import PASSWORD, Home
from tests.adapters.checks.test_flow import LOGIN
from tests.adapters.waiting import LONG

USE = replace(LOGIN, name="use", steps=(Step("web", "/me", expect=Expectations(json={"/user": "{user}"})),))
AFTER = replace(LOGIN, name="after", steps=(Step("web", "/logout", "POST", expect=Expectations((204,))),))


@dataclass
class Stack:
    """Both colours of one service, and the check under test."""

    check: Continuity
    blue: Target
    green: Target
    forget: Callable[[], None]
    """From now on green does not know what blue gave."""
    refuse: Callable[[], None]
    """From now on green gives nothing."""
    homes: tuple[Home, ...] = ()


@pytest.fixture(params=["flow", "memory"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    shared: set[str] = set()
    blue, green = Home(knows=shared, name="blue"), Home(knows=shared, name="green")
    async with serving(blue.answer) as at_blue, serving(green.answer) as at_green:
        services = {"web": Service("web", {BLUE: (at_blue,), GREEN: (at_green,)}, "app.test")}
        targets = Target(BLUE, "1.2.0", services), Target(GREEN, "1.2.0", services)
        if request.param == "memory":
            memory = MemoryContinuity("login", good_for=60.0)
            yield Stack(
                memory,
                *targets,
                forget=lambda: memory.refused.update({(BLUE, GREEN): "expected status 200-299, got 401"}),
                refuse=lambda: memory.minting.update({GREEN: "expected status 303, got 401"}),
            )
        else:
            check = FlowContinuity("login", replace(LOGIN, steps=LOGIN.steps[:2]), USE, AFTER, good_for=60.0)
            yield Stack(
                check,
                *targets,
                forget=lambda: setattr(green, "knows", set()),
                refuse=lambda: setattr(green, "action", "?nothing"),
                homes=(blue, green),
            )


async def minted(stack: Stack, target: Target) -> Minted:
    got = await stack.check.mint(target)
    assert isinstance(got, Minted), got
    return got


async def test_what_one_colour_gives_holds_on_the_other_both_ways_and_can_be_used_again(stack: Stack) -> None:
    for at, to in ((stack.blue, stack.green), (stack.green, stack.blue)):
        got = await minted(stack, at)
        assert (got.check, got.colour, got.good_for) == ("login", at.colour, 60.0)
        for _ in range(2):
            result = await stack.check.use(got, to)
            assert result.passed, result.detail
            assert result.name == "login"


async def test_a_colour_that_does_not_know_it_is_a_result(stack: Stack) -> None:
    got = await minted(stack, stack.blue)
    stack.forget()
    assert (await stack.check.use(got, stack.blue)).passed
    result = await stack.check.use(got, stack.green)
    assert not result.passed
    assert "expected status 200-299, got 401" in result.detail


async def test_a_colour_that_gives_nothing_is_a_result(stack: Stack) -> None:
    stack.refuse()
    got = await stack.check.mint(stack.green)
    assert isinstance(got, CheckResult)
    assert (got.name, got.passed) == ("login", False)
    assert "expected status 303, got 401" in got.detail


async def test_it_is_given_back_where_it_was_had(stack: Stack) -> None:
    got = await minted(stack, stack.blue)
    ended = await stack.check.end(got, stack.blue)
    assert ended is not None
    assert ended.passed, ended.detail
    if stack.homes:
        assert stack.homes[0].asked[-1].path == "/logout"
        assert not (await stack.check.use(got, stack.green)).passed, "it is over on both"


async def test_nothing_of_it_is_shown(stack: Stack) -> None:
    got = await minted(stack, stack.blue)
    result = await stack.check.use(got, stack.green)
    for secret in (PASSWORD, "session-of-blue-1", "cookie-of-the-form", "session-1"):
        assert secret not in repr([got, result])


async def test_a_token_is_carried_as_a_value_and_hidden_where_it_comes_back() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return web.json_response({"access": "tok-0815-of-blue"})
        return web.Response(status=403, text=f"no: {request.headers['Authorization']}")

    mint = Flow("m", (Step("web", "/token", "POST", capture={"token": Place("json", "/access")}),), LONG)
    use = Flow("u", (Step("web", "/userinfo", headers={"Authorization": "Token {token}"}),), LONG)
    check = FlowContinuity("tokens", mint, use, gives=Given.TOKEN)
    assert check.gives is Given.TOKEN
    async with serving(answer) as address:
        target = Target(BLUE, "", {"web": Service("web", {BLUE: (address,), GREEN: ()})})
        got = await check.mint(target)
        assert isinstance(got, Minted)
        result = await check.use(got, target)
        assert await check.end(got, target) is None
        nowhere = await check.use(got, replace(target, colour=GREEN))
    assert "answered: 403; content-type 'text/plain; charset=utf-8'; 'no: Token (hidden)'" in result.detail
    assert "tok-0815" not in repr([got, result])
    assert (nowhere.passed, nowhere.detail) == (False, "green has no address of web")


async def test_every_address_of_the_other_colour_is_asked_with_what_one_gave() -> None:
    shared: set[str] = set()
    homes = [Home(knows=shared, name=name) for name in ("blue", "two", "green", "alone")]
    homes[3].knows = set()
    async with AsyncExitStack() as open_:
        at = [await open_.enter_async_context(serving(home.answer)) for home in homes]
        services = {"web": Service("web", {BLUE: (at[0], at[1]), GREEN: (at[2], at[3])}, "app.test")}
        check = FlowContinuity("login", replace(LOGIN, steps=LOGIN.steps[:2]), USE)
        got = await check.mint(Target(BLUE, "1.2.0", services))
        assert isinstance(got, Minted)
        result = await check.use(got, Target(GREEN, "1.2.0", services))
    assert result.detail.startswith(f"web at {at[3]}: step 1, GET /me: expected status 200-299, got 401")
    assert at[2] not in result.detail
    assert homes[1].asked == []


async def test_a_colour_that_hangs_is_a_result_within_the_budget_and_is_asked_as_often_as_it_may() -> None:
    asked = 0

    async def hang(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    short = replace(USE, timeout=0.1)
    async with serving(hang) as address:
        target = Target(BLUE, "1.2.0", {"web": Service("web", {BLUE: (address,)})})
        got = await FlowContinuity("login", short, short, tries=Tries(2, 0.01)).mint(target)
    assert isinstance(got, CheckResult)
    assert "not answered within the flow's 0.1 s" in got.detail
    assert asked == 3
