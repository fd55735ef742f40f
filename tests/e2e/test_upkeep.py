"""Upkeep at the command line, against a real daemon: backups, migrations, colours by hand, tests, the audit."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import answers_at, colours_served, deploy, ended, eventually, leftovers, reached
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import bluegreen

QUICK = Pace(window="1s", standby="1s")


async def test_backups_are_taken_listed_and_checked_by_hand(make_stage: MakeStage) -> None:
    stage = make_stage(pace=QUICK)
    await stage.set_up()
    await stage.start_daemon()
    before = await bluegreen(stage, "migrate", "status", "-o", "json")
    (database,) = before.document["items"]
    assert {item["state"] for item in database["items"]} == {"pending"}
    assert "There is no backup yet" in (await bluegreen(stage, "backup", "list")).text
    taken = await bluegreen(stage, "backup", "now", "--reason", "before the holidays", "-o", "json")
    assert taken.code == 0, taken.text
    (backup,) = taken.document["items"]
    assert (backup["deployment"], backup["release"], backup["verified"]) == ("by-hand", "1.0.0", "restore")
    assert (await bluegreen(stage, "backup", "verify", backup["id"])).code == 0
    id = await deploy(stage, "1.1.0")
    await ended(stage, id)
    listed = (await bluegreen(stage, "backup", "list", "-o", "json")).document["items"]
    assert [item["deployment"] for item in listed] == [id, "by-hand"]
    after = await bluegreen(stage, "migrate", "status")
    assert "0 pending" in after.text or "done" in after.text
    assert id in after.text
    dump = Path(backup["file"])
    dump.write_bytes(dump.read_bytes()[:-100])
    spoilt = await bluegreen(stage, "backup", "verify", backup["id"])
    assert spoilt.code == 1
    assert "is not what was taken" in spoilt.text
    assert leftovers(stage.directory / "backups") == []
    rows = (await bluegreen(stage, "audit", "-o", "json")).document
    assert [row["verb"] for row in reversed(rows)] == ["backup", "verify", "deploy", "verify"]
    assert rows[-1]["reason"] == "before the holidays"


async def test_a_backup_goes_on_when_its_caller_leaves_and_a_deployment_waits_for_it(make_stage: MakeStage) -> None:
    stage = make_stage(pace=QUICK)
    await stage.set_up()
    gate = stage.directory / "gate"
    _slow_pg_dump(stage, gate)
    await stage.start_daemon()
    argv = [sys.executable, "-m", "bluegreen", "--socket", str(stage.socket), "backup", "now"]
    path = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    caller = await asyncio.create_subprocess_exec(
        *argv, env=path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    await eventually((stage.directory / "dumping").exists, 30.0)
    refused = await bluegreen(stage, "deploy", "1.1.0", "-y")
    assert refused.code == 5, refused.text
    assert "a backup by hand is being taken" in refused.text
    caller.send_signal(signal.SIGINT)
    _, said = await caller.communicate()
    assert caller.returncode == 130
    assert b"goes on in the daemon" in said
    gate.touch()
    await eventually(lambda: len(list((stage.directory / "backups").glob("*.dump"))) == 1, 30.0)
    async with asyncio.timeout(30.0):
        while (await bluegreen(stage, "deploy", "1.1.0", "-y", "--no-watch")).code == 5:
            await asyncio.sleep(0.1)
    await ended(stage, "current")


def _slow_pg_dump(stage: Stage, gate: Path) -> None:
    """A pg_dump that begins when the gate is there."""
    bin_dir = stage.directory / "bin"
    bin_dir.mkdir()
    (bin_dir / "pg_restore").symlink_to(stage.bin_dir / "pg_restore")
    real = stage.bin_dir / "pg_dump"
    (bin_dir / "pg_dump").write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then exec {real} --version; fi\ntouch {stage.directory}/dumping\n'
        f'while [ ! -e {gate} ]; do sleep 0.05; done\nexec {real} "$@"\n'
    )
    (bin_dir / "pg_dump").chmod(0o755)
    stage.config.write_text(stage.config.read_text().replace(str(stage.bin_dir), str(bin_dir)))


async def test_the_idle_colour_is_started_checked_and_stopped_by_hand_and_the_live_one_never(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(pace=Pace(window="60s"))
    await stage.set_up()
    await stage.start_daemon()
    for verb in (["env", "up", "blue", "1.0.0"], ["env", "down", "blue"]):
        refused = await bluegreen(stage, *verb)
        assert refused.code == 5, refused.text
        assert "Caddy dials it" in refused.text
        assert "next:" in refused.text
    assert (await bluegreen(stage, "env", "smoke", "blue")).code == 0
    unknown = await bluegreen(stage, "env", "up", "green")
    assert unknown.code == 5
    assert "name the release" in unknown.text
    assert (await bluegreen(stage, "env", "up", "green", "1.0.1")).code == 0
    assert await answers_at(stage, "green")
    assert await colours_served(stage) == {"blue"}
    async with asyncio.timeout(30.0):
        while (await bluegreen(stage, "env", "smoke", "green")).code != 0:
            await asyncio.sleep(0.1)
    assert (await bluegreen(stage, "env", "logs", "green", "-n", "5")).code == 0
    assert (await bluegreen(stage, "env", "down", "green")).code == 0
    assert not await answers_at(stage, "green")
    failed = await bluegreen(stage, "env", "smoke", "green")
    assert failed.code == 1
    assert "✖" in failed.text
    await deploy(stage, "1.1.0")
    await reached(stage, "current", "WATCHING")
    refused = await bluegreen(stage, "env", "down", "blue", "-o", "json")
    assert refused.code == 5
    assert (await bluegreen(stage, "env", "smoke", "blue")).code == 0
    assert await answers_at(stage, "blue")


async def test_receivers_and_hooks_are_tested_for_real(make_stage: MakeStage, tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    extra = f"""
[hooks]
listen = "127.0.0.1:{free_ports(1)[0]}"
[hooks.prom]
kind = "alertmanager"
token = "a-hook-token"
match = {{ severity = "page" }}

[[notify]]
name = "file"
kind = "command"
command = ["sh", "-c", "cat >> {told}; echo >> {told}"]
events = ["deployment.*"]

[[notify]]
name = "broken"
kind = "command"
command = ["false"]
"""
    stage = make_stage(pace=Pace(window="60s"), extra=extra)
    await stage.set_up()
    await stage.start_daemon()
    assert (await bluegreen(stage, "notify", "test", "file")).code == 0
    (notice,) = [json.loads(line) for line in told.read_text().splitlines() if line]
    assert notice["event"] == "receiver.tested"
    both = await bluegreen(stage, "notify", "test")
    assert both.code == 1
    assert "notifier broken" in both.text
    idle = await bluegreen(stage, "hook", "test", "prom")
    assert idle.code == 0, idle.text
    assert "would only be recorded: no deployment is running" in idle.text
    await deploy(stage, "1.1.0")
    await reached(stage, "current", "WATCHING")
    watched = await bluegreen(stage, "hook", "test", "prom")
    assert "one that fires now would cut back" in watched.text
    assert await colours_served(stage) == {"green"}, "and the test itself moved nobody"
    assert (await bluegreen(stage, "hook", "test", "nagios")).code == 1
    assert "a-hook-token" not in stage.daemon_log.read_text()
