"""A backfill by hand on the real stage: seen, paused, stopped and killed with the daemon, and no row done twice."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.adapters.waiting import LONG
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import Typed, bluegreen

ROWS = 20_000
LABEL = "olympus/0001_shout.backfill"
TABLE = f"""
CREATE TABLE visits (id bigint PRIMARY KEY, name text NOT NULL, shout text, n int NOT NULL DEFAULT 0);
INSERT INTO visits SELECT g, 'n' || g FROM generate_series(1, {ROWS}) AS g;
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
CREATE TRIGGER slowly AFTER UPDATE ON visits EXECUTE FUNCTION slowly();
"""
FILL = """\
-- bluegreen: backfill table=public.visits key=id
UPDATE visits SET shout = upper(name), n = n + 1 WHERE shout IS NULL;
"""


async def _ask(stage: Stage, sql: str) -> Any:
    connection = await asyncpg.connect(stage.dsn, timeout=10.0)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close(timeout=10.0)


async def _execute(stage: Stage, sql: str) -> None:
    connection = await asyncpg.connect(stage.dsn, timeout=10.0)
    try:
        await connection.execute(sql)
    finally:
        await connection.close(timeout=10.0)


async def _fills(stage: Stage, more_than: int) -> int:
    """Return when it runs and has done more rows than that."""

    async with asyncio.timeout(LONG):
        while True:
            document = (await bluegreen(stage, "status", "-o", "json")).document
            now = document["backfill"]
            if now and now["state"] == "running" and now["rows_done"] > more_than:
                return int(now["rows_done"])


async def _states(stage: Stage) -> list[tuple[str, int]]:
    document = (await bluegreen(stage, "migrate", "status", "-o", "json")).document
    return [(item["state"], item["rows_done"]) for item in document["items"][0]["backfills"]]


async def test_a_backfill_by_hand_is_seen_paused_stopped_and_killed_and_does_every_row_once(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    migrations = tmp_path / "migrations"
    await asyncio.to_thread(migrations.mkdir)
    await asyncio.to_thread((migrations / "0001_shout.backfill.sql").write_text, FILL)
    stage = make_stage(pace=Pace(window="1s", standby="1s"), migrations=migrations)
    await stage.set_up()
    await _execute(stage, TABLE)
    await stage.start_daemon()

    async with asyncio.TaskGroup() as group:
        order = group.create_task(bluegreen(stage, "migrate", "backfill", "--reason", "before the sale"), name="order")
        await _fills(stage, 0)
        status = await bluegreen(stage, "status")
        print(status.text)
        assert f"{LABEL} running" in status.text
        refused = await bluegreen(stage, "deploy", "1.1.0", "-y")
        print(refused.text)
        assert "bluegreen migrate backfill pause" in refused.text
        paused = await bluegreen(stage, "migrate", "backfill", "pause")
        assert (paused.code, f"{LABEL} paused" in paused.text) == (0, True), paused.text
    print(order.result().text)
    assert (order.result().code, f"{LABEL} paused" in order.result().text) == (0, True)
    ((state, rows),) = await _states(stage)
    assert (state, 0 < rows < ROWS) == ("paused", True)
    assert await _ask(stage, "SELECT count(*) FROM visits WHERE n = 1") == rows

    for end in (stage.stop_daemon, stage.kill_daemon):
        async with asyncio.TaskGroup() as group:
            again = group.create_task(bluegreen(stage, "migrate", "backfill"), name="again")
            rows = await _fills(stage, rows)
            await end()
        left: Typed = again.result()
        print(left.text)
        assert left.code != 0
        await stage.start_daemon()
        rows = await _until_interrupted(stage)
        assert await _ask(stage, "SELECT count(*) FROM visits WHERE n = 1") == rows

    await _execute(stage, "DROP TRIGGER slowly ON visits")
    done = await bluegreen(stage, "migrate", "backfill")
    print(done.text)
    assert (done.code, f"{LABEL} done" in done.text) == (0, True)
    assert await _ask(stage, "SELECT count(*) FROM visits WHERE n <> 1 OR shout <> upper(name)") == 0
    assert "There is nothing to fill" in (await bluegreen(stage, "migrate", "backfill")).text
    verbs = [row["verb"] for row in (await bluegreen(stage, "audit", "-o", "json")).document]
    assert verbs.count("migrate backfill") == 4
    assert "migrate backfill pause" in verbs


async def _until_interrupted(stage: Stage) -> int:
    """Return how many rows were done when the server has noticed that the daemon is gone."""
    async with asyncio.timeout(LONG):
        while True:
            ((state, rows),) = await _states(stage)
            if state == "interrupted":
                return rows
