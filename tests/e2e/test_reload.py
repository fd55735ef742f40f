"""Reload, as systemd sees it: the same process begins again with another configuration, and its socket never closes."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from bluegreen.demo.children import spawn
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.client import ClientError
from bluegreen.processes import environment
from tests.e2e.cast import deploy, eventually, reached
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import bluegreen

SERVE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="api")
os.execv(sys.executable, [sys.executable, "-m", "bluegreen", "serve", "--config", sys.argv[2]])
"""


class Supervision:
    """What systemd does for the daemon: it opens the socket, starts it, and listens to what it tells."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.told: list[str] = []
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(str(stage.directory / "notify"))
        self._ear.setblocking(False)
        self._door = socket.socket(socket.AF_UNIX)

    async def start(self) -> None:
        """Start the daemon, and return when it says that it is ready."""
        self._door.bind(str(self.stage.socket))
        self._door.listen(1024)
        descriptor = os.dup(self._door.fileno())
        os.set_inheritable(descriptor, True)
        told = {"NOTIFY_SOCKET": self._ear.getsockname(), "WATCHDOG_USEC": "3000000", "PYTHONPATH": ":".join(sys.path)}
        argv = [sys.executable, "-c", SERVE, str(descriptor), str(self.stage.config)]
        self.stage.daemon = spawn(argv, env=environment(told), log=self.stage.daemon_log)
        os.close(descriptor)
        await self.hear("READY=1")

    async def hear(self, line: str, times: int = 1) -> None:
        """Return when the daemon has told this so many times in all."""
        await eventually(lambda: self._listen().count(line) >= times, 30.0)

    def _listen(self) -> list[str]:
        try:
            while True:
                self.told += self._ear.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self.told

    def close(self) -> None:
        """The supervisor's end."""
        self._ear.close()
        self._door.close()


@contextmanager
def supervised(stage: Stage) -> Iterator[Supervision]:
    """A supervisor for this daemon."""
    supervision = Supervision(stage)
    try:
        yield supervision
    finally:
        supervision.close()


async def window(stage: Stage) -> str:
    """The watch window that is in force."""
    async with stage.client as client:
        return str((await client.configuration()).value["watch"]["window"])


def set_window(stage: Stage, value: str) -> None:
    lines = stage.config.read_text().splitlines()
    stage.config.write_text("\n".join(f'window = "{value}"' if line.startswith("window =") else line for line in lines))


async def asking(socket_path: Path, until: asyncio.Event) -> list[int]:
    """Ask without a pause, each time on a connection of its own; the answers' status, and 0 where there was none."""
    got = []
    while not until.is_set():
        connector = aiohttp.UnixConnector(str(socket_path), force_close=True)
        async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
            try:
                async with session.get("/healthz", timeout=aiohttp.ClientTimeout(total=30.0)) as answer:
                    got.append(answer.status)
            except aiohttp.ClientConnectorError:
                got.append(0)
            except aiohttp.ClientError:
                got.append(-1)  # connected, and cut off by the daemon that ended: it may ask again
    return got


async def test_the_same_process_begins_again_with_what_the_file_says_now(make_stage: MakeStage) -> None:
    stage = make_stage()
    await stage.set_up()
    with supervised(stage) as systemd:
        await systemd.start()
        assert stage.daemon is not None
        pid, before = stage.daemon.pid, await window(stage)
        set_window(stage, "9s")
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            crowd = group.create_task(asking(stage.socket, over), name="crowd")
            reloaded = await bluegreen(stage, "reload")
            over.set()
        assert reloaded.code == 0, reloaded.text
        assert "began again" in reloaded.text
        assert (before, await window(stage)) == ("8s", "9s")
        await systemd.hear("READY=1", 2)
        assert systemd.told.index("RELOADING=1") < len(systemd.told) - systemd.told[::-1].index("READY=1")
        assert (stage.daemon.alive, stage.daemon.pid) == (True, pid)
        answers = crowd.result()
        assert 200 in answers
        assert 0 not in answers, "the socket was closed meanwhile"
        assert "operator.reloaded" in stage.daemon_log.read_text()


async def test_a_hangup_is_a_reload_and_the_status_says_where_the_traffic_is(make_stage: MakeStage) -> None:
    stage = make_stage()
    await stage.set_up()
    with supervised(stage) as systemd:
        await systemd.start()
        await systemd.hear("WATCHDOG=1")
        await systemd.hear("STATUS=blue live; nothing is moving")
        set_window(stage, "9s")
        assert stage.daemon is not None
        stage.daemon.send(signal.SIGHUP)
        await systemd.hear("READY=1", 2)
        assert await window(stage) == "9s"
        await stage.stop_daemon()
        await systemd.hear("STOPPING=1")
    assert stage.socket.is_socket(), "it is systemd's to remove"


async def test_a_configuration_that_cannot_be_used_changes_nothing(make_stage: MakeStage) -> None:
    stage = make_stage()
    await stage.set_up()
    await stage.start_daemon()
    good = stage.config.read_text()
    stage.config.write_text(good.replace('window = "8s"', 'window = "soon"').replace("drain =", "drainn ="))
    refused = await bluegreen(stage, "reload")
    assert refused.code == 78
    assert "watch.window" in refused.text
    assert "drainn" in refused.text
    assert "next: bluegreen config" in refused.text
    assert stage.daemon is not None
    stage.daemon.send(signal.SIGHUP)
    await eventually(lambda: "reload.refused" in stage.daemon_log.read_text(), 30.0)
    assert "configuration.refused" in stage.daemon_log.read_text()
    assert await window(stage) == "8s"
    stage.config.write_text(good)
    assert (await bluegreen(stage, "reload")).code == 0, "nothing was left locked"


async def test_what_would_only_fail_at_the_start_is_tried_before(make_stage: MakeStage) -> None:
    stage = make_stage()
    await stage.set_up()
    await stage.start_daemon()
    good = stage.config.read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stage.config.write_text(f'{good}\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
        refused = await bluegreen(stage, "reload")
    assert refused.code == 78
    assert f"metrics.listen: cannot listen on 127.0.0.1:{port}" in refused.text
    stage.config.write_text(good.replace('/state"', '/notify/state"'))
    (stage.directory / "notify").write_text("a file in the way")
    refused = await bluegreen(stage, "reload")
    assert refused.code == 78
    assert "the state directory" in refused.text
    assert await window(stage) == "8s"


async def test_a_running_deployment_keeps_its_settings(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="60s"))
    await stage.set_up()
    await stage.start_daemon()
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    refused = await bluegreen(stage, "reload")
    assert refused.code == 5
    assert f"{id} is in WATCHING" in refused.text
    assert f"next: bluegreen watch {id}" in refused.text
    async with stage.client as client:
        with pytest.raises(ClientError) as told:
            await client.reload()
    assert (told.value.status, told.value.code) == (409, "deployment-in-progress")
    assert (await bluegreen(stage, "cutback")).code == 0
    assert (await bluegreen(stage, "reload")).code == 0, "nothing was left locked"
