"""A backup comes back into service under a real daemon, with real colours that hold sessions in the database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import answers_at, colours_served, deploy, ended
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import bluegreen
from tests.real_parts import execute

QUICK = Pace(window="1s", standby="1s")


@pytest.fixture
async def restorable(make_stage: MakeStage, database: str) -> AsyncIterator[Stage]:
    """A stage whose former databases are dropped afterwards."""
    stage = make_stage(pace=QUICK)
    await stage.set_up()
    await stage.start_daemon()
    yield stage
    admin, name = f"{database.rpartition('/')[0]}/postgres", database.rpartition("/")[2]
    connection = await asyncpg.connect(admin)
    try:
        for (kept,) in await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", name):
            if kept != name:
                await connection.execute(f'DROP DATABASE "{kept}" WITH (FORCE)')
    finally:
        await connection.close()


async def _marker(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval("SELECT said FROM marker"))
    finally:
        await connection.close()


async def test_users_come_back_to_the_data_of_the_backup(restorable: Stage, database: str) -> None:
    stage = restorable
    await execute(database, "CREATE TABLE marker (said text); INSERT INTO marker VALUES ('good')")
    assert await colours_served(stage) == {"blue"}
    (backup,) = (await bluegreen(stage, "backup", "now", "-o", "json")).document["items"]
    assert backup["compared"] == "checksum"
    id, name = backup["id"], backup["database"]
    await execute(database, "UPDATE marker SET said = 'broken'")

    offered = await bluegreen(stage, "backup", "restore-command", id)
    assert (offered.code, "pg_restore" in offered.text) == (0, True), offered.text
    words = ("backup", "restore-command", id, "--offline", "--config", str(stage.config))
    alone = await bluegreen(stage, *words)
    assert (alone.code, "pg_restore" in alone.text) == (0, True), alone.text

    refused = await bluegreen(stage, "backup", "restore", id, "--yes", name)
    assert refused.code == 5, refused.text
    assert "public.marker: 1 row then and now, but not the same" in refused.text
    assert "in it now: pid" in refused.text
    assert await _marker(database) == "broken"

    done = await bluegreen(stage, "backup", "restore", id, "--yes", name, "--stop-colours", "--reason", "it broke")
    assert done.code == 0, done.text
    assert "blue runs 1.0.0 again and passes its checks" in done.text
    assert await _marker(database) == "good"
    assert await answers_at(stage, "blue")
    assert await colours_served(stage) == {"blue"}
    (row, *_) = (await bluegreen(stage, "audit", "-o", "json")).document
    assert (row["verb"], row["after"], row["reason"]) == ("restore", id, "it broke")

    deployment = await deploy(stage, "1.1.0")
    assert (await ended(stage, deployment)).phase == "LIVE"
    assert await _marker(database) == "good"
