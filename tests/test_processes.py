"""Commands are run to their end, and nothing of them is left behind that should not be."""

import asyncio
import hashlib
import os
import signal
from pathlib import Path

import pytest

from bluegreen import processes
from bluegreen.processes import CommandFailed, Ran, environment, fill, run_command
from tests.adapters.waiting import LONG, pid_in, running, until

ENV = environment()


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("script", "code", "output"),
    [
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("echo no; exit 3", 3, "no\n"),
        ("kill -TERM $$", -signal.SIGTERM, ""),
        (r"printf '\303\050'", 0, "�("),
        ("cat", 0, ""),
    ],
    ids=["both outputs", "exit code", "signal", "not UTF-8", "no input"],
)
async def test_a_command_tells_how_it_ended_and_what_it_said(script: str, code: int, output: str) -> None:
    ran = await run_command(sh(script), timeout=LONG, env=ENV)
    assert (ran.code, ran.output, ran.held) == (code, output, False)


@pytest.mark.parametrize(
    ("output", "last"),
    [
        ("a\n b \n\n", "b"),
        ("", "(no output)"),
        ("\n \n", "(no output)"),
        ("\x1b[31mré\x07", "\\x1b[31mré\\x07"),
        ("x" * 5000, "x" * 300),
    ],
    ids=["stripped", "nothing", "blank", "terminal tricks", "endless"],
)
def test_the_last_line_is_the_last_that_says_something(output: str, last: str) -> None:
    assert Ran(1, output, 0.0).last_line == last


async def test_a_command_reads_its_input_to_the_end() -> None:
    data = os.urandom(3_000_000)
    ran = await run_command(["sha256sum"], timeout=LONG, env=ENV, stdin=data)
    assert ran.output.split()[0] == hashlib.sha256(data).hexdigest()


async def test_an_input_that_nobody_reads_holds_nothing_up() -> None:
    ran = await run_command(sh("sleep 60 & exit 4"), timeout=LONG, env=ENV, stdin=b"x" * 3_000_000)
    assert ran.code == 4


async def test_a_command_sees_only_the_environment_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_SECRET", "s3cret")
    monkeypatch.setenv("SHARED", "seen")
    env = environment({"EXTRA": "1", "HOME": "/elsewhere"}, ["SHARED", "ABSENT"])
    ran = await run_command(["env"], timeout=LONG, env=env)
    seen = dict(line.split("=", 1) for line in ran.output.splitlines())
    assert (seen["EXTRA"], seen["SHARED"], seen["HOME"]) == ("1", "seen", "/elsewhere")
    assert seen.keys() <= {*processes.INHERITED, "EXTRA", "SHARED"}


async def test_a_command_runs_where_it_is_told_to(tmp_path: Path) -> None:
    assert (await run_command(["pwd"], timeout=LONG, env=ENV, cwd=tmp_path)).output == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("argv", "cwd"),
    [(["/no/such/program"], None), (["no-such-program"], None), (["true", "a\0b"], None), (["true"], Path("/no/such"))],
    ids=["path", "name", "NUL in an argument", "directory"],
)
async def test_a_command_that_cannot_be_started_says_which_and_why(argv: list[str], cwd: Path | None) -> None:
    before = descriptors()
    with pytest.raises(CommandFailed, match=argv[0]) as caught:
        await run_command(argv, timeout=LONG, env=ENV, cwd=cwd, stdin=b"x")
    assert caught.value.facts["argv"] == argv
    await until(lambda: descriptors() == before)


async def test_a_command_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = f"echo begun; sleep 300 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(CommandFailed, match=r"did not end within 0\.5 s.*begun") as caught:
        await run_command(sh(script), timeout=0.5, env=ENV)
    assert caught.value.facts["output"] == "begun\n"
    assert not running(await pid_in(tmp_path / "pid"))


async def test_what_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.2)
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 300; done"
    with pytest.raises(CommandFailed):
        await run_command(sh(script), timeout=0.5, env=ENV)
    assert not running(await pid_in(tmp_path / "pid"))


async def _cancelled_twice_or_once(script: str, pid_file: Path, times: int) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run_command(sh(script), timeout=LONG, env=ENV), name="command under test")
        await pid_in(pid_file)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0.1)
    assert task.cancelled()


async def test_a_cancelled_command_is_ended_with_all_it_started(tmp_path: Path) -> None:
    await _cancelled_twice_or_once(f"sleep 300 & echo $! > {tmp_path}/pid; wait", tmp_path / "pid", 1)
    assert not running(await pid_in(tmp_path / "pid"))


async def test_a_command_cancelled_again_gets_no_more_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 3600.0)
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 300; done"
    await _cancelled_twice_or_once(script, tmp_path / "pid", 2)
    await until(lambda: not running(int((tmp_path / "pid").read_text())))


async def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    ran = await run_command(sh(f"sleep 300 & echo $! > {tmp_path}/pid"), timeout=LONG, env=ENV)
    assert ran.code == 0
    assert not running(await pid_in(tmp_path / "pid"))


async def test_what_an_up_command_leaves_behind_stays(tmp_path: Path) -> None:
    script = f"sleep 300 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; echo started"
    ran = await run_command(sh(script), timeout=LONG, env=ENV, leave_children=True)
    pid = await pid_in(tmp_path / "pid")
    try:
        assert (ran.code, ran.output, ran.held) == (0, "started\n", False)
        assert running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_what_an_up_command_leaves_behind_may_hold_its_output(tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! > {tmp_path}/pid; echo started"
    ran = await run_command(sh(script), timeout=LONG, env=ENV, leave_children=True)
    os.kill(await pid_in(tmp_path / "pid"), signal.SIGKILL)
    assert (ran.code, ran.output, ran.held) == (0, "started\n", True)


async def test_what_a_failed_up_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! > {tmp_path}/pid; exit 1"
    ran = await run_command(sh(script), timeout=LONG, env=ENV, leave_children=True)
    assert ran.code == 1
    assert not running(await pid_in(tmp_path / "pid"))


async def test_three_hundred_megabytes_of_output_are_capped_and_the_end_is_kept() -> None:
    script = "head -c 300000000 /dev/zero | tr '\\0' x; echo; echo the reason"
    ran = await run_command(sh(script), timeout=120, env=ENV, output_limit=10_000)
    head, _, kept = ran.output.partition("\n")
    assert head == "... 299990012 bytes before this were not kept"
    assert len(kept) == 10_000
    assert ran.last_line == "the reason"


async def test_commands_leave_no_descriptor_open(tmp_path: Path) -> None:
    await run_command(["true"], timeout=LONG, env=ENV)
    before = descriptors()
    for _ in range(5):
        await run_command(["cat"], timeout=LONG, env=ENV, stdin=b"x")
        with pytest.raises(CommandFailed):
            await run_command(["sleep", "300"], timeout=0.01, env=ENV)
    await until(lambda: descriptors() == before)


def test_only_the_documented_fields_are_filled_in() -> None:
    argv = ["up-{colour}", "{release}", "{release}-{colour}", "{other}", "{}", "${release}", "awk '{print $1}'"]
    assert fill(argv, release="1.2.0", colour="blue") == [
        "up-blue", "1.2.0", "1.2.0-blue", "{other}", "{}", "$1.2.0", "awk '{print $1}'",
    ]  # fmt: skip
    assert fill(["{release}"], release="") == [""]


@pytest.mark.parametrize(
    "release",
    [
        "1 2",
        "1;reboot",
        "$(reboot)",
        "`x`",
        "a/b",
        "-rf",
        "--help",
        "..",
        ".",
        "\x1b[31m",
        "ä",
        "a\n",
        "x" * 65,
        "{colour}",
    ],
)
def test_a_value_that_is_more_than_a_word_is_refused(release: str) -> None:
    with pytest.raises(CommandFailed, match="release"):
        fill(["up", "{release}"], release=release)


def test_a_field_that_is_not_known_here_is_refused() -> None:
    with pytest.raises(CommandFailed, match=r"\{release\} is not known here"):
        fill(["down", "{release}"], colour="blue")


async def test_ten_commands_at_once_do_not_mix_their_output() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(run_command(sh(f"echo {n}; cat"), timeout=LONG, env=ENV, stdin=b"%d" % n), name=f"{n}")
            for n in range(10)
        ]
    assert [task.result().output for task in tasks] == [f"{n}\n{n}" for n in range(10)]
