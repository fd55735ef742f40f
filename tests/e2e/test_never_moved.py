"""What fails before the switch leaves users where they were."""

from pathlib import Path

import asyncpg

from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import HERE, Stage
from tests.e2e.cast import answers_at, baseline, colours_served, crowd, deploy, ended, events, reached
from tests.e2e.conftest import MakeStage
from tests.e2e.ground import BROKEN

SECRET = "correct-horse-battery"
HOOKS = f"""
[hooks]
listen = "127.0.0.1:{free_ports(1)[0]}"

[hooks.alerts]
kind = "generic"
token = "{SECRET}"
"""
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"


async def test_a_failing_migration_leaves_nothing_of_itself_and_green_is_never_started(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    migrations = _migrations(
        tmp_path,
        "0002_half.expand.sql",
        f"ALTER TABLE orders ADD COLUMN note text;\n{BROKEN}",
    )
    stage = make_stage(migrations=migrations)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    given_up = await ended(stage, id)
    assert given_up.phase == "ABANDONED"
    assert "ASSESSING" in given_up.path
    assert "STARTING" not in given_up.path
    assert not given_up.moved
    assert "not here" in given_up.reason
    story = str([event.facts for event in await events(stage, id)])
    assert "0001_display_name.expand" in story, "files applied before it are named"
    assert "blue passes its checks on it" in story, "and the live colour is proved on them"
    assert await _columns(stage, "orders") == {"id", "account_id", "item", "colour", "created_at"}
    assert "display_name" in await _columns(stage, "accounts")
    assert not await answers_at(stage, "green")
    assert await colours_served(stage) == {"blue"}


async def test_a_smoke_failure_leaves_traffic_untouched_and_green_stopped(stage: Stage) -> None:
    async with crowd(stage) as users:
        await baseline(stage, users, 100)
        given_up = await ended(stage, await deploy(stage, "1.1.0-smoke-fails"))
        records = await users.leave()
    assert given_up.phase == "ABANDONED"
    assert tuple(given_up.path[-3:]) == ("TESTING", "ABANDONING", "ABANDONED")
    assert "works" in given_up.reason
    assert {record.colour for record in records} <= {"blue", None}
    assert not await answers_at(stage, "green")


async def test_a_release_that_never_gets_ready_is_given_up_at_the_deadline_and_says_what_it_waited_for(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(pace=Pace(starting="6s"))
    await stage.set_up()
    await stage.start_daemon()
    given_up = await ended(stage, await deploy(stage, "1.1.0-never-ready"))
    assert given_up.phase == "ABANDONED"
    assert "1.1.0-never-ready" in given_up.plan.release.version
    assert "not ready" in given_up.reason, given_up.reason
    assert not given_up.moved
    assert await colours_served(stage) == {"blue"}


async def test_a_secret_that_a_command_prints_is_found_in_no_output(make_stage: MakeStage, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"the password is {SECRET}")
    stage = make_stage(up_prefix=f'"sh", "-c", "cat {tmp_path}/secret; exit 1", "up", ', extra=HOOKS)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    given_up = await ended(stage, id)
    assert given_up.phase == "ABANDONED"
    assert "the password is ***" in given_up.reason
    async with stage.client as client:
        said = [
            (await client.logs(id)).document,
            (await client.status()).document,
            (await client.configuration()).document,
        ]
    said += [stage.daemon_log.read_text(), (stage.directory / "state" / "journal.sqlite-wal").read_bytes()]
    assert [SECRET in str(text) for text in said] == [False] * 5


async def test_an_abort_before_the_switch_gives_up(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(auto="false"))
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "AWAITING")
    async with stage.client as client:
        await client.abort(id, "not today")
    given_up = await ended(stage, id)
    assert (given_up.phase, given_up.cause) == ("ABANDONED", "operator")
    assert "not today" in given_up.reason
    assert not await answers_at(stage, "green")


def _migrations(directory: Path, name: str, sql: str) -> Path:
    """The demonstration's migrations and one more."""
    for file in (HERE / "migrations").iterdir():
        (directory / file.name).write_text(file.read_text())
    (directory / name).write_text(sql)
    return directory


async def _columns(stage: Stage, table: str) -> set[str]:
    connection = await asyncpg.connect(stage.dsn, timeout=10.0)
    try:
        rows = await connection.fetch(COLUMNS, table)
    finally:
        await connection.close(timeout=10.0)
    return {row["column_name"] for row in rows}
