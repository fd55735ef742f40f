"""The command check: what it runs, what it may say, and what it leaves behind."""

from pathlib import Path

import pytest

from bluegreen.adapters.checks.command import CommandCheck
from tests.adapters.checks.colours import service, target
from tests.adapters.waiting import LONG, pid_in, running, until

GREEN = target(service("127.0.0.1:1"))


async def test_a_command_is_told_colour_and_release(tmp_path: Path) -> None:
    argv = ["sh", "-c", "echo $0 $1 $EXTRA $(pwd)", "{colour}", "{release}"]
    check = CommandCheck("check", argv, environment={"EXTRA": "e"}, cwd=tmp_path, timeout=LONG)
    assert (await check.check(GREEN)).detail == f"green 1.2.0 e {tmp_path}"
    assert (await check.check(target(release=""))).detail == f"green e {tmp_path}"


async def test_a_failure_says_exit_code_and_last_line() -> None:
    check = CommandCheck("check", ["sh", "-c", "echo first; echo 'login is broken' >&2; exit 3"], timeout=LONG)
    result = await check.check(GREEN)
    assert (result.passed, result.detail) == (False, "exit code 3: login is broken")


async def test_a_line_without_end_is_shortened() -> None:
    check = CommandCheck("check", ["sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x; exit 1"], timeout=LONG)
    assert len((await check.check(GREEN)).detail) < 400


@pytest.mark.parametrize("release", ["1;reboot", "--help"])
async def test_a_release_that_is_more_than_a_word_fails_the_check(release: str) -> None:
    result = await CommandCheck("check", ["echo", "{release}"]).check(target(release=release))
    assert not result.passed
    assert "release" in result.detail


async def test_a_program_that_is_missing_is_a_result() -> None:
    result = await CommandCheck("check", ["no-such-program"]).check(GREEN)
    assert not result.passed
    assert "no-such-program cannot be started" in result.detail


async def test_all_that_a_hanging_check_forked_is_ended(tmp_path: Path) -> None:
    script = f"(sleep 300 & echo $! > {tmp_path}/pid; wait) & wait"
    result = await CommandCheck("check", ["sh", "-c", script], timeout=0.5).check(GREEN)
    assert not result.passed
    assert "did not end within 0.5 s" in result.detail
    pid = await pid_in(tmp_path / "pid")
    await until(lambda: not running(pid))


async def test_a_failed_command_is_tried_again_as_often_as_it_may(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) -ge 3 ]"
    check = CommandCheck("check", ["sh", "-c", script], retries=1, retry_delay=0.01, timeout=LONG)
    assert not (await check.check(GREEN)).passed
    assert (await check.check(GREEN)).passed
    assert (tmp_path / "tries").read_text() == "x\n" * 3
