"""Migrations on the real stage: one that breaks the running version is refused before anything is touched; expand,
backfill and contract go their way over three deployments; and then the way back is closed, and says so."""

import asyncio
from pathlib import Path

import asyncpg

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import colours_served, crowd, deploy, ended, events
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import bluegreen

QUICK = Pace(window="1s", standby="500ms", proving="500ms")

DISPLAY_NAME = """\
ALTER TABLE accounts ADD COLUMN display_name text;
ALTER TABLE accounts ADD COLUMN legacy text;
"""
GREETING = "ALTER TABLE accounts ADD COLUMN greeting text;\n"
FILL = """\
-- bluegreen: backfill table=public.accounts key=id
UPDATE accounts SET greeting = 'Hello ' || name WHERE greeting IS NULL;
"""
DROP = "ALTER TABLE accounts DROP COLUMN legacy;\n"
BREAKING = "ALTER TABLE accounts RENAME COLUMN password TO secret;\n"


async def _staged(make_stage: MakeStage, directory: Path, **files: str) -> Stage:
    migrations = directory / "migrations"
    await asyncio.to_thread(migrations.mkdir)
    stage = make_stage(pace=QUICK, migrations=migrations)
    await _write(stage, **files)
    await stage.set_up()
    await stage.start_daemon()
    return stage


async def _write(stage: Stage, **files: str) -> None:
    for name, text in files.items():
        file = stage.migrations / f"{name.replace('__', '.').removeprefix('_')}.sql"
        await asyncio.to_thread(file.write_text, text)


async def _columns(stage: Stage) -> list[tuple[str, ...]]:
    """Every column of production, past the daemon."""
    connection = await asyncpg.connect(stage.dsn, timeout=10.0)
    try:
        rows = await connection.fetch(
            "SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'bluegreen') ORDER BY 1, 2, 3"
        )
        return [tuple(map(str, row)) for row in rows]
    finally:
        await connection.close(timeout=10.0)


async def test_a_migration_that_breaks_the_running_version_is_refused_before_anything_is_touched(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    stage = await _staged(make_stage, tmp_path, _0001_secret__expand=BREAKING)
    before = await _columns(stage)
    planned = await bluegreen(stage, "migrate", "plan")
    assert planned.code == 6
    for said in ("0001_secret.expand.sql:1", "accounts.password", "write instead"):
        assert said in planned.text, planned.text
    document = (await bluegreen(stage, "migrate", "plan", "-o", "json")).document
    assert (document["gate"], [file["gate"] for file in document["files"]]) == ("refuse", ["refuse"])
    refused = await bluegreen(stage, "deploy", "1.1.0", "-y")
    assert refused.code == 6
    assert "0001_secret.expand.sql:1" in refused.text
    end = await ended(stage, "current")
    assert (end.phase, end.cause, end.moved) == ("ABANDONED", "gate-refused", False)
    assert await _columns(stage) == before
    assert await colours_served(stage) == {"blue"}
    by_hand = await bluegreen(stage, "migrate", "up")
    assert by_hand.code == 6
    assert await _columns(stage) == before


async def test_expand_backfill_and_contract_over_three_deployments_close_the_way_back(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    stage = await _staged(make_stage, tmp_path, _0001_display_name__expand=DISPLAY_NAME)
    async with crowd(stage, rate=30.0):
        assert (await ended(stage, await deploy(stage, "1.1.0"))).phase == "LIVE"
        await _write(
            stage, _0002_greeting__expand=GREETING, _0002_greeting__backfill=FILL, _0002_greeting__contract=DROP
        )
        second = await ended(stage, await deploy(stage, "1.1.1"))
        assert second.phase == "LIVE", second.reason
        told = [event.name for event in await events(stage, second.id)]
        assert "backfill.finished" in told
        assert "migration.held_back" in told
    open_way = await bluegreen(stage, "status")
    assert "1.1.0 may serve again" in open_way.text
    plan = await bluegreen(stage, "plan", "1.1.2", "--contract")
    assert "from then on 1.1.1 cannot serve again" in plan.text
    third = await bluegreen(stage, "deploy", "1.1.2", "-y", "--contract", "--wait-final")
    assert third.code == 0
    assert not any("legacy" in column for column in await _columns(stage))
    refused = await bluegreen(stage, "rollback")
    assert refused.code == 6
    for said in (
        "1.1.1 cannot serve on this schema any more",
        "0002_greeting.contract",
        "backup restore-command olympus",
    ):
        assert said in refused.text, refused.text
    async with asyncio.timeout(20.0):
        while "1.1.1 cannot serve again" not in (await bluegreen(stage, "status")).text:
            await asyncio.sleep(0.2)
    older = await bluegreen(stage, "deploy", "1.0.0", "-y")
    assert older.code == 6


async def test_contract_by_hand_shows_what_it_closes_and_refuses_while_the_other_colour_runs(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    stage = await _staged(make_stage, tmp_path, _0001_display_name__expand=DISPLAY_NAME)
    assert (await ended(stage, await deploy(stage, "1.1.0"))).phase == "LIVE"
    await _write(stage, _0001_display_name__contract=DROP)
    shown = await bluegreen(stage, "migrate", "contract")
    assert shown.code == 2
    assert "1.0.0 cannot serve again" in shown.text
    assert (await bluegreen(stage, "env", "up", "blue", "1.0.0")).code == 0
    running = await bluegreen(stage, "migrate", "contract", "-y")
    assert running.code == 5
    assert "blue still runs 1.0.0" in running.text
    assert (await bluegreen(stage, "env", "down", "blue")).code == 0
    done = await bluegreen(stage, "migrate", "contract", "-y")
    assert done.code == 0
    assert "is applied" in done.text
    assert not any("legacy" in column for column in await _columns(stage))
    assert (await bluegreen(stage, "rollback", "1.0.0", "--reason", "because")).code == 6


async def test_files_of_a_developer_are_rehearsed_without_touching_what_is_pending(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    stage = await _staged(make_stage, tmp_path, _0001_display_name__expand=DISPLAY_NAME)
    mine = tmp_path / "mine"
    await asyncio.to_thread(mine.mkdir)
    await asyncio.to_thread(
        (mine / "0009_phone.expand.sql").write_text, "ALTER TABLE accounts ADD COLUMN phone text;\n"
    )
    allowed = await bluegreen(stage, "migrate", "plan", "--directory", str(mine))
    assert allowed.code == 0
    assert "0009_phone.expand.sql" in allowed.text
    assert "0001_display_name" not in allowed.text
    await asyncio.to_thread((mine / "0010_typo.expand.sql").write_text, "ALTER TABEL accounts ADD COLUMN phone text;\n")
    typo = await bluegreen(stage, "migrate", "plan", "--directory", str(mine))
    assert typo.code == 6
    assert "0010_typo.expand.sql:1" in typo.text
    up = await bluegreen(stage, "migrate", "up", "--reason", "by hand")
    assert up.code == 0
    assert any("display_name" in column for column in await _columns(stage))
