"""The demonstration itself leaves nothing behind, also when it is interrupted."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from bluegreen.demo.children import Child

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
