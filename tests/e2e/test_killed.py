"""The daemon is killed (-9) in the middle, and started again: the end that docs/architecture.md prescribes."""

import asyncio
from pathlib import Path

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import HERE, Stage
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.cast import baseline, colours_served, crowd, deploy, deployment, ended, eventually, reached
from tests.e2e.conftest import MakeStage

QUICK = Pace(window="4s", standby="1s", inspect="60s")
SLOW_UP = '"sh", "-c", "sleep 2 && exec \\"$@\\"", "up", '


async def test_in_expanding_the_migration_is_applied_once_and_the_release_goes_live(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    for file in (HERE / "migrations").iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "0002_slow.expand.sql").write_text("SELECT pg_sleep(3);\nALTER TABLE orders ADD COLUMN note text;\n")
    stage = make_stage(pace=QUICK, migrations=tmp_path)
    await _begin(stage)
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "EXPANDING")
    await asyncio.sleep(1.0)
    await _kill_and_restart(stage)
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    assert live.attempt == 2
    assert await colours_served(stage) == {"green"}


async def test_in_starting_the_colour_is_started_again_and_the_release_goes_live(make_stage: MakeStage) -> None:
    stage = make_stage(pace=QUICK, up_prefix=SLOW_UP)
    await _begin(stage)
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "STARTING")
    await asyncio.sleep(0.5)
    await _kill_and_restart(stage)
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    assert live.path.count("STARTING") == 1


async def test_in_switching_after_the_intent_the_deployment_is_taken_back(
    make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage = await _with_proxy(make_stage, proxy)
    proxy.mode = Mode.SWALLOW
    id = await deploy(stage, "1.1.0")
    await proxy.changed.wait()
    await stage.kill_daemon()
    proxy.mode = Mode.PASS
    await stage.start_daemon()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "restarted-during-switch")
    assert await colours_served(stage) == {"blue"}


async def test_in_switching_after_the_change_the_deployment_goes_on(make_stage: MakeStage, proxy: AdminProxy) -> None:
    stage = await _with_proxy(make_stage, proxy)
    proxy.mode = Mode.KEEP_REPLY
    id = await deploy(stage, "1.1.0")
    await proxy.changed.wait()
    await stage.kill_daemon()
    assert await colours_served(stage) == {"green"}
    proxy.mode = Mode.PASS
    await stage.start_daemon()
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason


async def test_in_watching_what_users_got_while_the_daemon_was_dead_is_judged(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="30s", standby="1s"))
    await _begin(stage)
    async with crowd(stage) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0-errors-0.08")
        await reached(stage, id, "WATCHING")
        await stage.kill_daemon()
        asked = len(users.records)
        await eventually(lambda: len(users.records) > asked + 600, 60.0)
        await users.leave()
    await stage.start_daemon()  # nobody asks any more: only the log can tell
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert back.reason.startswith("5xx"), back.reason
    assert await colours_served(stage) == {"blue"}


async def test_in_watching_a_good_release_still_goes_live(make_stage: MakeStage) -> None:
    stage = make_stage(pace=QUICK)
    await _begin(stage)
    async with crowd(stage) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        await _kill_and_restart(stage)
        live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason


async def test_in_reverting_the_way_back_is_walked_to_its_end(make_stage: MakeStage, proxy: AdminProxy) -> None:
    stage = await _with_proxy(make_stage, proxy, Pace(window="20s", caddy_timeout="500ms"))
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    proxy.mode = Mode.SWALLOW
    async with stage.client as client:
        await client.cutback("testing the way back")
    await reached(stage, id, "REVERTING")
    await stage.kill_daemon()
    assert await colours_served(stage) == {"green"}
    proxy.mode = Mode.PASS
    await stage.start_daemon()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator")
    assert await colours_served(stage) == {"blue"}


async def test_a_stop_by_sigterm_moves_no_traffic_and_the_next_daemon_goes_on(make_stage: MakeStage) -> None:
    stage = make_stage(pace=QUICK)
    await _begin(stage)
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    await stage.stop_daemon()
    assert await colours_served(stage) == {"green"}
    await stage.start_daemon()
    assert (await deployment(stage, id)).attempt == 2
    assert (await ended(stage, id)).phase == "LIVE"


async def _begin(stage: Stage) -> None:
    await stage.set_up()
    await stage.start_daemon()


async def _with_proxy(make_stage: MakeStage, proxy: AdminProxy, pace: Pace = QUICK) -> Stage:
    stage = make_stage(pace=pace, admin=proxy.url)
    await _begin(stage)
    return stage


async def _kill_and_restart(stage: Stage) -> None:
    await stage.kill_daemon()
    await stage.start_daemon()
