"""The classic incident: a long report, then an ALTER, with 300 requests a second. Nobody waits behind it."""

import asyncio
from time import monotonic

import pytest

from tests.adapters.migrations.crowd import crowd
from tests.adapters.sites import Site, until_true
from tests.adapters.waiting import until

pytestmark = pytest.mark.real

RATE = 300.0
REPORT = 5.0
"""Seconds that the report goes on after the migration has begun."""

ALLOWED = 0.25
USERS = 5000


def question(number: int) -> str:
    id = number * 7919 % USERS
    write = "UPDATE users SET seen = seen + 1" if number % 10 == 0 else "SELECT name FROM users"
    return f"{write} WHERE id = {id}"


@pytest.fixture
async def users(site: Site) -> Site:
    await site.execute(
        "CREATE TABLE users (id int PRIMARY KEY, name text, seen int NOT NULL DEFAULT 0);"
        f"INSERT INTO users SELECT g, 'user ' || g FROM generate_series(0, {USERS}) AS g"
    )
    return site


async def test_nobody_waits_while_an_alter_waits_for_a_report_to_end(users: Site) -> None:
    users.write("0001_mail.expand.sql", "ALTER TABLE users ADD mail text")
    async with crowd(users.dsn, RATE, question) as seen:
        await until(lambda: len(seen.latencies) > RATE)  # a second without anything
        report = await users.connect()
        await report.execute("BEGIN; SELECT count(*) FROM users")
        began = monotonic()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(users.apply(), name="apply")
            await asyncio.sleep(REPORT)
            assert not task.done()
            await report.close(timeout=10.0)
            await task
        lasted = monotonic() - began
    assert seen.failures == []
    assert len(seen.latencies) > RATE * lasted
    assert seen.waited <= ALLOWED, f"a user waited {seen.waited:.3f} s for a lock"
    assert (await users.ledger("0001_mail"))["state"] == "done"


async def test_the_same_done_plainly_makes_users_wait(users: Site) -> None:
    # Without this the test above could be blind.
    async with crowd(users.dsn, RATE, question) as seen:
        await until(lambda: len(seen.latencies) > RATE / 3)
        report = await users.connect()
        await report.execute("BEGIN; SELECT count(*) FROM users")
        async with asyncio.TaskGroup() as group:
            group.create_task(users.execute("ALTER TABLE users ADD mail text"), name="plain")
            await until_true(users, "SELECT count(*) > 5 FROM pg_locks WHERE NOT granted")
            await asyncio.sleep(ALLOWED * 2)
            await report.close(timeout=10.0)
    assert seen.waited > ALLOWED
