"""Flows: steps in order with cookies and captured values, on a real Caddy and on a server that does as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bluegreen.adapters.front_doors.asking import Unfit, request
from bluegreen.adapters.front_doors.cookies import Cookies
from bluegreen.adapters.front_doors.exchange import PROBE_HEADER
from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.answers import Expectations, Place
from bluegreen.domain.flows import Flow, FlowAnswer, Step
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.front_doors.doors import CaddyWorld

BLUE, GREEN = Colour.BLUE, Colour.GREEN
PASSWORD, CSRF, SESSION = "correct-horse", "csrf-9c1f", "session-71aa"


class Site:
    """A site with a login as Ory Kratos has one: a form with a token, then a session in a cookie."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.broken = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/login", self._form)
        app.router.add_post("/submit", self._submit)
        app.router.add_get("/me", self._me)
        app.router.add_route("*", "/{rest:.*}", self._other)
        return app

    async def _note(self, request: web.Request) -> str:
        body = (await request.read()).decode()
        self.asked.append((request.method, request.path_qs, dict(request.headers), body))
        return body

    async def _form(self, request: web.Request) -> web.Response:
        await self._note(request)
        answer = web.json_response({"action": "https://id.example.org/submit?flow=f%2F1", "csrf": CSRF})
        answer.set_cookie("csrf", CSRF)
        return answer

    async def _submit(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        if self.broken:
            return web.json_response({"error": f"{PASSWORD} {CSRF}"}, status=500)
        if request.cookies.get("csrf") != CSRF or f"csrf={CSRF}" not in body or PASSWORD not in body:
            return web.Response(status=400)
        answer = web.Response(status=303, headers={"Location": "/me"})
        answer.set_cookie("session", SESSION)
        answer.del_cookie("csrf")
        return answer

    async def _me(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.json_response({"user": "probe"}, status=200 if request.cookies.get("session") == SESSION else 401)

    async def _other(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.Response(text="x" * 5)


LOGIN = (
    Step("web", "/login", capture={"action": Place("json", "/action"), "csrf": Place("json", "/csrf")}),
    Step(
        "web",
        "{action}",
        "POST",
        form={"user": "{user}", "password": "{password}", "csrf": "{csrf}"},
        expect=Expectations(status=(303,)),
        capture={"next": Place("header", "Location")},
    ),
    Step("web", "{next}", expect=Expectations(json={"/user": "probe"})),
)
VALUES = {"user": "probe@example.org", "password": PASSWORD}


@asynccontextmanager
async def site(**wishes: Any) -> AsyncIterator[tuple[Site, HttpFrontDoor]]:
    """A site that answers at a front door, without a log."""
    made = Site()
    runner = web.AppRunner(made.app(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service = Service("web", {BLUE: ("127.0.0.1:1",), GREEN: ("127.0.0.1:2",)}, site="app.example.org")
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with HttpFrontDoor(base, [service], timeout=5.0, witness_timeout=0.01, **wishes) as door:
            yield made, door
    finally:
        await runner.cleanup()


async def walk(*steps: Step, values: dict[str, str] = VALUES, timeout: float = 20.0) -> tuple[FlowAnswer, Site]:
    async with site() as (made, door):
        return await door.walk(Flow("login", steps, timeout, values)), made


async def test_a_login_goes_through_with_its_cookies_and_what_answers_said() -> None:
    answer, made = await walk(*LOGIN)
    assert (answer.flow, answer.failure, answer.reached) == ("login", "", True)
    assert [(method, path) for method, path, _, _ in made.asked] == [
        ("GET", "/login"),
        ("POST", "/submit?flow=f%2F1"),
        ("GET", "/me"),
    ]
    assert made.asked[2][2]["Cookie"] == f"session={SESSION}", "a cookie that was removed is not sent any more"
    assert all(len(headers[PROBE_HEADER]) == 32 for _, _, headers, _ in made.asked), "it counts for no user"
    assert {headers["Host"] for _, _, headers, _ in made.asked} == {"app.example.org"}


async def test_the_step_that_failed_is_named_and_nothing_of_the_answer_is_shown() -> None:
    async with site() as (made, door):
        made.broken = True
        answer = await door.walk(Flow("login", LOGIN, 20.0, VALUES))
    assert answer.failure == "step 2, POST {action}: expected status 303, got 500"
    assert len(made.asked) == 2, "nothing is asked after a step that failed"
    assert not any(secret in repr(answer) for secret in (PASSWORD, CSRF, SESSION))


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        (Step("web", "/login", expect=Expectations(json={"/csrf": "other"})),
         "expected (hidden) at /csrf, got something else"),
        (Step("web", "/login", expect=Expectations(body="Sign in")),
         "expected a body with 'Sign in', got something else"),
        (Step("web", "/login", expect=Expectations(header={"set-cookie": "x"})),
         "expected header set-cookie to contain (hidden), got something else"),
        (Step("web", "/login", capture={"token": Place("json", "/none")}),
         "there is no {token} in the answer (json /none)"),
        (Step("web", "{nowhere}"), "{nowhere} is no path"),
    ],
    ids=["json", "body", "header", "nothing to capture", "no path"],
)  # fmt: skip
async def test_what_is_not_as_expected_is_said_without_what_came(step: Step, failure: str) -> None:
    answer, _ = await walk(step)
    assert answer.failure == f"step 1, {step.title}: {failure}"


async def test_a_flow_has_one_timeout_for_all_its_steps() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{rest:.*}", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service = Service("web", {BLUE: ("127.0.0.1:1",)})
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with HttpFrontDoor(base, [service], timeout=5.0, witness_timeout=0.01) as door:
            answer = await door.walk(Flow("slow", (Step("web", "/a"), Step("web", "/b")), 0.3))
    finally:
        await runner.cleanup()
    assert answer.failure == "step 1, GET /a: not answered within the flow's 0.3 s"
    assert answer.reached


async def test_where_nobody_listens_it_says_nothing_about_a_colour() -> None:
    service = Service("web", {BLUE: ("127.0.0.1:1",)})
    async with HttpFrontDoor("http://127.0.0.1:9", [service], timeout=5.0) as door:
        answer = await door.walk(Flow("login", (Step("web", "/"),)))
    assert not answer.reached
    assert answer.colours == frozenset()


def sent(step: Step, **values: str) -> Any:
    return request(step, values, Cookies(), "app.example.org")


def test_values_are_put_where_they_belong_and_other_braces_stay() -> None:
    asked = sent(
        Step("web", "/u/{id}?next={url}", "POST", {"X-T": "t {id} {other}"}, json={"a": ["{id}", 1], "{id}": "{b c}"}),
        id="7/8",
        url="http://x/?a=b",
    )
    assert asked.path == "/u/7%2F8?next=http%3A%2F%2Fx%2F%3Fa%3Db"
    assert asked.headers == {"X-T": "t 7/8 {other}", "Content-Type": "application/json"}
    assert json.loads(asked.body) == {"a": ["7/8", 1], "{id}": "{b c}"}


def test_a_form_is_encoded() -> None:
    asked = sent(Step("web", "/", "POST", form={"user": "{user}", "p": "a&b"}), user="a b@c")
    assert asked.body == b"user=a+b%40c&p=a%26b"


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\x00"])
def test_a_value_that_would_break_a_header_is_not_sent(value: str) -> None:
    with pytest.raises(Unfit) as refused:
        sent(Step("web", "/", headers={"X-T": "{token}"}), token=value)
    assert value not in str(refused.value)


@pytest.mark.parametrize("value", ["http://[", "/a b", "/a\r\nHost: x", "relative"])
def test_a_place_that_is_no_path_is_not_asked_for(value: str) -> None:
    with pytest.raises(Unfit):
        sent(Step("web", "{next}"), next=value)


def test_the_front_door_is_asked_whatever_host_an_answer_names() -> None:
    assert sent(Step("web", "{next}"), next="https://elsewhere.example.net/a?b=1").path == "/a?b=1"
    assert sent(Step("web", "{next}"), next="https://elsewhere.example.net").path == "/"


@pytest.mark.parametrize(
    ("header", "host", "path", "expected"),
    [
        ("a=1", "app.example.org", "/", "a=1"),
        ("a=1; Path=/x", "app.example.org", "/x/y", "a=1"),
        ("a=1; Path=/x", "app.example.org", "/xy", ""),
        ("a=1", "id.example.org", "/", ""),
        ("a=1; Domain=example.org", "id.example.org", "/", "a=1"),
        ("a=1; Domain=.example.org; Secure; HttpOnly", "example.org", "/", "a=1"),
        ("a=1; Domain=other.org", "other.org", "/", ""),
        ("a=1; Max-Age=0", "app.example.org", "/", ""),
        ("a=1; Max-Age=-1", "app.example.org", "/", ""),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "app.example.org", "/", ""),
        ("a=1; Expires=nonsense", "app.example.org", "/", "a=1"),
        ("a=b=c; Max-Age=3600", "app.example.org", "/", "a=b=c"),
        ("nonsense", "app.example.org", "/", ""),
    ],
)
def test_cookies_go_where_a_browser_would_send_them(header: str, host: str, path: str, expected: str) -> None:
    jar = Cookies()
    jar.take((header,), "app.example.org")
    assert jar.header(host, path) == expected


def test_no_more_cookies_are_kept_than_a_site_has() -> None:
    jar = Cookies()
    jar.take(tuple(f"c{n}=1" for n in range(1000)), "app.example.org")
    assert jar.header("app.example.org", "/").count("=") == 50


@pytest.mark.real
async def test_a_flow_knows_which_colour_answered_it(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    async with CaddyWorld(caddy, short_directory).running() as world:
        flow = Flow("pages", (Step("hera", "/a"), Step("hera", "/b", expect=Expectations(body="blue"))))
        answer = await world.door.walk(flow)
        assert (answer.failure, answer.colours) == ("", frozenset({BLUE}))
        await world.answer(BLUE, 500)
        answer = await world.door.walk(flow)
        assert (answer.failure, answer.colours) == (
            "step 1, GET /a: expected status 200-299, got 500",
            frozenset({BLUE}),
        )
