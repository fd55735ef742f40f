"""The logs of two colours, followed by real processes."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.log_follow import Follow
from bluegreen.adapters.signals.log_lines import LogLines
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.signals import Counted, Overheard
from bluegreen.domain.traffic import Colour
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.adapters.waiting import pid_in, until
from tests.adapters.waiting import running as lives
from tests.fake_ssh import fake

CLOCK = SystemClock()
ERRORS: Mapping[str, tuple[str, str | None]] = {"errors": (r"\bERROR\b", "client left")}
ENDLESS: Mapping[str, tuple[str, str | None]] = {"endless": ("^(a+)+$", None), **ERRORS}


def tail(path: Path) -> Follow:
    return Follow(("tail", "-n", "0", "-F", str(path)), {})


def shell(script: str) -> Follow:
    return Follow(("sh", "-c", script), {})


def source(
    *follows: Follow,
    patterns: Mapping[str, tuple[str, str | None]] = ERRORS,
    patience: float = 10.0,
    redact: Callable[[str], str] = str,
    overheard: Callable[[Overheard], None] = lambda _: None,
) -> LogLines:
    """Blue's log, and green's where a second is given."""
    by_colour = dict(zip((BLUE, GREEN), follows, strict=False))
    return LogLines(
        by_colour,
        patterns,
        clock=CLOCK,
        deprecated="(?i)deprecat",
        patience=patience,
        redact=redact,
        overheard=overheard,
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "colour.log"
    path.touch()
    return path


def write(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def bad(heard: Heard) -> list[str]:
    """The first bad line of each bad second."""
    return [part.line for batch in heard.batches if isinstance(batch, Counted) for part in batch.parts]


async def followed(heard: Heard, colour: Colour = BLUE, seconds: int = 1) -> None:
    await until(lambda: heard.n["log:errors", colour] >= seconds)


async def test_a_quiet_log_is_good_second_by_second(log: Path) -> None:
    async with running(source(tail(log)), Heard()) as heard:
        await followed(heard, seconds=3)
    assert not bad(heard)


async def test_a_second_with_a_matching_line_is_bad_and_carries_the_line(log: Path) -> None:
    async with running(source(tail(log)), Heard()) as heard:
        await followed(heard)
        write(log, "all is well\n12:00 ERROR no invoice\nERROR again\n")
        await until(lambda: bad(heard))
    assert bad(heard) == ["12:00 ERROR no invoice"]
    assert heard.bad["log:errors", BLUE] == 1


async def test_an_excused_line_is_not_counted(log: Path) -> None:
    overheard: list[Overheard] = []
    async with running(source(tail(log), overheard=overheard.append), Heard()) as heard:
        await followed(heard)
        write(log, "ERROR: client left\n")
        await until(lambda: overheard)
    assert not bad(heard)
    assert (overheard[0].lines, overheard[0].matched) == (1, 0)


async def test_both_colours_are_followed_and_told_apart(tmp_path: Path) -> None:
    blue, green = tmp_path / "blue.log", tmp_path / "green.log"
    blue.touch()
    green.touch()
    async with running(source(tail(blue), tail(green)), Heard()) as heard:
        await followed(heard)
        await followed(heard, GREEN)
        write(green, "ERROR\n")
        await until(lambda: heard.bad["log:errors", GREEN])
    assert not heard.bad["log:errors", BLUE]


async def test_secrets_and_control_characters_do_not_leave_the_source(log: Path) -> None:
    overheard: list[Overheard] = []
    hidden = source(tail(log), redact=lambda text: text.replace("hunter2", "***"), overheard=overheard.append)
    async with running(hidden, Heard()) as heard:
        await followed(heard)
        write(log, b"\x1b[2J ERROR password=hunter2 \xff\x00\nDEPRECATED: hunter2\x07\n")
        await until(lambda: bad(heard) and overheard)
    assert bad(heard) == ["\\x1b[2J ERROR password=*** \ufffd\\x00"]
    assert (overheard[0].deprecations, overheard[0].first) == (1, "DEPRECATED: ***\\x07")


async def test_a_secret_at_the_place_where_a_line_is_cut_does_not_leave_in_half(log: Path) -> None:
    hidden = source(tail(log), redact=lambda text: text.replace("hunter2hunter2", "***"))
    async with running(hidden, Heard()) as heard:
        await followed(heard)
        write(log, f"ERROR {'x' * 287}hunter2hunter2 and more\n")
        await until(lambda: bad(heard))
    assert bad(heard) == [f"ERROR {'x' * 287}*** and"]


async def test_what_is_deprecated_is_counted_and_no_event(log: Path) -> None:
    overheard: list[Overheard] = []
    async with running(source(tail(log), patterns={}, overheard=overheard.append), Heard()) as heard:
        await until(lambda: _write_until(log, "Deprecated: use b\n", overheard))
    assert not heard.batches
    assert overheard[0].colour is BLUE
    assert overheard[0].first == "Deprecated: use b"


def _write_until(log: Path, line: str, overheard: list[Overheard]) -> bool:
    write(log, line)
    return any(each.deprecations for each in overheard)


async def test_a_follow_that_fails_is_a_problem_with_its_last_words_and_never_a_bad_second() -> None:
    failing = source(shell("echo 'ERROR: no such container'; exit 3"), patience=0.2)
    async with running(failing, Heard()) as heard:
        await until(lambda: failing.problem)
    assert failing.problem == (
        "the log of blue is not followed: `sh` ended with exit code 3; it said: ERROR: no such container"
    )
    assert failing.heard_at is None
    assert not heard.batches


async def test_a_follow_that_cannot_be_started_says_why() -> None:
    missing = source(Follow(("/nowhere/at/all",), {}), patience=0.0)
    async with running(missing, Heard()):
        await until(lambda: missing.problem)
    assert "`/nowhere/at/all` ended; it said: it cannot be started: [Errno 2] No such file" in missing.problem


async def test_a_follow_that_only_prints_what_is_there_is_told_to_stay() -> None:
    ending = source(shell("echo an old line"), patience=0.0)
    async with running(ending, Heard()) as heard:
        await until(lambda: ending.problem)
    assert "`sh` ended with exit code 0, and has to stay in the foreground (-f); it said: an old line" in ending.problem
    assert not heard.batches


async def test_trouble_with_a_colour_that_does_not_matter_is_no_problem(log: Path) -> None:
    both = source(shell("exit 1"), tail(log), patience=0.0)
    async with running(both, Heard()) as heard:
        await until(lambda: both.problem)
        both.attend(frozenset({GREEN}))
        await followed(heard, GREEN)
        assert both.problem == ""
        assert both.heard_at is not None
        both.attend(frozenset({BLUE, GREEN}))
        assert "the log of blue" in both.problem
        assert both.heard_at is None


async def test_a_log_that_is_lost_for_a_moment_is_no_problem_and_is_followed_again(tmp_path: Path, log: Path) -> None:
    pid, lost = tmp_path / "pid", source(shell(f"echo $$ > {tmp_path}/pid; exec tail -n 0 -F {log}"))
    async with running(lost, Heard()) as heard:
        await followed(heard)
        os.kill(first := await pid_in(pid), signal.SIGKILL)
        await until(lambda: pid.read_text().endswith("\n") and pid.read_text() != f"{first}\n")
        assert lost.problem == ""
        write(log, "ERROR\n")
        await until(lambda: _write_error(log, heard))
        assert lost.problem == ""


def _write_error(log: Path, heard: Heard) -> int:
    write(log, "ERROR\n")
    return heard.bad["log:errors", BLUE]


async def test_a_colour_that_was_started_is_followed_at_once(tmp_path: Path) -> None:
    there = tmp_path / "there"
    waiting = source(shell(f"echo begun >> {tmp_path}/tries; test -e {there} && exec sleep 60"))
    tries = tmp_path / "tries"
    async with running(waiting, Heard()) as heard:
        await until(lambda: tries.exists() and len(tries.read_text().splitlines()) >= 3)  # the next pause is 4 s
        there.touch()
        waiting.again(BLUE)
        async with asyncio.timeout(3.0):
            await followed(heard)


async def test_a_pattern_without_end_stops_neither_the_loop_nor_the_other_patterns(log: Path) -> None:
    endless = source(tail(log), patterns=ENDLESS)
    async with running(endless, Heard()) as heard:
        await followed(heard)
        write(log, "a" * 60 + "!\nERROR\n")
        await until(lambda: heard.bad["log:errors", BLUE])
        await until(lambda: endless.problem)
        seconds = heard.n["log:errors", BLUE]
        await until(lambda: heard.n["log:errors", BLUE] >= seconds + 2)
    assert "[[watch.log_lines]] endless took more than 0.1 s on a line of 61 characters" in endless.problem
    assert heard.n["log:endless", BLUE] < heard.n["log:errors", BLUE]
    assert not heard.bad["log:endless", BLUE]


async def test_a_flood_of_lines_is_read_in_full(log: Path) -> None:
    lines = 0

    def overheard(heard: Overheard) -> None:
        nonlocal lines
        lines += heard.lines

    async with running(source(tail(log), overheard=overheard), Heard()) as heard:
        await followed(heard)
        write(log, "2026-11-21 20:00:00,000 INFO one of very many lines that say that all is well\n" * 100_000)
        write(log, "x" * 3_000_000)
        write(log, "\nERROR at last\n")
        await until(lambda: bad(heard))
        await until(lambda: lines >= 100_002)
    assert lines == 100_002
    assert bad(heard)[0] == "ERROR at last"


async def test_a_cancelled_source_leaves_no_process(tmp_path: Path, log: Path) -> None:
    pid = tmp_path / "pid"
    async with running(source(shell(f"echo $$ > {pid}; tail -F {log} & wait")), Heard()) as heard:
        await followed(heard)
        child = await pid_in(pid)
        group = [child, *_children(child)]
        assert len(group) == 2
    await until(lambda: not any(map(lives, group)))


async def test_what_is_followed_ends_when_its_reader_is_killed_and_is_begun_again(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with running(source(shell(f"echo $$ > {pid}; exec sleep 1000")), Heard()) as heard:
        await followed(heard)
        first = await pid_in(pid)
        os.kill(int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
        await until(lambda: not lives(first))
        await until(lambda: pid.read_text().endswith("\n") and pid.read_text() != f"{first}\n")
        seconds = heard.n["log:errors", BLUE]
        await followed(heard, seconds=seconds + 1)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_log_on_another_machine_is_followed_and_let_go(tmp_path: Path, log: Path) -> None:
    argv = ("sh", "-c", 'echo $$ >"$0/pid"; echo "$WHO" >"$0/who"; exec tail -n 0 -F "$1"', str(tmp_path), str(log))
    there = Follow(argv, {"WHO": "a 'b' $c"}, host=fake(tmp_path / "host"))
    async with running(source(there), Heard()) as heard:
        await followed(heard)
        write(log, "ERROR there\n")
        await until(lambda: bad(heard))
        pid = await pid_in(tmp_path / "pid")
    assert bad(heard) == ["ERROR there"]
    assert (tmp_path / "who").read_text() == "a 'b' $c\n"
    await until(lambda: not lives(pid))


async def test_a_check_tells_whether_it_can_be_heard_and_leaves_nothing(log: Path) -> None:
    await source(tail(log)).check()
    with pytest.raises(SignalFailed) as failed:
        await source(shell("echo no rights; exit 1")).check()
    assert failed.value.detail == ("a log cannot be followed; blue: `sh` ended with exit code 1; it said: no rights")
    assert failed.value.next == ("correct `follow` in [environments.blue]",)


async def test_a_check_asks_for_the_colours_that_matter(log: Path) -> None:
    one = source(shell("exit 1"), tail(log))
    await one.check()  # nobody has said which matters: one of them is heard
    one.attend(frozenset({GREEN}))
    await one.check()
    one.attend(frozenset({BLUE}))
    with pytest.raises(SignalFailed):
        await one.check()


async def test_a_command_that_cannot_be_filled_in_is_a_problem_like_any_other() -> None:
    wrong = source(Follow(("tail", "{release}"), {}), patience=0.0)
    async with running(wrong, Heard()):
        await until(lambda: wrong.problem)
    assert "{release} is not known here" in wrong.problem
