"""The sample application as real processes on a real database: it answers, and its faults do what they say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from bluegreen.demo import colour
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.residents import Place
from bluegreen.demo.stack import Stack
from tests.real_parts import EXPAND, execute

pytestmark = pytest.mark.real
SOMEBODY = {"user": "hermes", "password": "caduceus"}


class Visitor:
    """Talks to one colour's services directly, with at most one session."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.session = ""

    async def ask(
        self, name: str, service: str, path: str, method: str = "GET", json: object = None
    ) -> aiohttp.ClientResponse:
        headers = {"Cookie": f"session={self.session}"}
        url = f"http://{self.stack.address(name, service)}{path}"
        answer = await self.http.request(method, url, headers=headers, json=json)
        await answer.read()
        return answer

    async def log_in(self, name: str, who: dict[str, str] = SOMEBODY) -> int:
        answer = await self.ask(name, "accounts", "/login", "POST", who)
        if answer.status == 200:
            self.session = answer.cookies["session"].value
        return answer.status


@pytest.fixture
async def visitor(sample: Path) -> AsyncIterator[Visitor]:
    timeout = aiohttp.ClientTimeout(total=10.0)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Visitor(Stack.load(sample), http)


async def test_it_is_ready_says_who_it_is_and_signs_every_answer(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.0")
    for service in ("accounts", "shop"):
        ready = await visitor.ask("blue", service, "/health/ready")
        assert (ready.status, await ready.json()) == (200, {"status": "ready"})
        version = await visitor.ask("blue", service, "/version")
        assert await version.json() == {"version": "1.0.0", "colour": "blue", "service": service}
        assert (await visitor.ask("blue", service, "/health/smoke")).status == 200
        for path in ("/health/ready", "/nowhere", "/whoami", "/orders"):
            answer = await visitor.ask("blue", service, path)
            assert (answer.headers["X-Colour"], answer.headers["X-Version"]) == ("blue", "1.0.0")


async def test_a_session_made_on_one_colour_works_on_both_services_of_both_until_it_ends(
    sample: Path, visitor: Visitor, database: str
) -> None:
    await colour.up(sample, "blue", "1.0.0")
    assert (await visitor.ask("blue", "accounts", "/whoami")).status == 401
    assert (await visitor.ask("blue", "shop", "/orders", "POST")).status == 401
    assert await visitor.log_in("blue") == 200
    await execute(database, EXPAND.read_text())
    await colour.up(sample, "green", "1.1.0")
    for name in ("blue", "green"):
        who = await visitor.ask(name, "accounts", "/whoami")
        assert await who.json() == {"user": "hermes", "greeting": "hermes"}
        order = await visitor.ask(name, "shop", "/orders?item=sandals", "POST")
        assert order.status == 201
    orders = await (await visitor.ask("blue", "shop", "/orders")).json()
    assert [(order["item"], order["colour"]) for order in orders["orders"]] == [
        ("sandals", "green"),
        ("sandals", "blue"),
    ]
    assert (await visitor.ask("green", "accounts", "/logout", "POST")).status == 200
    assert (await visitor.ask("blue", "accounts", "/whoami")).status == 401


async def test_a_wrong_password_and_a_malformed_login_are_refused(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.0")
    assert await visitor.log_in("blue") == 200
    assert await visitor.log_in("blue", {"user": "hermes", "password": "guess"}) == 401
    assert (await visitor.ask("blue", "accounts", "/login", "POST", ["hermes"])).status == 400


async def test_release_1_1_greets_by_the_new_column_and_fails_its_smoke_check_without_it(
    sample: Path, visitor: Visitor, database: str
) -> None:
    await colour.up(sample, "green", "1.1.0")
    smoke = await visitor.ask("green", "accounts", "/health/smoke")
    assert smoke.status == 503
    assert "display_name" in colour.logs(sample, "green", 5)
    await execute(database, EXPAND.read_text())
    assert (await visitor.ask("green", "accounts", "/health/smoke")).status == 200
    assert await visitor.log_in("green") == 200
    await execute(database, "UPDATE accounts SET display_name = 'Ἑρμῆς'")
    who = await visitor.ask("green", "accounts", "/whoami")
    assert (await who.json())["greeting"] == "Ἑρμῆς"


async def test_its_connections_bear_the_colours_name(sample: Path, database: str) -> None:
    await colour.up(sample, "blue", "1.0.0")
    connection = await asyncpg.connect(database)
    names = await connection.fetch("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
    await connection.close()
    assert [row[0] for row in names].count("blue") >= 2


async def test_an_outage_of_the_database_is_a_503_and_it_recovers_by_itself(
    sample: Path, visitor: Visitor, database: str
) -> None:
    await colour.up(sample, "blue", "1.0.0")
    assert await visitor.log_in("blue") == 200
    await execute(database, "ALTER TABLE sessions RENAME TO gone")
    assert (await visitor.ask("blue", "shop", "/orders")).status == 503
    assert (await visitor.ask("blue", "shop", "/health/ready")).status == 200
    assert (await visitor.ask("blue", "shop", "/")).status == 200
    await execute(database, "ALTER TABLE gone RENAME TO sessions")
    await execute(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    statuses = [(await visitor.ask("blue", "shop", "/orders")).status for _ in range(5)]
    assert statuses[-1] == 200


async def _healthy(visitor: Visitor, smoke: int = 200) -> None:
    assert (await visitor.ask("blue", "shop", "/health/ready")).status == 200
    assert (await visitor.ask("blue", "shop", "/version")).status == 200
    assert (await visitor.ask("blue", "shop", "/health/smoke")).status == smoke


async def test_fault_errors_breaks_users_and_nothing_else(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.1-errors-1.0")
    assert (await visitor.ask("blue", "shop", "/")).status == 500
    assert await visitor.log_in("blue") == 500
    await _healthy(visitor)


async def test_fault_login_refuses_some_users_with_a_401_and_their_sessions_too(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.0")
    assert await visitor.log_in("blue", {"user": "user-1", "password": "x"}) == 200
    await colour.up(sample, "blue", "1.0.0", fault="login:1.0")
    assert (await visitor.ask("blue", "accounts", "/whoami")).status == 401
    assert await visitor.log_in("blue", {"user": "user-1", "password": "x"}) == 401
    assert (await visitor.ask("blue", "shop", "/orders")).status == 200
    await colour.up(sample, "blue", "1.0.0")
    assert (await visitor.ask("blue", "accounts", "/whoami")).status == 200
    await _healthy(visitor)


async def test_fault_slow_adds_to_every_answer_for_users(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.1-slow-400ms")
    clock = asyncio.get_running_loop().time
    began = clock()
    assert (await visitor.ask("blue", "shop", "/")).status == 200
    assert clock() - began >= 0.4


async def test_fault_hang_takes_requests_of_users_and_never_answers(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.1-hang")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await visitor.ask("blue", "shop", "/")
    await _healthy(visitor)


async def test_fault_never_ready_runs_and_is_not_ready(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.1-never-ready")
    assert (await visitor.ask("blue", "shop", "/health/ready")).status == 503
    assert (await visitor.ask("blue", "shop", "/")).status == 200


async def test_fault_smoke_fails_is_ready_and_fails_its_smoke_check(sample: Path, visitor: Visitor) -> None:
    await colour.up(sample, "blue", "1.0.1-smoke-fails")
    await _healthy(visitor, smoke=500)
    assert (await visitor.ask("blue", "shop", "/")).status == 200


async def test_fault_crash_after_ends_the_process_by_itself(sample: Path) -> None:
    await colour.up(sample, "blue", "1.0.0", fault="crash-after:1.5")
    running = Place(sample, "blue", "shop").resident()
    assert running is not None
    assert await running.child.ended(30.0)


async def test_an_unknown_fault_is_refused_at_start_in_its_own_words(sample: Path) -> None:
    with pytest.raises(EmbeddedFailed, match="no fault is called 'gremlins'"):
        await colour.up(sample, "blue", "1.0.0", fault="gremlins")
