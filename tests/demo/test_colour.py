"""The commands of a colour are "ensure": run twice they change nothing, and they end only what they started."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from bluegreen.demo import colour
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.residents import Resident
from bluegreen.demo.stack import SERVICES, Stack
from bluegreen.processes import Ran, environment, run_command

pytestmark = pytest.mark.real


async def _command(verb: str, state: Path, *more: str) -> Ran:
    argv = [sys.executable, "-m", "bluegreen.demo.colour", verb, "--colour", "green", "--state", str(state), *more]
    return await run_command(argv, timeout=60.0, env=environment(), leave_children=True)


def _running(state: Path, name: str = "green") -> list[Resident]:
    return [resident for place in colour.places(state, name) if (resident := place.resident()) is not None]


async def test_up_leaves_both_services_running_after_its_own_end_in_sessions_of_their_own(sample: Path) -> None:
    ran = await _command("up", sample, "--version", "1.0.0")
    assert ran.code == 0, ran.output
    running = _running(sample)
    assert len(running) == len(SERVICES)
    assert all(os.getsid(one.pid) == one.pid for one in running)
    assert (await _command("down", sample)).code == 0
    assert _running(sample) == []


async def test_up_again_changes_nothing_and_another_version_replaces(sample: Path) -> None:
    await colour.up(sample, "green", "1.0.0")
    first = _running(sample)
    await colour.up(sample, "green", "1.0.0")
    assert _running(sample) == first
    await colour.up(sample, "green", "1.0.1")
    assert [one.version for one in _running(sample)] == ["1.0.1", "1.0.1"]
    assert not any(one.child.alive for one in first)


async def test_up_starts_only_the_service_that_is_missing(sample: Path) -> None:
    await colour.up(sample, "green", "1.0.0")
    accounts, shop = _running(sample)
    await shop.child.kill()
    await colour.up(sample, "green", "1.0.0")
    assert _running(sample)[0] == accounts
    assert _running(sample)[1].pid != shop.pid


async def test_two_ups_at_once_start_one_pair(sample: Path) -> None:
    async with asyncio.TaskGroup() as group:
        ups = [
            group.create_task(_command("up", sample, "--version", "1.0.0"), name=f"up {number}") for number in (1, 2)
        ]
    assert [up.result().code for up in ups] == [0, 0]
    logged = "".join(place.log.read_text() for place in colour.places(sample, "green"))
    assert "cannot start" not in logged
    assert len(_running(sample)) == 2


async def test_down_is_harmless_when_nothing_runs_and_touches_one_colour_only(sample: Path) -> None:
    await colour.up(sample, "blue", "1.0.0")
    await colour.down(sample, "green")
    await colour.down(sample, "green")
    assert len(_running(sample, "blue")) == 2


async def test_down_never_ends_a_stranger_who_has_the_pid_by_now(sample: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    file = sample / "green-shop.json"
    file.write_text(f'{{"pid": {stranger.pid}, "started": 1, "version": "1.0.0", "fault": null}}')
    await colour.down(sample, "green")
    assert not file.exists()
    assert stranger.returncode is None
    os.kill(stranger.pid, 0)
    stranger.kill()
    await stranger.wait()


async def test_a_port_that_somebody_else_has_is_an_error_with_the_services_own_words(sample: Path) -> None:
    taken = ("127.0.0.1", Stack.load(sample).ports["green"]["shop"])
    with socket.create_server(taken), pytest.raises(EmbeddedFailed, match="address already in use"):
        await colour.up(sample, "green", "1.0.0")


async def test_logs_show_the_last_lines_of_both_services(sample: Path) -> None:
    ran = await _command("up", sample, "--version", "1.0.0", "--fault", "gremlins")
    assert ran.code == 1
    assert "no fault is called 'gremlins'" in ran.output
    logs = await _command("logs", sample, "--lines", "1")
    assert "== green accounts" in logs.output
    assert "== green shop" in logs.output
    assert "gremlins" in logs.output


async def test_a_directory_without_a_stack_is_named(tmp_path: Path) -> None:
    ran = await _command("up", tmp_path, "--version", "1.0.0")
    assert ran.code == 1
    assert f"{tmp_path}/stack.json describes no sample application" in ran.output


def test_the_file_with_the_dsn_is_ours_alone(sample: Path) -> None:
    assert (sample / "stack.json").stat().st_mode & 0o777 == 0o600
