"""Signals that are no crash: SIGTERM in every phase and in the middle of what it does, SIGSTOP, and a second daemon."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from time import monotonic

import pytest

from bluegreen.app.boundaries import Boundary
from bluegreen.demo.children import Child
from bluegreen.domain.phases import Phase
from tests import thorough
from tests.e2e import ground as grounds
from tests.e2e.ground import Ground, Scene, World, eventually
from tests.e2e.invariants import History, broken
from tests.e2e.stories import ADDED, PATIENCE, STORIES, Case, deploy, driving, ends_as, files, ids, phase_saved, settled

P, B = Phase, Boundary

STOP = 15.0
"""Seconds within which a daemon that waits for nothing has stopped, also on a busy machine."""

STOPPED_AT: list[Case] = [
    ("good", P.PREPARING, B.BEFORE_INTENT, 1),
    ("good", P.BACKING_UP, B.AFTER_INTENT, 1),
    ("good", P.REHEARSING, B.BEFORE_INTENT, 1),
    ("good", P.EXPANDING, B.AFTER_INTENT, 1),
    ("good", P.PROVING, B.BEFORE_INTENT, 1),
    ("good", P.STARTING, B.AFTER_INTENT, 1),
    ("good", P.TESTING, B.BEFORE_INTENT, 1),
    ("good", P.AWAITING, B.BEFORE_INTENT, 1),
    ("good", P.CANARYING, B.BEFORE_INTENT, 1),
    ("good", P.SWITCHING, B.AFTER_INTENT, 1),
    ("good", P.SWITCHING, B.AFTER_ACTION, 1),
    ("good", P.WATCHING, B.BEFORE_INTENT, 1),
    ("good", P.STANDING_BY, B.BEFORE_INTENT, 1),
    ("good", P.RETIRING, B.AFTER_INTENT, 1),
    ("contract", P.CONTRACTING, B.AFTER_INTENT, 2),
    ("expand fails", P.ASSESSING, B.BEFORE_INTENT, 1),
    ("not fit for users", P.ABANDONING, B.AFTER_INTENT, 1),
    ("worse later", P.REVERTING, B.AFTER_INTENT, 1),
    ("worse later", P.REVERTING, B.BEFORE_INTENT, 1),
]


EACH = 1 if thorough.ALL else 8
"""Every eighth one each time."""


def changes_until(phase: Phase, boundary: Boundary) -> int:
    """How often users had been moved when the daemon was asked to stop there."""
    if phase is P.REVERTING:
        return 1 if boundary is B.AFTER_INTENT else 2
    moved = (P.WATCHING, P.STANDING_BY, P.RETIRING, P.CONTRACTING)
    return int(phase in moved or (phase, boundary) == (P.SWITCHING, B.AFTER_ACTION))


@pytest.mark.parametrize(("name", "phase", "boundary", "nth"), STOPPED_AT[::EACH], ids=ids(STOPPED_AT[::EACH]))
async def test_stopped_by_sigterm_in_a_phase_traffic_stays_and_the_next_daemon_goes_on(
    ground: Ground, name: str, phase: Phase, boundary: Boundary, nth: int
) -> None:
    story = STORIES[name]
    async with grounds.world(ground, story.scene) as world:
        stopping = world.start_struck(f"{phase}:{boundary}", nth, "TERM")
        async with asyncio.TaskGroup() as group:
            group.create_task(driving(world, story), name="people")
            assert await exit_code(stopping, PATIENCE) == 0, world.said()
        sent_to = [change.colour for change in world.proxy.sent]
        moved = [colour for colour, _ in groupby([story.colours[0], *sent_to])][1:]  # a stamp moves nobody
        assert len(moved) == changes_until(phase, boundary), sent_to
        assert History.read(world.journal).last["phase"] == (
            "WATCHING" if boundary is B.AFTER_INTENT and phase is P.REVERTING else phase
        )
        world.start()
        await settled(world)
        await ends_as(world, story, phase, boundary)


# --- in the middle of an action


async def test_stopped_while_a_colour_is_brought_up_the_command_is_ended_and_called_again(ground: Ground) -> None:
    async with deploying(ground) as world:
        world.puppet("slow", "60")
        await eventually(lambda: "up green 1.1.0" in world.calls(), PATIENCE, "`up` is called")
        await stopped(world)
        assert not children(world), "`up` may be interrupted"
        (world.ground.stage / "slow").unlink()
        await goes_live(world)
        assert world.calls().count("up green 1.1.0") == 2


async def test_stopped_while_a_dump_is_taken_it_is_ended_and_nothing_of_it_is_left(ground: Ground) -> None:
    async with deploying(ground, prepare=slow_dump) as world:
        await eventually(lambda: "begun" in dumps(world), PATIENCE, "pg_dump runs")
        assert list(world.case.rglob("*.partial"))
        await stopped(world)
        assert not children(world)
        assert not list(world.case.rglob("*.partial"))
        (world.case / "bin" / "slow").unlink()
        await goes_live(world)


async def test_stopped_while_a_transaction_migrates_it_is_rolled_back_and_applied_by_the_next_daemon(
    ground: Ground,
) -> None:
    slow = files(**ADDED, _0002_slow__expand="CREATE TABLE slow (id bigint);\nSELECT pg_sleep(2);\n")
    async with deploying(ground, Scene(slow)) as world:
        await eventually(lambda: "migration.applied" in names(world), PATIENCE, "the first migration is applied")
        await stopped(world)
        assert not await grounds.ask(world.dsn, "SELECT 1 FROM pg_tables WHERE tablename = 'slow'")
        await goes_live(world)
        assert await grounds.ask(world.dsn, "SELECT 1 FROM pg_tables WHERE tablename = 'slow'")


TOOL = """
[[migrations]]
name = "tool"
database = "olympus"
kind = "command"
up = ["sh", "{case}/tool.sh"]
dsn_env = "TOOL_DSN"
"""


async def test_stopped_while_a_tool_migrates_the_tool_is_waited_for_and_not_called_again(ground: Ground) -> None:
    async with deploying(ground, Scene(config=TOOL), write_tool) as world:
        said = world.case / "tool"
        await eventually(lambda: said.exists() and "began" in said.read_text(), PATIENCE, "the tool runs")
        await stopped(world)
        assert said.read_text().split() == ["began", "ended"]
        await goes_live(world)
        assert said.read_text().split() == ["began", "ended"]


TOOL_SCRIPT = """\
case "$TOOL_DSN" in */{database}) ;; *) exit 0 ;; esac
echo began >> {said}
sleep {seconds}
echo ended >> {said}
"""

SLOW_DUMP = """\
#!/bin/sh
case "$*" in *--version*) exec {real} "$@" ;; esac
if [ -e {bin_dir}/slow ]; then echo begun >> {bin_dir}/said; sleep 60; fi
exec {real} "$@"
"""


async def test_a_tool_that_does_not_end_is_left_after_the_limit_of_a_stop(ground: Ground) -> None:
    async with grounds.world(ground, Scene(config=TOOL)) as world:
        write_tool(world, seconds=60)
        world.start_struck("PREPARING:before-intent", 99, "TERM", "--stop-limit", "1")
        await deploy(world)
        await eventually((world.case / "tool").exists, PATIENCE, "the tool runs")
        await stopped(world)
        assert "daemon.stop_overdue" in world.said()
        assert History.read(world.journal).last["phase"] == P.EXPANDING
        for process in children(world):  # under systemd the unit's processes are ended with it
            await process.kill()


# --- SIGSTOP


WINDOW = 4.0


async def test_the_time_in_which_the_daemon_was_frozen_does_not_count_as_watched(ground: Ground) -> None:
    async with deploying(ground, Scene(window=f"{WINDOW:g}s")) as world:
        await phase_saved(world, P.WATCHING)
        began = monotonic()
        await asyncio.sleep(1.0)
        before = monotonic() - began
        await frozen(world, WINDOW + 1.0)
        went_on = monotonic()
        await phase_saved(world, P.STANDING_BY)
        # the watch began a moment before we saw it, and saving it may have taken another
        assert monotonic() - went_on > WINDOW - before - 1.0
        await settled(world)
        assert "watch.interrupted" in names(world)
        await ends_well(world, ("blue", "green"))


async def test_what_users_got_while_the_daemon_was_frozen_is_judged(ground: Ground) -> None:
    async with deploying(ground, Scene(window=f"{WINDOW:g}s")) as world:
        await phase_saved(world, P.WATCHING)
        world.daemon.pause()
        world.puppet("green", "1.1.0-bad")
        await asyncio.sleep(WINDOW + 1.0)  # the window would be over
        world.puppet("green", "1.1.0")  # by now all is well again: only the log can tell
        world.daemon.unpause()
        await settled(world)
        last = History.read(world.journal).last
        assert (last["phase"], last["cause"]) == ("REVERTED", "regressed"), last["reason"]
        await ends_well(world, ("blue", "green", "blue"), bad_from="green")


# --- two of them


async def test_a_second_daemon_ends_at_once_and_touches_nothing(ground: Ground) -> None:
    async with grounds.world(ground, Scene()) as world:
        first = world.start()
        await world.order("status")
        before, config = touched(world), await grounds.configuration(ground)
        second = world.start()
        assert await exit_code(second, STOP) == 75, world.said()
        assert touched(world) == before
        assert await grounds.configuration(ground) == config
        assert not world.proxy.sent
        assert first.alive
        assert "another daemon holds" in world.said()
        world.lives.remove(second)
        await deploy(world)
        await settled(world)
        await ends_well(world, ("blue", "green"))


@asynccontextmanager
async def deploying(
    ground: Ground, scene: Scene | None = None, prepare: Callable[[World], None] | None = None
) -> AsyncIterator[World]:
    """A daemon that has just begun to deploy."""
    async with grounds.world(ground, scene or Scene()) as world:
        if prepare is not None:
            prepare(world)
        world.start()
        await world.order("status")
        await deploy(world)
        yield world


def write_tool(world: World, seconds: int = 2) -> None:
    """A migration tool that takes its time for the database of this case, and none for a copy of it."""
    tool, said = world.case / "tool.sh", world.case / "tool"
    tool.write_text(TOOL_SCRIPT.format(database=world.database, said=said, seconds=seconds))


def slow_dump(world: World) -> None:
    """A pg_dump that takes a minute once it has opened its file, as one of a large database does."""
    real, bin_dir = world.ground.postgres.bin_dir, world.case / "bin"
    bin_dir.mkdir()
    for program in real.iterdir():
        (bin_dir / program.name).symlink_to(program)
    (bin_dir / "slow").touch()
    (bin_dir / "pg_dump").unlink()
    (bin_dir / "pg_dump").write_text(SLOW_DUMP.format(real=real / "pg_dump", bin_dir=bin_dir))
    (bin_dir / "pg_dump").chmod(0o700)
    world.config.write_text(world.config.read_text().replace(f'"{real}"', f'"{bin_dir}"'))


def dumps(world: World) -> str:
    said = world.case / "bin" / "said"
    return said.read_text() if said.exists() else ""


async def stopped(world: World) -> None:
    """Ask the daemon to stop; it must say that all is well."""
    world.daemon.send(signal.SIGTERM)
    assert await exit_code(world.daemon, STOP) == 0, world.said()


async def frozen(world: World, seconds: float) -> None:
    world.daemon.pause()
    await asyncio.sleep(seconds)
    world.daemon.unpause()


async def goes_live(world: World) -> None:
    """With the next daemon."""
    world.start()
    await settled(world)
    await ends_well(world, ("blue", "green"))


async def ends_well(world: World, colours: tuple[str, ...], *, bad_from: str = "") -> None:
    last = History.read(world.journal).last
    assert last["phase"] == ("LIVE" if len(colours) == 2 else "REVERTED"), f"{last['reason']}\n{world.said()}"
    await stopped(world)
    wrong = await broken(world, colours, bad_from=bad_from, audited=("deploy",))
    assert not wrong, "\n".join([*wrong, world.said()])


async def exit_code(child: Child, seconds: float) -> int:
    """How it ended, as its parent sees it: negative for a signal."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # noqa: ASYNC222 - WNOHANG
        if ended is not None:
            await child.ended(1.0)
            return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not end within {seconds:g} s")


def children(world: World) -> list[Child]:
    """Commands that the daemons of this case started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            variables = (entry / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        ours = world.database.encode() in variables or str(world.ground.stage) in words
        if ours and words[0].rpartition("/")[2] in ("sh", "sleep", "pg_dump", "pg_restore"):
            found.append(Child.of(int(entry.name)))
    return [child for child in found if child is not None]


def names(world: World) -> list[str]:
    return [event["name"] for event in History.read(world.journal).events]


def touched(world: World) -> dict[str, tuple[int, int, int]]:
    """Inode, size and time of all that a daemon could touch, its log apart."""
    paths = [path for path in world.case.rglob("*") if path.name not in ("daemon.log", "access.log")]
    return {str(path): (path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns) for path in paths}
