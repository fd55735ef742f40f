"""A real worker of each colour, a real Caddy, a real daemon: the worker follows users, and no two ever work at once."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from pathlib import Path

from bluegreen.processes import environment, run_command
from tests.e2e.conftest import MakeYard
from tests.e2e.yard import Yard, until

WORKER = """\
import os, sys, time
sys.stdout = open(sys.argv[1], "a", buffering=1)
while True:
    print(sys.argv[2], sys.argv[3])
    time.sleep(0.02)
"""
"""Works, that is: says who it is, again and again."""

SCRIPT = """\
set -e
cd {directory}
case $1 in
up)
    test -f $2.pid && test -e /proc/$(cat $2.pid)/exe && exit 0
    setsid {python} worker.py beats $2 $3 </dev/null >/dev/null 2>&1 &
    echo $! > $2.pid ;;
down)
    test -f $2.pid || exit 0
    kill -9 $(cat $2.pid) 2>/dev/null || true
    while test -e /proc/$(cat $2.pid)/exe; do sleep 0.02; done
    rm $2.pid ;;
esac
"""

MOVES = """\
live_only_up = ["sh", "{directory}/worker.sh", "up", "{{colour}}", "{{release}}"]
live_only_down = ["sh", "{directory}/worker.sh", "down", "{{colour}}"]
"""

MORE = """
[[services]]
name = "mailer"
role = "live-only"

[[after_switch]]
name = "flush"
command = ["sh", "-c", 'echo "$0 $1" >> {directory}/flushed', "{{colour}}", "{{release}}"]

[[after_switch]]
name = "warm-up"
service = "web"
http = {{ method = "GET", path = "/version" }}
"""


@asynccontextmanager
async def employed(make_yard: MakeYard, struck_at: str = "") -> AsyncIterator[Yard]:
    """A yard whose blue colour has a worker."""
    yard = await make_yard(window="700ms", standby="300ms")
    await yard.kill_daemon()
    places = {"directory": yard.directory, "python": sys.executable}
    (yard.directory / "worker.py").write_text(WORKER)
    script = yard.directory / "worker.sh"
    script.write_text(SCRIPT.format(**places))
    text = yard.config.read_text() + MORE.format(**places)
    for head in ("[environments.blue]\n", "[environments.green]\n"):
        text = text.replace(head, head + MOVES.format(**places), 1)
    yard.config.write_text(text)
    try:
        await run_command(
            ["sh", str(script), "up", "blue", "1.0.0"], timeout=10.0, env=environment({}), leave_children=True
        )
        await yard.start_daemon(struck_at)
        yield yard
    finally:
        for file in yard.directory.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


def shifts(directory: Path) -> list[str]:
    """Who worked, one after the other: two who work at once would change places again and again."""
    lines = (directory / "beats").read_text().splitlines()
    return [who for who, _ in groupby(lines)]


async def test_the_worker_goes_along_and_comes_home(make_yard: MakeYard) -> None:
    async with employed(make_yard) as yard:
        live = await yard.ended(await yard.deploy("1.1.0"))
        assert live.phase == "LIVE", live.reason
        assert shifts(yard.directory) == ["blue 1.0.0", "green 1.1.0"]
        assert "live-only   mailer: on green" in await yard.status()
        async with yard.users(rate=40):
            await yard.asked(40)
            back = await yard.ended(await yard.deploy("1.2.0-bad"))
        assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
        assert shifts(yard.directory) in (
            ["blue 1.0.0", "green 1.1.0", "blue 1.2.0-bad", "green 1.1.0"],
            ["blue 1.0.0", "green 1.1.0"],  # users were sent back before it came to that
        )
        await until(
            lambda: len((yard.directory / "flushed").read_text().splitlines()) == 3, 10.0, "all caches are flushed"
        )
        assert (yard.directory / "flushed").read_text().splitlines() == ["green 1.1.0", "blue 1.2.0-bad", "green 1.1.0"]
        told = [event.name for event in await yard.events(live.id)]
        assert told.count("after_switch.done") == 2


async def test_killed_between_stop_and_start_the_next_daemon_goes_on(make_yard: MakeYard) -> None:
    async with employed(make_yard, struck_at="WATCHING:after-action") as yard:
        id = await yard.deploy("1.1.0")
        await yard.daemon_ended()
        assert shifts(yard.directory) == ["blue 1.0.0"], "it is stopped, and the other is not started"
        await yard.start_daemon()
        live = await yard.ended(id)
        assert live.phase == "LIVE", live.reason
        assert shifts(yard.directory) == ["blue 1.0.0", "green 1.1.0"]
