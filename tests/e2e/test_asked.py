"""Numbers that the daemon asks for: one cuts back by itself, one that cannot be told is an error and no bad release."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from bluegreen.app.requests import PlanRequest
from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import colours_served, deploy, ended, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="60s")

SESSIONS = """
[[watch.sql]]
name = "sessions"
database = "olympus"
built_in = "connections"
margin = "100%"
interval = "200ms"
weight = 1.0
"""

NOBODY = """
[[watch.http_json]]
name = "backlog"
url = "http://127.0.0.1:{port}/stats"
value = "/waiting"
interval = "200ms"
critical = {critical}
"""


@asynccontextmanager
async def sessions(dsn: str, name: str, number: int) -> AsyncIterator[None]:
    """So many sessions of an application, while this lasts."""
    async with AsyncExitStack() as stack:
        for _ in range(number):
            connection = await asyncpg.connect(dsn, timeout=30.0, server_settings={"application_name": name})
            stack.push_async_callback(connection.close, timeout=10.0)
        yield


async def usual(stage: Stage, signal: str) -> None:
    """Wait until the plan knows what is usual of a gauge."""
    async with asyncio.timeout(30.0), stage.client as client:
        while any(
            line.startswith(f"{signal}:") and "not known yet" in line
            for line in (await client.plan(PlanRequest(release="1.1.0"))).value.judged
        ):
            await asyncio.sleep(0.5)


async def test_a_release_that_loads_the_database_as_its_forerunner_never_did_is_cut_back(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG, extra=SESSIONS + NOBODY.format(port=free_ports(1)[0], critical="false"))
    await stage.set_up()
    await stage.start_daemon()
    await usual(stage, "sessions")
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    async with sessions(stage.dsn, "green", 40):
        back = await ended(stage, id)
    print(f"\n{back.reason}")
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert back.reason.startswith("sessions")
    assert await colours_served(stage) == {"blue"}
    warnings = [warning for warning in back.warnings if "backlog" in warning]
    assert "cannot connect: Connection refused" in warnings[0]


async def test_without_a_critical_number_no_deployment_begins(make_stage: MakeStage) -> None:
    port = free_ports(1)[0]
    stage = make_stage(pace=LONG, extra=NOBODY.format(port=port, critical="true"))
    await stage.set_up()
    await stage.start_daemon()
    refused = await ended(stage, await deploy(stage, "1.1.0"))
    assert refused.phase == "ABANDONED"
    assert f"backlog cannot be told: 127.0.0.1:{port}: cannot connect: Connection refused" in refused.reason
    assert "bluegreen config docs watch.http_json" in refused.next
    assert await colours_served(stage) == {"blue"}
