"""The command runner: what its commands are told, what is kept of them, and what is left behind."""

import os
import signal
from pathlib import Path

import pytest

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from tests.adapters.waiting import LONG, pid_in, running, until


def green(up: str = "true", down: str = "true", **options: object) -> CommandRunner:
    """A runner whose commands are shell scripts."""
    arguments = {"timeout": LONG} | options
    return CommandRunner(Colour.GREEN, ["sh", "-c", up], ["sh", "-c", down], **arguments)  # type: ignore[arg-type]


async def test_commands_are_told_colour_and_release_and_nothing_else(tmp_path: Path) -> None:
    echo = ["echo", "{colour}", "{other}", "$HOME"]
    runner = CommandRunner(Colour.GREEN, [*echo, "{release}"], echo, echo, cwd=tmp_path, timeout=LONG)
    assert await runner.up(Release("1.2.0")) == "green {other} $HOME 1.2.0\n"
    assert await runner.down() == "green {other} $HOME\n"
    assert await runner.logs(10) == "green {other} $HOME"


async def test_a_release_is_not_known_to_down() -> None:
    runner = CommandRunner(Colour.GREEN, ["true"], ["echo", "{release}"], timeout=LONG)
    with pytest.raises(RunnerFailed, match=r"`down` of green failed: .*\{release\} is not known here"):
        await runner.down()


@pytest.mark.parametrize("version", ["1.2.0; reboot", "--privileged", "../etc", "\x1b[2J", "", "$(id)"])
async def test_a_release_that_is_more_than_a_word_is_never_run(tmp_path: Path, version: str) -> None:
    up = ["sh", "-c", f'[ -n "$0" ] && touch {tmp_path}/ran', "{release}"]
    runner = CommandRunner(Colour.GREEN, up, ["true"], timeout=LONG)
    with pytest.raises(RunnerFailed) as caught:
        await runner.up(Release(version))
    assert "\x1b" not in caught.value.detail
    assert not (tmp_path / "ran").exists()


async def test_a_releases_variables_come_over_those_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_SECRET", "s3cret")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    environment = {"LEVEL": "info", "PROJECT": "app"}
    runner = green("env", "env", environment=environment, passed=["DOCKER_HOST"])
    up = await runner.up(Release("1.2.0", {"APP_IMAGE": "app:1.2.0", "LEVEL": "debug"}))
    for line in ("APP_IMAGE=app:1.2.0", "LEVEL=debug", "PROJECT=app", "DOCKER_HOST=unix:///run/docker.sock"):
        assert line in up.splitlines()
    assert "s3cret" not in up
    down = (await runner.down()).splitlines()
    assert "LEVEL=info" in down
    assert not any(line.startswith("APP_IMAGE") for line in down)


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "DOCKER_HOST", "lower", "A-B", "1A", "A B", "", "A=B", "Ä", "A\n"]
)
async def test_a_release_may_not_set_what_is_the_hosts(tmp_path: Path, name: str) -> None:
    runner = green(f"touch {tmp_path}/ran", passed=["DOCKER_HOST"])
    with pytest.raises(RunnerFailed) as caught:
        await runner.up(Release("1.2.0", {"FINE": "1", name: "x"}))
    assert f"release 1.2.0 may not set {name!r}:" in caught.value.detail
    assert not (tmp_path / "ran").exists()


async def test_a_failure_carries_exit_code_last_lines_and_the_whole_kept_output() -> None:
    script = "for i in 1 2 3 4 5; do echo line $i; done; echo >&2; printf 'the \\033[31mreason\\n' >&2; exit 7"
    with pytest.raises(RunnerFailed) as caught:
        await green(script).up(Release("1.2.0"))
    assert caught.value.detail == (
        "`up` of green failed: sh ended with exit code 7; it said: line 5 | the \\x1b[31mreason"
    )
    assert caught.value.facts["exit_code"] == 7
    assert str(caught.value.facts["output"]).startswith("line 1\nline 2\n")
    assert caught.value.next == ("bluegreen logs",)


async def test_a_program_that_is_missing_is_named() -> None:
    runner = CommandRunner(Colour.BLUE, ["no-such-program"], ["true"], timeout=LONG)
    with pytest.raises(RunnerFailed, match="`up` of blue failed: no-such-program cannot be started"):
        await runner.up(Release("1.2.0"))


async def test_an_up_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    runner = green(f"echo pulling; sleep 300 & echo $! > {tmp_path}/pid; wait", timeout=0.5)
    with pytest.raises(RunnerFailed, match=r"did not end within 0\.5 s.*pulling") as caught:
        await runner.up(Release("1.2.0"))
    assert caught.value.facts["output"] == "pulling\n"
    pid = await pid_in(tmp_path / "pid")
    await until(lambda: not running(pid))


async def test_what_up_starts_goes_on_and_a_held_output_is_pointed_out(tmp_path: Path) -> None:
    output = await green(f"sleep 300 & echo $! > {tmp_path}/pid; echo started").up(Release("1.2.0"))
    pid = await pid_in(tmp_path / "pid")
    try:
        assert running(pid)
        assert output.startswith("started\n")
        assert ">/dev/null 2>&1" in output
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_only_the_last_output_is_kept() -> None:
    output = await green("head -c 300000000 /dev/zero | tr '\\0' x; echo; echo done", output_limit=1000).up(
        Release("1")
    )
    assert output.endswith("x\ndone\n")
    assert len(output) < 1100
    assert output.startswith("... 299999006 bytes before this were not kept\n")


async def test_without_a_logs_command_the_text_says_so() -> None:
    text = await green().logs(10)
    assert "no `logs` command is configured for green" in text
    assert "[environments.green]" in text


async def test_a_logs_command_that_fails_is_a_failure() -> None:
    runner = CommandRunner(Colour.GREEN, ["true"], ["true"], ["sh", "-c", "echo no journal; exit 1"], timeout=LONG)
    with pytest.raises(RunnerFailed, match=r"`logs` of green failed: .*no journal"):
        await runner.logs(10)
