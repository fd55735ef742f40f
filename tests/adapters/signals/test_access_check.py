"""Whether the access log can be heard at all, tried once, with what to do where it cannot."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.domain.errors import SignalFailed
from tests.adapters.signals.heard import SERVICES, Heard, line, running
from tests.adapters.waiting import until


def reader(path: Path) -> CaddyLog:
    return CaddyLog(path, SERVICES, on_witness=lambda *_: None, clock=SystemClock())


def opened() -> int:
    """Files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_log_that_is_there_can_be_heard(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(line())
    before = opened()
    log = reader(path)
    await log.check()
    assert opened() == before
    assert (log.seen.taken, log.position()) == (0, None), "it only looked"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: None, "No such file or directory", id="absent"),
        pytest.param(os.mkfifo, "not a regular file", id="a pipe"),
        pytest.param(os.mkdir, "not a regular file", id="a directory"),
    ],
)
async def test_a_log_that_cannot_be_heard_says_why_and_what_to_type(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    make(path := tmp_path / "access.log")
    with pytest.raises(SignalFailed, match=says) as failed:
        await reader(path).check()
    assert str(path) in str(failed.value)
    assert failed.value.next == (f"ls -l {path}",)


async def test_a_log_of_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.touch()
    log = reader(path)
    async with running(log, Heard()):
        await until(lambda: log.position() is not None)
        with path.open("ab") as file:
            file.write(b'2026/11/20 22:23:07 "GET / HTTP/2.0" 200\n')
        await until(lambda: log.seen.undecodable)
        with pytest.raises(SignalFailed, match="is it in JSON") as failed:
            await log.check()
        assert failed.value.next == (f"tail -n 1 {path}",)
        with path.open("ab") as file:
            file.write(line())
        await until(lambda: log.seen.taken)
        await log.check()
