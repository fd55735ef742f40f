"""The ways back that do not come from the signals: an alert, an operator, and a database that is gone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from bluegreen.demo.ports import free_ports
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.scenery import Pace
from tests.e2e.cast import baseline, colours_served, crowd, deploy, ended, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="60s")
TOKEN = "an-alertmanager-token"


async def test_a_firing_alert_cuts_back(make_stage: MakeStage) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    hooks = f"""
[hooks]
listen = "{listen}"

[hooks.alerts]
kind = "alertmanager"
token = "{TOKEN}"
match = {{ severity = "critical" }}
"""
    stage = make_stage(pace=LONG, extra=hooks)
    await stage.set_up()
    await stage.start_daemon()
    early = await _alert(listen, datetime.now(UTC))
    assert early["effect"] == "recorded"
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    assert (await _alert(listen, datetime.now(UTC), token="wrong"))["status"] == 401
    assert (await _alert(listen, datetime(2026, 1, 1, tzinfo=UTC)))["effect"] == "recorded"
    assert await colours_served(stage) == {"green"}
    assert (await _alert(listen, datetime.now(UTC)))["effect"] == "cutback"
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "alert")
    assert await colours_served(stage) == {"blue"}


async def test_an_operators_cutback_is_answered_by_the_old_colour(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    async with stage.client as client:
        await client.cutback("looks odd")
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator")
    assert await colours_served(stage) == {"blue"}


async def test_with_postgres_stopped_it_is_cut_back_all_the_same(
    make_stage: MakeStage, own_postgres: EmbeddedPostgres
) -> None:
    stage = make_stage(dsn=own_postgres.dsn("olympus"), pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users, 200)
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        await own_postgres.stop()
        back = await ended(stage, id)
    assert back.phase == "REVERTED", back.reason
    assert await colours_served(stage) == {"blue"}


async def test_with_postgres_gone_an_operators_cutback_still_works(
    make_stage: MakeStage, own_postgres: EmbeddedPostgres
) -> None:
    stage = make_stage(dsn=own_postgres.dsn("olympus"), pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    await own_postgres.kill()
    async with stage.client as client:
        await client.cutback("the database is gone")
    back = await ended(stage, id)
    assert back.phase == "REVERTED", back.reason
    assert await colours_served(stage) == {"blue"}


@pytest.fixture
async def own_postgres(short_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres that this test may stop."""
    server = EmbeddedPostgres(short_directory / "pg")
    await server.start()
    connection = await asyncpg.connect(server.dsn(), timeout=10.0)
    await connection.execute("CREATE DATABASE olympus")
    await connection.close(timeout=10.0)
    yield server
    await server.stop()


async def _alert(listen: str, starts_at: datetime, token: str = TOKEN) -> dict[str, Any]:
    alert = {
        "status": "firing",
        "labels": {"alertname": "LoginsFail", "severity": "critical"},
        "annotations": {},
        "startsAt": starts_at.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{starts_at.timestamp():.6f}",
    }
    body = {"version": "4", "status": "firing", "receiver": "bluegreen", "groupLabels": {}, "alerts": [alert]}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.post(f"http://{listen}/v1/hooks/alerts", json=body) as answer,
    ):
        return {"status": answer.status} | (await answer.json() if answer.status == 202 else {})
