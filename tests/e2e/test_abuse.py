"""The real daemon under abuse: a storm of alerts, a crowd of connections, callers who may not, sockets that go away.

Whoever does it, the operator is answered meanwhile, traffic stays where it belongs, memory and journal stay bounded,
and the log shows no traceback.
"""

import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.client import ClientError
from bluegreen.processes import environment
from tests.app.outside import side_by_side
from tests.e2e.cast import colours_served, deploy, deployment, ended, eventually, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="120s")
TOKEN = "the-token-of-the-pager"
STORM = 10_000
STRANGER = 23_456

HOOKS = """
[hooks]
listen = "{listen}"

[hooks.pager]
kind = "alertmanager"
token = "{token}"
match = {{ severity = "critical" }}
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

KNOCK = """
import os, socket, sys, time
os.setgroups([]); os.setgid(23456); os.setuid(23456)
held = []
head = b"POST /v1/cutback HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n"
for number in range(1000):
    one = socket.socket(socket.AF_UNIX)
    one.connect(sys.argv[1])
    try:
        one.sendall(head + (b"\\r\\n{" if number % 2 else b""))
    except OSError:
        pass
    held.append(one)
print("held", flush=True)
time.sleep(600)
"""

ASK = """
import ctypes, os, socket, sys
path, uid, namespace, what = sys.argv[1:]
os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
if namespace:
    libc = ctypes.CDLL(None)
    libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: else /proc/self stays root's after setuid(2)
    if libc.unshare(0x10000000) != 0:  # CLONE_NEWUSER
        sys.exit("no user namespaces here")
    if namespace == "root":
        open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
        assert os.getuid() == 0
one = socket.socket(socket.AF_UNIX)
one.settimeout(20)
one.connect(path)
one.sendall(what.encode() + b" HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
print(one.makefile("rb").read().decode())
"""


@pytest.fixture
async def hooked(make_stage: MakeStage) -> tuple[Stage, str]:
    """A stage with an alert hook, and where it listens."""
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    stage = make_stage(pace=LONG, extra=HOOKS.format(listen=listen, token=TOKEN))
    await stage.set_up()
    await stage.start_daemon()
    return stage, f"http://{listen}/v1/hooks/pager"


def alert(number: int, **changes: Any) -> dict[str, Any]:
    early = datetime.now(UTC) - timedelta(days=1)
    return {
        "status": "firing",
        "labels": {"alertname": f"Storm{number}", "severity": "critical", "note": "x" * 200},
        "startsAt": early.isoformat(),
        "fingerprint": f"storm-{number}",
    } | changes


def message(*alerts: dict[str, Any]) -> bytes:
    return json.dumps({"version": "4", "alerts": alerts}).encode()


def memory(stage: Stage) -> float:
    """MiB that the daemon holds."""
    assert stage.daemon is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{stage.daemon.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def journal_size(stage: Stage) -> float:
    """MiB of the journal."""
    return sum(path.stat().st_size for path in (stage.directory / "state").glob("journal.sqlite*")) / 2**20


def descriptors(stage: Stage) -> int:
    assert stage.daemon is not None
    return len(list(Path(f"/proc/{stage.daemon.pid}/fd").iterdir()))


def assert_quiet(stage: Stage) -> None:
    """The log shows no bug and no traceback."""
    said = stage.daemon_log.read_text()
    assert "Traceback" not in said, said[-3000:]
    assert "request.failed" not in said


class Operator:
    """Asks for the status again and again, and notes how long the slowest answer took."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.answers, self.slowest = 0, 0.0

    async def ask(self) -> None:
        """Never ends by itself."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            async with self._stage.client as client:
                await client.status()
            self.answers += 1
            self.slowest = max(self.slowest, loop.time() - began)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def an_operator(stage: Stage) -> AsyncIterator[Operator]:
    """An operator who asks while this lasts."""
    operator = Operator(stage)
    async with side_by_side(("operator", operator.ask())):
        yield operator


async def post_all(url: str, bodies: list[bytes], headers: dict[str, str]) -> dict[int, int]:
    """Post them all, 32 at a time; how often each status was answered."""
    counted: dict[int, int] = {}
    waiting = iter(bodies)

    async def sender(client: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with client.post(url, data=body) as answer:
                await answer.read()
                counted[answer.status] = counted.get(answer.status, 0) + 1

    async with aiohttp.ClientSession(headers=headers) as client, asyncio.TaskGroup() as group:
        for number in range(32):
            group.create_task(sender(client), name=f"sender-{number}")
    return counted


async def test_a_storm_of_alerts_is_bounded_and_the_one_that_counts_cuts_back(hooked: tuple[Stage, str]) -> None:
    stage, url = hooked
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    rss, size = memory(stage), journal_size(stage)
    bearer, wrong = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer wrong"}
    broken = [b"{", b"[]", b"\xff\xfe", b'{"alerts": [{}]}', b'{"alerts": ' + b"[" * 9_000]
    different = [message(alert(n)) if n % 2 else broken[n % len(broken)] for n in range(STORM)]
    async with an_operator(stage) as operator:
        strangers = await post_all(url, [message(alert(1))] * 2_000, wrong)
        copies = await post_all(url, [message(alert(0))] * STORM, bearer)
        many = await post_all(url, different, bearer)
        large = await post_all(url, [message(*(alert(n, fingerprint=f"{n}" * 50) for n in range(400)))] * 10, bearer)
        assert (await deployment(stage, id)).phase == "WATCHING"
        assert await colours_served(stage) == {"green"}
        real = alert(STORM, startsAt=datetime.now(UTC).isoformat())
        answers = await post_all(url, [message(*(alert(n) for n in range(300)), real)], bearer)
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "alert")
    assert await colours_served(stage) == {"blue"}
    grown, written = memory(stage) - rss, journal_size(stage) - size
    print(f"\n{strangers} {copies} {many} {large} {answers}")
    print(
        f"memory +{grown:.1f} MiB, journal +{written:.1f} MiB, slowest of {operator.answers}: {operator.slowest:.2f} s"
    )
    assert set(strangers) == {401, 429}
    assert set(copies) <= {202, 429}
    assert set(many) <= {202, 400, 422, 429}
    assert many[400] + many[422] == STORM // 2
    assert answers == {202: 1}
    assert grown < 64
    assert written < 16
    assert operator.answers > 10
    assert operator.slowest < 5
    assert_quiet(stage)


@as_root
async def test_a_crowd_of_strangers_keeps_nobody_out_and_the_daemon_able_to_work(hooked: tuple[Stage, str]) -> None:
    """With no more than the 1,024 descriptors that a process has by default."""
    stage, url = hooked
    assert stage.daemon is not None
    resource.prlimit(stage.daemon.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    _open_to_all(stage)
    argv = (sys.executable, "-c", KNOCK, str(stage.socket))
    knocker = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=environment({}))
    host, port = url.split("/")[2].split(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(600)]
    try:
        assert knocker.stdout is not None
        assert await knocker.stdout.readline() == b"held\n"
        assert descriptors(stage) < 512
        async with an_operator(stage) as operator:
            id = await deploy(stage, "1.1.0")
            await reached(stage, id, "WATCHING")
            async with stage.client as client:
                await client.cutback("in a crowd")
            back = await ended(stage, id)
    finally:
        knocker.kill()
        await knocker.wait()
        for _, writer in held:
            writer.close()
    assert (back.phase, back.cause) == ("REVERTED", "operator")
    assert await colours_served(stage) == {"blue"}
    assert operator.slowest < 10
    assert_quiet(stage)


async def test_streams_that_are_never_read_cost_a_bounded_amount_and_no_other_caller(hooked: tuple[Stage, str]) -> None:
    stage, _ = hooked
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    rss = memory(stage)
    held = []
    for number in range(200):
        one = socket.socket(socket.AF_UNIX)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.connect(str(stage.socket))
        path = b"/v1/events?after=0" if number % 2 else b"/v1/deployments/current/logs?limit=1000"
        one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(one)
    async with an_operator(stage) as operator:
        async with stage.client as client:
            await client.abort("current", "enough")
        assert (await ended(stage, id)).phase == "REVERTED"
        grown = memory(stage) - rss
    for one in held:
        one.close()
    assert grown < 64
    assert operator.slowest < 5
    await eventually(lambda: descriptors(stage) < 60, 30)
    assert_quiet(stage)


@as_root
async def test_a_stranger_may_do_nothing_and_a_reader_may_not_order(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG, extra='\n[access]\nread = ["uid:23457"]\ncutback = ["uid:23458"]\n')
    await stage.set_up()
    await stage.start_daemon()
    _open_to_all(stage)
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")

    def ask(uid: int, what: str) -> int:
        return _ask(stage, uid, what)

    promote, cutback = "POST /v1/deployments/current/promote", "POST /v1/cutback"
    assert [ask(STRANGER, what) for what in ("GET /healthz", "GET /v1/status", cutback)] == [200, 403, 403]
    assert [ask(23_457, what) for what in ("GET /v1/status", promote, cutback, "GET /v1/config")] == [
        200,
        403,
        403,
        403,
    ]
    assert (await deployment(stage, id)).phase == "WATCHING"
    assert [ask(23_458, what) for what in ("GET /v1/status", promote, cutback)] == [200, 403, 200]
    assert (await ended(stage, id)).cause == "operator"
    assert_quiet(stage)


@as_root
@pytest.mark.parametrize("namespace", ["root", "unmapped"])
async def test_who_is_root_in_a_user_namespace_of_its_own_is_a_stranger_here(
    hooked: tuple[Stage, str], namespace: str
) -> None:
    stage, _ = hooked
    _open_to_all(stage)
    assert _ask(stage, STRANGER, "GET /healthz", namespace) == 200
    assert _ask(stage, STRANGER, "POST /v1/cutback", namespace) == 403
    assert _ask(stage, STRANGER, "GET /v1/status", namespace) == 403
    assert_quiet(stage)


async def test_a_socket_that_was_deleted_is_told_and_a_restart_brings_it_back(hooked: tuple[Stage, str]) -> None:
    stage, _ = hooked
    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "WATCHING")
    stage.socket.unlink()
    async with stage.client as client:
        with pytest.raises(ClientError, match="nobody listens"):
            await client.status()
    await eventually(lambda: "socket.lost" in stage.daemon_log.read_text(), 30)
    await stage.stop_daemon()
    await stage.start_daemon()
    assert (await deployment(stage, id)).phase == "WATCHING"
    assert await colours_served(stage) == {"green"}


def _open_to_all(stage: Stage) -> None:
    """Let others walk to the socket; what they may do there is the daemon's to decide."""
    stage.directory.chmod(0o755)


def _ask(stage: Stage, uid: int, what: str, namespace: str = "") -> int:
    """The status that a process of another user gets, inside a user namespace of its own where one is named."""
    argv = [sys.executable, "-c", ASK, str(stage.socket), str(uid), namespace, what]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment({}))
    if "no user namespaces" in ran.stderr:
        pytest.skip(ran.stderr)
    assert ran.stdout.startswith("HTTP/1."), ran.stderr
    return int(ran.stdout.split()[1])
