"""A number from a real Postgres: whose sessions load it, a query of one's own, and what people read without one."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.signals.names import Names
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.questions import Answer, Pace
from bluegreen.adapters.signals.sql import SqlQuestions
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import SignalFailed
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.adapters.waiting import until
from tests.real_parts import execute

pytestmark = pytest.mark.real
NAMES = {BLUE: "app-blue*", GREEN: "app-green*"}


def questions(dsn: str, asked: str, timeout: float = 5.0, **changes: Any) -> SqlQuestions:
    given: dict[str, Any] = {"applications": NAMES} | changes
    return SqlQuestions("load", Access(Dsn.parse(dsn), timeout, timeout), asked, **given)


@asynccontextmanager
async def session(dsn: str, name: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(dsn, timeout=10.0, server_settings={"application_name": name})
    try:
        yield connection
    finally:
        await connection.close(timeout=10.0)


async def values(dsn: str, built_in: str) -> dict[Any, float]:
    return {answer.colour: answer.value for answer in await questions(dsn, built_in, built_in=True).ask()}


async def test_the_load_of_each_colour_is_told_by_the_names_of_its_sessions(database: str) -> None:
    await execute(database, "CREATE TABLE t (n int)")
    async with (
        session(database, "app-blue-1") as writer,
        session(database, "app-blue-2") as waiter,
        session(database, "app-green"),
        session(database, "psql"),
    ):
        assert await values(database, "connections") == {BLUE: 2.0, GREEN: 1.0}
        assert await values(database, "active") == {BLUE: 0.0, GREEN: 0.0}
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        async with asyncio.TaskGroup() as group:
            group.create_task(waiter.fetch("SELECT * FROM t"), name="waiter")
            async with asyncio.timeout(30):
                while await values(database, "waiting_for_locks") != {BLUE: 1.0, GREEN: 0.0}:
                    await asyncio.sleep(0.02)
            assert await values(database, "active") == {BLUE: 1.0, GREEN: 0.0}
            await transaction.rollback()


@pytest.fixture
async def stranger(database: str) -> AsyncIterator[str]:
    """The DSN of a role without any right, in the same database."""
    role = f"stranger_{uuid4().hex[:8]}"
    await execute(database, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    yield Dsn.parse(database).login(role, "x").full
    await execute(database, f"DROP ROLE {role}")


async def test_a_role_that_may_not_see_what_sessions_do_is_told_what_to_grant(database: str, stranger: str) -> None:
    async with session(database, "app-blue-1"):
        assert await values(stranger, "connections") == {BLUE: 1.0, GREEN: 0.0}
        blue, green = await questions(stranger, "active", built_in=True).ask()
        assert "GRANT pg_read_all_stats TO our role" in blue.trouble
        assert green == Answer(GREEN, 0.0)
        role = stranger.partition("//")[2].partition(":")[0]
        await execute(database, f"GRANT pg_read_all_stats TO {role}")
        assert await values(stranger, "active") == {BLUE: 0.0, GREEN: 0.0}
        await execute(database, f"REVOKE pg_read_all_stats FROM {role}")


async def test_a_server_that_does_not_track_what_sessions_do_says_nothing_of_it(database: str) -> None:
    async with session(database, "app-blue-1") as connection:
        await connection.execute("SET track_activities = off")
        blue, _ = await questions(database, "active", built_in=True).ask()
    assert blue.trouble == "no data: track_activities is off for these sessions"


@pytest.mark.parametrize(
    "sql", ["SELECT 7", "SELECT 7.0", "SELECT 7::numeric", "SELECT 7::bigint", "VALUES (7.0::real)"]
)
async def test_a_query_of_ones_own_belongs_to_whoever_serves(database: str, sql: str) -> None:
    asked = questions(database, sql)
    assert asked.colours == (None,)
    assert await asked.ask() == [Answer(None, 7.0)]


async def test_a_query_is_asked_for_each_colour_by_its_name_and_by_the_name_of_its_sessions(database: str) -> None:
    await execute(
        database,
        "CREATE TABLE jobs (worker text, env text); INSERT INTO jobs VALUES ('app-blue-1', 'blue'),"
        " ('app-blue-2', 'blue'), ('app-green-1', 'green'), ('app%blue', 'x'), ('appXblue', 'x')",
    )
    by_pattern = questions(database, "SELECT count(*) FROM jobs WHERE worker LIKE $1")
    by_colour = questions(database, "SELECT count(*) FROM jobs WHERE env = '{colour}'")
    for asked in (by_pattern, by_colour):
        assert await asked.ask() == [Answer(BLUE, 2.0), Answer(GREEN, 1.0)]
    special = questions(database, by_pattern.asked, applications={BLUE: "app%blue", GREEN: "app?blue"})
    assert await special.ask() == [Answer(BLUE, 1.0), Answer(GREEN, 2.0)]


async def test_a_counter_and_its_total_are_of_the_same_moment(database: str) -> None:
    await execute(database, "CREATE TABLE jobs (n int); INSERT INTO jobs VALUES (1)")
    slow = questions(
        database, "SELECT count(*) FROM jobs", total="SELECT count(*) FROM jobs, pg_sleep(1)", timeout=20.0
    )
    async with session(database, "writer") as writer, asyncio.TaskGroup() as group:
        asked = group.create_task(slow.ask(), name="asking")
        async with asyncio.timeout(30):
            while not await writer.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                await asyncio.sleep(0.01)
        await writer.execute("INSERT INTO jobs VALUES (2)")
    assert asked.result() == [Answer(None, 1.0, 1.0)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "SELECT 1 WHERE false",
            "no data: the query gives no row; where that means zero, ask for count(*) or coalesce(...)",
        ),
        ("SELECT NULL::int", "no data: the query gives NULL; where that means zero, write coalesce(..., 0)"),
        (
            "SELECT generate_series(1, 1000000)",
            "no data: the query gives several rows, and one row of one number is needed",
        ),
        ("CREATE TABLE x ()", "the query gives 0 columns, and one row of one number is needed"),
        ("SELECT 1, 2, 3", "the query gives 3 columns, and one row of one number is needed"),
        ("SELECT repeat('x', 900000000)", "the query gives text, and a number is needed; cast it, as in (...)::float8"),
    ],
)
async def test_what_is_not_one_number_is_told_in_words(database: str, sql: str, words: str) -> None:
    (answer,) = await questions(database, sql).ask()
    assert answer.trouble == f"{Dsn.parse(database)}: {words}"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 FORM t", 'syntax error at or near "t" (SQLSTATE 42601), at character 15 of the query'),
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist (SQLSTATE 42P01), at character 15 of the query'),
        ("SELECT lo_create(0)::int8", "cannot execute lo_create() in a read-only transaction (SQLSTATE 25006)"),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands into a prepared statement (SQLSTATE 42601)"),
        ("SELECT 1 FROM pg_sleep(30)", "canceling statement due to statement timeout (SQLSTATE 57014)"),
    ],
    ids=["syntax", "no table", "writing", "two statements", "too slow"],
)
async def test_what_the_server_refuses_is_told_with_its_place(database: str, sql: str, words: str) -> None:
    with pytest.raises(SignalFailed) as caught:
        await questions(database, sql, timeout=2.0).ask()
    assert caught.value.detail == f"{Dsn.parse(database)}: {words}"


async def test_a_parameter_that_cannot_be_filled_in_is_told(database: str) -> None:
    two, _ = await questions(database, "SELECT 1 WHERE 'a' LIKE $1 AND 'b' LIKE $2").ask()
    assert two.trouble == (
        f"{Dsn.parse(database)}: the query cannot be asked: the server expects 2 arguments for this query, 1 was passed"
    )
    with pytest.raises(SignalFailed, match=r"invalid input for query argument \$1: 'app-blue%'"):
        await questions(database, "SELECT $1::int").ask()


async def test_no_secret_is_in_what_is_told() -> None:
    asked = questions("postgresql://someone:s3cret@127.0.0.1:1/app", "SELECT 1", timeout=1.0)
    with pytest.raises(SignalFailed, match=r"database app at 127.0.0.1:1: does not answer") as caught:
        await asked.ask()
    assert "s3cret" not in caught.value.detail + repr(asked)


async def test_a_server_that_accepts_and_says_nothing_costs_its_budget() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = questions(f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/app", "SELECT 1", timeout=0.3)
        with pytest.raises(SignalFailed, match="does not answer in time"):
            await asked.ask()


async def test_a_server_whose_name_is_not_known_is_told() -> None:
    def fail(host: str, port: int) -> list[Any]:
        raise OSError("Name or service not known")

    asked = questions("postgresql://u@db.test/app", "SELECT 1", names=Names(fail))
    with pytest.raises(SignalFailed, match=r"database app at db.test: Name or service not known"):
        await asked.ask()


async def test_a_name_that_is_not_looked_up_in_time_costs_its_budget() -> None:
    allowed = threading.Event()
    names = Names(lambda host, port: [allowed.wait(30)])
    with pytest.raises(SignalFailed, match=r"database app at db\.test: its name is not looked up in time"):
        await questions("postgresql://u@db.test/app", "SELECT 1", timeout=0.1, names=names).ask()
    allowed.set()


async def test_a_question_leaves_no_session_behind(database: str) -> None:
    for _ in range(3):
        await questions(database, "SELECT 1").ask()
    async with session(database, "looking") as connection:
        async with asyncio.timeout(30):
            while (
                await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                > 1
            ):
                await asyncio.sleep(0.02)


async def test_a_server_that_goes_and_comes_back_is_heard_again(postgres: EmbeddedPostgres) -> None:
    name = f"comes_{uuid4().hex[:8]}"
    dsn = postgres.dsn(name)
    await execute(postgres.dsn(), f'CREATE DATABASE "{name}"')
    source = Polled("load", questions(dsn, "SELECT 7"), SystemClock(), Pace(0.05, 5.0, 2))
    async with running(source, Heard()) as heard:
        await until(lambda: heard.batches)
        await execute(postgres.dsn(), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await until(lambda: source.problem)
        assert "is not currently accepting connections" in source.problem
        before = len(heard.batches)
        await execute(postgres.dsn(), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await until(lambda: not source.problem)
        await until(lambda: len(heard.batches) > before)
    await execute(postgres.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')
