"""Flows past the balancer: a login by form at every address, what is told of a failure, and what never is."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from bluegreen.adapters.checks.flow import FlowCheck
from bluegreen.domain.answers import Expectations, Place
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.flows import Flow, Step
from tests.adapters.checks.colours import service, serving, target
from tests.adapters.checks.homes import PASSWORD, Home
from tests.adapters.waiting import LONG

LOGIN = Flow(
    "login",
    (
        Step(
            "web",
            "/login",
            expect=Expectations(body="olympus v{release}", version=Place("body", r"olympus v([0-9.]+)")),
            capture={"action": Place("form-action", ""), "csrf": Place("form", "csrf_token")},
        ),
        Step(
            "web",
            "{action}",
            "POST",
            form={"user": "{user}", "password": "{password}", "csrf_token": "{csrf}"},
            expect=Expectations((303,)),
            capture={"next": Place("redirect", ""), "session": Place("cookie", "session")},
        ),
        Step("web", "{next}", expect=Expectations(json={"/user": "{user}"})),
    ),
    timeout=LONG,
    values={"user": "ann", "password": PASSWORD},
)


def only(*steps: Step, timeout: float = LONG, step_timeout: float | None = None, hidden: str = "") -> Flow:
    known = frozenset({hidden} - {""})
    return replace(LOGIN, steps=steps, timeout=timeout, step_timeout=step_timeout, hidden=known)


async def ask(flow: Flow, home: Home, *, release: str = "1.2.0", site: str | None = "app.test") -> CheckResult:
    async with serving(home.answer) as address:
        result = await FlowCheck(flow).check(target(service(address, site=site), release=release))
    return replace(result, detail=result.detail.replace(address, "ADDRESS"))


async def test_a_login_by_form_goes_through_past_the_balancer() -> None:
    home = Home()
    result = await ask(LOGIN, home)
    assert result.passed, result.detail
    assert result.detail == "3 steps as expected at ADDRESS"
    assert [(r.method, r.path_qs) for r in home.asked] == [
        ("GET", "/login"),
        ("POST", "/login?flow=f%201"),
        ("GET", "/me"),
    ], "where a form and a redirect lead is told relative to the page"
    assert {(r.headers["Host"], r.headers["X-Forwarded-Proto"]) for r in home.asked} == {("app.test", "https")}
    assert home.asked[2].headers["Cookie"] == "csrf=cookie-of-the-form; session=session-of-a-1", "Secure or not"
    assert [(step.number, step.title, step.failure) for step in result.steps] == [
        (1, "GET /login", ""),
        (2, "POST {action}", ""),
        (3, "GET {next}", ""),
    ]
    assert all(step.seconds > 0 for step in result.steps)


async def test_a_step_that_names_a_header_of_the_balancer_is_believed() -> None:
    home = Home()
    await ask(only(Step("web", "/me", headers={"x-forwarded-proto": "http"})), home, site=None)
    (request,) = home.asked
    assert request.headers.getall("X-Forwarded-Proto") == ["http"]
    assert "X-Forwarded-Host" not in request.headers


async def test_a_wrong_version_in_the_footer_is_told_with_what_came() -> None:
    result = await ask(LOGIN, Home(version="1.1.9"))
    assert not result.passed
    wanted = "web at ADDRESS: step 1, GET /login: expected a body with 'olympus v1.2.0', got another"
    assert result.detail.startswith(wanted)
    assert "asked: GET /login" in result.detail
    assert "answered: 200; content-type 'text/html; charset=utf-8'; sets csrf; " in result.detail
    assert "<footer>olympus v1.1.9</footer>" in result.detail


async def test_where_nobody_knows_the_release_only_the_rest_is_held_to() -> None:
    assert (await ask(LOGIN, Home(version="0.9"), release="")).passed
    result = await ask(only(Step("web", "/static/{release}/app.js")), Home(), release="")
    assert "nobody knows which release runs there" in result.detail


async def test_the_release_and_the_colour_may_stand_in_a_request() -> None:
    home = Home()
    await ask(only(Step("web", "/static/{release}/{colour}")), home)
    assert home.asked[0].path == "/static/1.2.0/green"


async def test_no_secret_is_told_whatever_a_colour_answers() -> None:
    home, secret = Home(), "pepper-of-the-whole-configuration"
    home.echo = f"you sent {secret} and csrf_token=other-token-77"
    steps = (
        Step(
            "web",
            "/x?user={user}&secret=in-the-path",
            "POST",
            {"Authorization": f"Bearer {secret}"},
            form={"password": "{password}"},
            capture={},
        ),
    )
    result = await ask(only(*steps, hidden=secret), home)
    told = repr(result)
    assert not result.passed
    for hidden in (PASSWORD, secret, "other-token-77", "in-the-path", "user=ann"):
        assert hidden not in told, hidden
    assert "headers authorization, content-type" in told
    assert "a form of password" in told


async def test_what_was_captured_is_not_told_in_later_answers_in_any_spelling() -> None:
    home = Home()
    flow = only(LOGIN.steps[0], replace(LOGIN.steps[1], form={"csrf_token": "{csrf}x", "password": "{password}"}))
    result = await ask(flow, home)
    assert "step 2, POST {action}: expected status 303, got 403" in result.detail
    assert "(hidden)x is not the token" in result.detail
    for spelling in (home.csrf, "csrf-&quot;9c1f", "csrf-%229c1f", "cookie-of-the-form", "f%201"):
        assert spelling not in repr(result)


async def test_every_address_is_asked_and_a_run_keeps_to_one() -> None:
    one, two = Home(name="one"), Home(name="two")
    async with serving(one.answer) as first, serving(two.answer) as second:
        green = target(service(first, second, site="app.test"))
        result = await FlowCheck(LOGIN).check(green)
        assert result.passed, result.detail
        assert (len(one.asked), len(two.asked)) == (3, 3), "sessions that are known to one process alone are fine"
        two.version = "1.1.9"
        result = await FlowCheck(LOGIN).check(green)
    assert result.detail.startswith(f"web at {second}: step 1")
    assert [step.address for step in result.steps] == [first] * 3 + [second]


async def test_a_service_with_fewer_addresses_is_asked_in_every_run() -> None:
    one, two, mail = Home(), Home(), Home()
    flow = only(Step("web", "/login"), Step("mail", "/login"))
    async with serving(one.answer) as first, serving(two.answer) as second, serving(mail.answer) as third:
        green = target(service(first, second), service(third, name="mail"))
        assert (await FlowCheck(flow).check(green)).passed
    assert (len(one.asked), len(two.asked), len(mail.asked)) == (1, 1, 2)


async def test_a_service_without_an_address_is_a_result() -> None:
    result = await FlowCheck(LOGIN).check(Target(target(service()).colour, "1.2.0", {}))
    assert (result.passed, result.detail) == (False, "green has no address of web")


@pytest.mark.parametrize(
    ("timeout", "step_timeout", "said"),
    [(LONG, 0.2, "no answer within 0.2 s"), (0.2, LONG, "not answered within the flow's 0.2 s")],
)
async def test_a_colour_that_hangs_is_a_failure_within_the_budget(
    timeout: float, step_timeout: float, said: str
) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(hang) as address:
        flow = only(Step("web", "/login"), timeout=timeout, step_timeout=step_timeout)
        result = await FlowCheck(flow).check(target(service(address)))
    assert f"step 1, GET /login: {said}" in result.detail


async def test_a_failed_flow_is_walked_again_from_its_beginning() -> None:
    home = Home(version="1.1.9")

    async def heals(request: web.Request) -> web.StreamResponse:
        home.version = "1.2.0" if home.asked else "1.1.9"
        return await home.answer(request)

    async with serving(heals) as address:
        result = await FlowCheck(LOGIN, retries=2, retry_delay=0.01).check(target(service(address, site="a.test")))
    assert result.passed, result.detail
    assert [step.number for step in result.steps] == [1, 2, 3], "of the last try"


async def test_nobody_listening_is_said_with_the_address() -> None:
    result = await FlowCheck(LOGIN).check(target(service("127.0.0.1:9")))
    assert result.detail.startswith("web at 127.0.0.1:9: step 1, GET /login: cannot connect: Connection refused")
