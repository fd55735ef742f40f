"""The pointer file: what it says, and who may overwrite whom."""

import asyncio
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen.adapters.balancers import swap as swapping
from bluegreen.adapters.balancers.pointer import PointerFile
from bluegreen.adapters.balancers.pointer_words import Pointed, read_line, word_of
from bluegreen.adapters.balancers.swap import MODE, Overtaken, read_whole, swap
from bluegreen.domain.errors import BalancerUnreachable, ChangeRefused, ChangeUnknown, ForeignChange
from bluegreen.domain.traffic import Colour, Split

BLUE, GREEN = Colour.BLUE, Colour.GREEN
TIMEOUT = 5.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live"


@pytest.fixture
def file(path: Path) -> PointerFile:
    return PointerFile(path, timeout=TIMEOUT)


# --- its words


@pytest.mark.parametrize(
    ("text", "pointed"),
    [
        ("green g43\n", Pointed(GREEN, generation=43)),
        ("green\n", Pointed(GREEN)),
        ("blue", Pointed(BLUE)),
        ("green # by hand, Ann\n", Pointed(GREEN)),
        ("green-or-blue g7\n", Pointed(GREEN, fallback=True, generation=7)),
        ("green-5 g7\n", Pointed(Split(GREEN, 0.05), generation=7)),
        ("blue-12.5", Pointed(Split(BLUE, 0.125))),
        ("green-05 g7\n", None),
        ("green-or-green\n", None),
        (" green\n", None),
        ("greenish\n", None),
        ("Green\n", None),
        ("green\x0bblue", None),
        ("", None),
        ("\n", None),
    ],
)
def test_the_first_word_counts_as_it_does_for_caddy(text: str, pointed: Pointed | None) -> None:
    assert read_line(text) == pointed


@pytest.mark.parametrize(
    "pointed",
    [Pointed(BLUE), Pointed(GREEN, True, 3), Pointed(Split(GREEN, 0.05), generation=9), Pointed(Split(BLUE, 0.333))],
)
def test_what_is_written_is_read_back(pointed: Pointed) -> None:
    assert read_line(pointed.line) == pointed
    assert pointed.line.startswith(word_of(pointed.to, fallback=pointed.fallback))


# --- reading and writing


async def test_a_file_that_is_missing_empty_or_unknown_says_nothing_and_is_replaced(
    file: PointerFile, path: Path
) -> None:
    for text in (None, "", "what\n"):
        if text is not None:
            path.write_text(text)
        was = await file.read()
        assert was.pointed is None
        await file.replace(Pointed(BLUE, generation=1), was)
        assert path.read_text() == "blue g1\n"
        path.unlink()


async def test_it_is_whole_readable_for_all_and_nothing_is_left_beside_it(file: PointerFile, path: Path) -> None:
    old = os.umask(0o077)
    try:
        await file.replace(Pointed(GREEN, generation=1), await file.read())
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o7777 == MODE
    assert [each.name for each in path.parent.iterdir()] == ["live"]


async def test_what_somebody_wrote_since_it_was_read_is_not_overwritten(file: PointerFile, path: Path) -> None:
    path.write_text("blue g1\n")
    was = await file.read()
    path.write_text("blue\n")  # a person
    with pytest.raises(ForeignChange, match="meanwhile"):
        await file.replace(Pointed(GREEN, generation=2), was)
    assert path.read_text() == "blue\n"


async def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(file: PointerFile, path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("blue\n")
    path.symlink_to(victim)
    await file.replace(Pointed(GREEN, generation=1), await file.read())
    assert (victim.read_text(), path.is_symlink()) == ("blue\n", False)


async def test_a_planted_partial_leads_nowhere(path: Path) -> None:
    """Its name cannot be guessed; whatever has such a name is taken away, never followed."""
    victim = path.with_name("victim")
    victim.write_text("mine")
    path.with_name(".live.0123456789abcdef.partial").symlink_to(victim)
    swap(path, b"blue g1\n", None)
    assert victim.read_text() == "mine"
    assert sorted(each.name for each in path.parent.iterdir()) == ["live", "victim"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_root_leaves_it_to_whom_it_belonged(path: Path) -> None:
    os.chown(path.parent, 12345, 12346)
    swap(path, b"blue g1\n", None)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346), "of the directory's owner"
    os.chown(path, 23456, 23457)
    swap(path, b"blue g2\n", b"blue g1\n")
    assert (path.stat().st_uid, path.stat().st_gid) == (23456, 23457), "as before"


async def test_what_is_no_file_is_named_and_holds_nobody_up(file: PointerFile, path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(BalancerUnreachable, match="is no file"):
        await file.read()
    path.unlink()
    path.mkdir()
    with pytest.raises(BalancerUnreachable, match="is no file"):
        await file.read()


async def test_a_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    file = PointerFile(tmp_path / "none" / "live", timeout=TIMEOUT)
    with pytest.raises(ChangeRefused, match="No such file or directory") as caught:
        await file.replace(Pointed(BLUE), await file.read())
    assert caught.value.next == (f"ls -ld {tmp_path / 'none'}",)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow: as a disk without room, and the same for root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_without_room_leaves_everything_as_it_was(file: PointerFile, path: Path) -> None:
    path.write_text("blue g1\n")
    was = await file.read()
    with full_disk(), pytest.raises(ChangeRefused, match=f"{path} was not written"):
        await file.replace(Pointed(GREEN, generation=2), was)
    assert [(each.name, each.read_text()) for each in path.parent.iterdir()] == [("live", "blue g1\n")]


async def test_of_several_who_plant_a_nonce_at_once_none_fails(file: PointerFile, path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(_planting(file, number), name=f"doctor {number}")
    assert [each.name for each in path.parent.iterdir()] == ["nonce"]


async def _planting(file: PointerFile, number: int) -> None:
    for round in range(10):
        await file.plant(f"{number}-{round}")


# --- writers that are held up, or die


class Held:
    """A rename that waits, in its thread, until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, source: str, target: str, directory: int) -> None:
        self.reached.set()
        self.go.wait(30)
        os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)


async def test_a_disk_that_hangs_is_an_unknown_outcome_and_a_fence_keeps_it_out(path: Path) -> None:
    path.write_text("blue g1\n")
    held = Held()
    slow, file = PointerFile(path, timeout=0.2, rename=held), PointerFile(path, timeout=TIMEOUT)
    with pytest.raises(ChangeUnknown, match="does the disk hang"):
        await slow.replace(Pointed(GREEN, generation=2), await slow.read())
    await file.replace(Pointed(BLUE, generation=3), await file.read())
    held.go.set()
    await asyncio.to_thread(slow.threads.join)  # its thread has ended
    assert path.read_text() == "blue g3\n"


async def test_a_disk_that_hangs_for_long_takes_no_thread_from_anybody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of hosts are resolved in the loop's own threads, and the cutback card is written there."""
    goes_on = threading.Event()

    def hangs(path: Path) -> bytes | None:
        goes_on.wait(60)
        return None

    monkeypatch.setattr("bluegreen.adapters.balancers.pointer.read_whole", hangs)
    file = PointerFile(path, timeout=0.05)
    try:
        for _ in range(40):
            with pytest.raises(BalancerUnreachable, match="no end within"):
                await file.read()
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        goes_on.set()


def test_what_nobody_waits_for_any_more_is_not_done(path: Path) -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(Overtaken, match="nobody waits"):
        swap(path, b"green g2\n", None, given_up=given_up)
    assert read_whole(path) is None


def test_two_writers_at_once_never_both_believe_they_won(path: Path) -> None:
    """Each writes from what it read, many times; whoever was told of success finds its own line, until the next."""
    path.write_bytes(b"0")
    won: list[int] = []

    def writing(own: int) -> None:
        for number in range(own, 400, 2):
            was = read_whole(path)
            try:
                swap(path, str(number + 1).encode(), was)
            except Overtaken:
                continue
            won.append(number + 1)

    threads = [threading.Thread(target=writing, args=(own,)) for own in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(path.read_bytes()) in won
    assert len(won) > 100, "they do not only stand in each other's way"
    assert [each.name for each in path.parent.iterdir()] == ["live"]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_killed_or_frozen_at_any_line_it_leaves_a_whole_file_and_no_way_to_come_back(how: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.adapters.balancers.interrupted", str(tmp_path), how]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 20, "moments that were tried"


def test_the_rename_is_what_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be synced is told, and no failure: users are where they should be."""
    told: list[str] = []
    monkeypatch.setattr(swapping.log, "warning", lambda event, **_: told.append(event))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    swap(path, b"blue g1\n", None)
    assert (path.read_bytes(), told) == (b"blue g1\n", ["balancer.file_not_synced"])
