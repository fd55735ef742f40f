"""A machine that freezes, or a link that is cut: noticed in seconds, and never taken for a command's own end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from bluegreen.hosts import HostUnreachable
from bluegreen.ssh import Ssh
from tests.adapters.waiting import LONG, pid_in, running, until
from tests.platform.hosts import Machine, machine

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

NOTICED = 10.0
"""Seconds, generously: 3 by the keep-alive, 5 to connect."""


@pytest.fixture
async def green(short_directory: Path) -> AsyncIterator[Machine]:
    async with machine(short_directory, "green") as made:
        yield made


async def _lost(host: Ssh, script: str) -> None:
    with pytest.raises(HostUnreachable, match="the link was lost while sh ran there"):
        await host.run(["sh", "-c", script], timeout=LONG, alone="green")


async def test_a_machine_that_freezes_in_the_middle_of_a_command_is_noticed(green: Machine, tmp_path: Path) -> None:
    host = green.sshd.ssh()
    async with asyncio.TaskGroup() as group:
        group.create_task(_lost(host, f"echo $$ >{tmp_path}/pid; sleep 300"), name="lost")
        pid = await pid_in(tmp_path / "pid")
        green.freeze()
        began = monotonic()
    in_the_middle, began = monotonic() - began, monotonic()
    with pytest.raises(HostUnreachable):
        await host.run(["true"], timeout=LONG)
    afresh = monotonic() - began
    print(f"\nnoticed after {in_the_middle:.1f} s in the middle of a command, {afresh:.1f} s with a new connection")
    assert max(in_the_middle, afresh) < NOTICED
    green.thaw()
    await until(lambda: not running(pid))  # its sshd finds the link closed, and lets go of the leash
    assert (await host.run(["echo", "back"], timeout=LONG)).output == "back\n"


async def test_what_a_cut_link_left_running_is_ended_by_the_next_command(green: Machine, tmp_path: Path) -> None:
    host = green.sshd.ssh()
    script = f"trap 'echo up ended >>{tmp_path}/order; exit' TERM; echo $$ >{tmp_path}/pid; sleep 300 & wait"
    async with asyncio.TaskGroup() as group:
        group.create_task(_lost(host, script), name="lost")
        pid = await pid_in(tmp_path / "pid")
        green.cut()
        began = monotonic()
    assert monotonic() - began < NOTICED
    assert running(pid), "nobody could tell it"
    green.heal()
    down = f"echo down >>{tmp_path}/order"
    assert (await host.run(["sh", "-c", down], timeout=LONG, alone="green")).code == 0
    assert (tmp_path / "order").read_text().splitlines() == ["up ended", "down"]


async def test_a_machine_that_refuses_says_so_at_once(green: Machine) -> None:
    green.refuse()
    began = monotonic()
    with pytest.raises(HostUnreachable):
        await green.sshd.ssh(known_hosts=green.sshd.directory / "known_hosts").run(["true"], timeout=LONG)
    assert monotonic() - began < NOTICED
