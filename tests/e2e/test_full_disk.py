"""A state directory that is really full, read-only, damaged or of a newer program, on a real Caddy.

The disk is a tmpfs of its own, so these tests need root and the right to mount; elsewhere they say why they skip.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bluegreen.adapters.journals.opening import SCHEMA_VERSION
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.domain.deployments import Deployment
from bluegreen.interfaces.client import ClientError
from bluegreen.processes import Ran, environment, run_command
from tests.e2e.cast import baseline, colours_served, crowd, deploy, deployment, ended, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="120s", caddy_timeout="500ms")
SIZE = "24m"


async def run(*argv: str) -> Ran:
    return await run_command(argv, timeout=60.0, env=environment({"PYTHONPATH": ":".join(sys.path)}))


@pytest.fixture
async def disk(short_directory: Path) -> AsyncIterator[Path]:
    """A small disk where the stage keeps its state."""
    state = short_directory / "state"
    state.mkdir(mode=0o700)
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk of its own")
    mounted = await run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(state))
    if mounted.code != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.last_line}")
    yield state
    await run("umount", "--lazy", str(state))


def fill(disk: Path) -> None:
    """Leave not one byte."""
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    ballast.write(b"x" * size)


def free(disk: Path) -> None:
    (disk / "ballast").unlink()


async def watched(make_stage: MakeStage, release: str = "1.1.0") -> tuple[Stage, str]:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, release)
    await reached(stage, id, "WATCHING")
    return stage, id


async def ready(stage: Stage) -> tuple[int, str]:
    """What /readyz says."""
    ran = await run("curl", "-s", "-w", "%{http_code}", "--unix-socket", str(stage.socket), "http://x/readyz")
    return int(ran.output[-3:]), ran.output[:-3]


async def written_down(stage: Stage, id: str, seconds: float = 30.0) -> Deployment:
    """The deployment as the file itself has it, once it has ended there."""
    statement = "SELECT phase, json_extract(CAST(body AS TEXT), '$.cause') FROM deployment WHERE id = ?"
    async with asyncio.timeout(seconds):
        while True:
            with closing(sqlite3.connect(stage.directory / "state" / "journal.sqlite")) as db:
                phase, _ = db.execute(statement, (id,)).fetchone()
            if phase in ("REVERTED", "LIVE", "ABANDONED", "STRANDED"):
                return await deployment(stage, id)
            await asyncio.sleep(0.1)


# --- full


async def test_with_the_disk_full_a_regression_is_cut_back_all_the_same(make_stage: MakeStage, disk: Path) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users)
        stage_id = await deploy(stage, "1.1.0-errors-0.08")
        await reached(stage, stage_id, "WATCHING")
        fill(disk)
        back = await ended(stage, stage_id)
        assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
        assert await colours_served(stage) == {"blue"}
    code, said = await ready(stage)
    assert (code, "state-unwritable" in said) == (503, True), said
    free(disk)
    assert (await written_down(stage, stage_id)).cause == "regressed"
    async with asyncio.timeout(15.0):
        while (await ready(stage))[0] != 200:
            await asyncio.sleep(0.2)


async def test_with_the_disk_full_an_operator_is_obeyed_and_nothing_new_begins(
    make_stage: MakeStage, disk: Path
) -> None:
    stage, id = await watched(make_stage)
    fill(disk)
    async with stage.client as client:
        await client.cutback("the disk is full and it looks odd")
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert await colours_served(stage) == {"blue"}
    with pytest.raises(ClientError) as refused:
        await deploy(stage, "1.1.2")
    assert (refused.value.status, refused.value.code) == (503, "state-unwritable")
    free(disk)
    await written_down(stage, id)
    assert await colours_served(stage) == {"blue"}


async def test_with_the_disk_full_and_the_daemon_dead_the_card_leads_back_and_a_daemon_starts(
    make_stage: MakeStage, disk: Path
) -> None:
    stage, id = await watched(make_stage)
    fill(disk)
    await stage.kill_daemon()
    words = ("cutback", "--offline", "--config", str(stage.config))
    ran = await run(sys.executable, "-m", "bluegreen", *words)
    assert ran.code == 0, ran.output
    assert "next daemon will not know" in ran.output
    assert await colours_served(stage) == {"blue"}
    await stage.start_daemon()  # also on a full disk: what was kept can be read
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "sent-back"), back.reason
    free(disk)
    assert (await written_down(stage, id)).cause == "sent-back"


async def test_a_deployment_does_not_begin_on_a_disk_that_is_nearly_full(make_stage: MakeStage, disk: Path) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    fill(disk)
    with (disk / "ballast").open("r+b") as ballast:
        ballast.truncate((disk / "ballast").stat().st_size - (2 << 20))
    back = await ended(stage, await deploy(stage, "1.1.0"))
    assert (back.phase, back.moved) == ("ABANDONED", False)
    assert "MiB free" in back.reason


# --- read-only, damaged, newer


async def remount(disk: Path, how: str) -> None:
    """Threads of a daemon that was just killed may still hold its files for a moment: then the disk is busy."""
    async with asyncio.timeout(10.0):
        while (await run("mount", "-o", f"remount,{how}", str(disk))).code != 0:
            await asyncio.sleep(0.1)


async def test_on_a_read_only_disk_people_may_look_and_cut_back_and_nothing_new_begins(
    make_stage: MakeStage, disk: Path
) -> None:
    stage, id = await watched(make_stage)
    await stage.kill_daemon()
    await remount(disk, "ro")
    try:
        await stage.start_daemon()
        assert (await deployment(stage, id)).phase == "WATCHING"
        code, said = await ready(stage)
        assert (code, "state-unwritable" in said) == (503, True), said
        async with stage.client as client:
            assert (await client.deployments(5)).value.items[0].id == id
            with pytest.raises(ClientError) as refused:
                await deploy(stage, "1.1.2")
            assert refused.value.status in (409, 503)
            await client.cutback("looks odd")
        back = await ended(stage, id)
        assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
        assert await colours_served(stage) == {"blue"}
        with pytest.raises(ClientError) as refused:
            await deploy(stage, "1.1.2")
        assert (refused.value.status, refused.value.code) == (503, "state-unwritable")
    finally:
        await remount(disk, "rw")
    await written_down(stage, id)


async def test_a_damaged_journal_is_set_aside_deploys_are_refused_and_the_card_leads_back(
    make_stage: MakeStage,
) -> None:
    stage, id = await watched(make_stage)
    await stage.kill_daemon()
    journal = stage.directory / "state" / "journal.sqlite"
    journal.write_bytes(b"no database " * 4096)
    await stage.start_daemon()
    (copy,) = [
        found for found in journal.parent.glob("journal.sqlite.damaged-*") if not found.name.endswith(("-wal", "-shm"))
    ]
    assert copy.read_bytes().startswith(b"no database")
    code, said = await ready(stage)
    assert (code, str(copy) in said) == (503, True), said
    with pytest.raises(ClientError) as refused:
        await deploy(stage, "1.1.2")
    assert refused.value.code == "gate-refused"
    async with stage.client as client:
        with pytest.raises(ClientError) as told:
            await client.cutback("what was watched is not any more")
    assert (told.value.status, told.value.next) == (409, ("bluegreen cutback --offline",))
    assert id in told.value.detail
    ran = await run(sys.executable, "-m", "bluegreen", "cutback", "--offline", "--config", str(stage.config))
    assert ran.code == 0, ran.output
    assert await colours_served(stage) == {"blue"}


async def test_a_state_file_of_a_newer_program_ends_the_start_and_is_not_touched(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    await stage.start_daemon()
    await stage.stop_daemon()
    journal = stage.directory / "state" / "journal.sqlite"
    with closing(sqlite3.connect(journal)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in journal.parent.iterdir()}
    with pytest.raises(EmbeddedFailed, match="newer bluegreen"):
        await stage.start_daemon()
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in journal.parent.iterdir()} == before
    ran = await run(sys.executable, "-m", "bluegreen", "serve", "--config", str(stage.config))
    assert (ran.code, "install the newer bluegreen again" in ran.output) == (78, True), ran.output


async def test_a_state_file_of_the_first_version_is_taken_over(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    state = stage.directory / "state"
    state.mkdir(mode=0o700)
    schema = Path(__file__).parents[1] / "adapters" / "journals" / "fixtures" / "version_1.sql"
    with closing(sqlite3.connect(state / "journal.sqlite")) as db:
        db.executescript(f"{schema.read_text()}\nPRAGMA user_version = 1;")
        db.execute("INSERT INTO fact (kind, key, value) VALUES ('release', 'blue', ?)", (b'"1.0.0"',))
        db.commit()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    assert (await reached(stage, id, "WATCHING")).plan.live_release == "1.0.0"
