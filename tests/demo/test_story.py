"""The demonstration itself leaves nothing behind, also when it is interrupted."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from bluegreen.demo.children import Child
from bluegreen.processes import Ran, environment, run_command

pytestmark = pytest.mark.e2e


async def test_ctrl_c_ends_the_demonstration_and_cleans_up() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bluegreen", "demo", stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    directory = Path()
    async with asyncio.timeout(60):
        async for line in process.stdout:
            named = re.search(r"in (/\S+)", line.decode())
            directory = Path(named[1]) if named else directory
            if b"learns how users fare" in line:
                break
        assert directory.is_dir()
        assert _playing_in(directory), "the parts run"
        os.killpg(process.pid, signal.SIGINT)
        rest = await process.stdout.read()
        assert await process.wait() == 130, rest.decode()
    assert not directory.exists()
    assert _playing_in(directory) == []


async def test_what_is_kept_can_be_explored_and_swept_away() -> None:
    played = await _run("-m", "bluegreen", "demo", "--keep")
    assert played.code == 0, played.output
    directory = Path(re.search(r"in (/\S+)", played.output)[1])  # type: ignore[index] # the test fails either way
    try:
        assert "sessions lost            0" in played.output
        assert "bad answers before the cutback" in played.output
        status = await _run("-m", "bluegreen", "--socket", str(directory / "api.sock"), "status")
        assert "green serves 1.1.0" in status.output
    finally:
        swept = await _run("-m", "bluegreen.demo.sweep", str(directory))
    assert swept.code == 0, swept.output
    assert not directory.exists()
    assert _playing_in(directory) == []


async def _run(*words: str) -> Ran:
    path = {"PYTHONPATH": ":".join(sys.path)}
    return await run_command([sys.executable, *words], timeout=110.0, env=environment(path), leave_children=True)


def _playing_in(directory: Path) -> list[str]:
    """Commands of living processes that have to do with this directory."""
    found = []
    for entry in Path("/proc").iterdir():
        child = Child.of(int(entry.name)) if entry.name.isdigit() else None
        if child is not None and _concerns(child, directory):
            found.append(" ".join(child.command))
    return found


def _concerns(child: Child, directory: Path) -> bool:
    try:
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        working = str(Path(f"/proc/{child.pid}/cwd").readlink())
    except OSError:
        return False  # it has ended meanwhile, or is none of ours
    return (
        str(directory) in " ".join(child.command) or str(directory).encode() in environment or str(directory) in working
    )
