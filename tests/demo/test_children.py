"""A process is known by its pid and its start, started detached, and stopped for good."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.demo.children import Child, EmbeddedFailed, spawn, tail
from bluegreen.processes import environment

SLEEPER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


async def test_it_runs_in_a_session_of_its_own_and_ends_when_told(tmp_path: Path) -> None:
    child = spawn(SLEEPER, env=environment(), log=tmp_path / "log")
    assert os.getsid(child.pid) == child.pid
    assert Child.of(child.pid) == child
    await child.stop()
    await child.stop()
    assert not Path(f"/proc/{child.pid}").exists()


async def test_a_paused_one_is_frozen_with_all_its_threads_and_goes_on(tmp_path: Path) -> None:
    child = spawn(SLEEPER, env=environment(), log=tmp_path / "log")
    for _ in range(20):
        child.pause()
        assert _states(child) == {"T"}
        child.unpause()
    await child.stop()


def _states(child: Child) -> set[str]:
    tasks = Path(f"/proc/{child.pid}/task").glob("*/stat")
    return {task.read_text().rpartition(")")[2].split()[0] for task in tasks}


async def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn(STUBBORN, env=environment(), log=log)
    while "ready" not in tail(log):
        assert not await child.ended(0.02)
    child.send(signal.SIGTERM)
    assert not await child.ended(0.2)
    await child.stop(grace=0.2)
    assert not child.alive


async def test_a_pid_that_somebody_else_has_by_now_is_left_alone(tmp_path: Path) -> None:
    child = spawn(SLEEPER, env=environment(), log=tmp_path / "log")
    predecessor = replace(child, started=child.started - 1)
    assert not predecessor.alive
    await predecessor.kill()
    assert child.alive
    await child.kill()


async def test_the_remains_of_a_process_are_not_alive(tmp_path: Path) -> None:
    child = spawn([sys.executable, "-c", ""], env=environment(), log=tmp_path / "log")
    await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert not child.alive
    assert child.command == []
    assert await child.ended(5.0)
    assert not Path(f"/proc/{child.pid}").exists()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedFailed, match="no-such-program cannot be started"):
        spawn(["no-such-program"], env=environment(), log=tmp_path / "log")


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == "(nothing)"
    log.write_text("a\nb\nc\n")
    assert tail(log, 2) == "b\nc"
