"""The cutback card: what was written last is what is read, whole, whatever happened in between."""

import asyncio
import json
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.cards.file import FileCards
from bluegreen.adapters.cards.memory import MemoryCards
from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.traffic import Card, Mark
from bluegreen.ports import Cards
from tests.domain.examples import API, BLUE, GREEN, WEB
from tests.virtual_time import EPOCH

CARD = Card(
    deployment="d-1",
    endpoint="unix//run/caddy/admin.sock",
    colour=BLUE,
    generation=7,
    services=(WEB, API),
    paths={"web": ("/config/apps/http/servers/srv0/routes/0/handle/0",), "api": ()},
    snippets="/etc/caddy/bluegreen",
    open=True,
    failsafe=True,
    written_at=EPOCH,
)

MARK = Mark("d-1", BLUE, 8, "uid 0 (root)", EPOCH, failsafe=True, reason="the daemon is dead")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cutback.json"


@pytest.fixture(params=["memory", "file"])
def cards(request: pytest.FixtureRequest, path: Path) -> MemoryCards | FileCards:
    return MemoryCards() if request.param == "memory" else FileCards(path)


@pytest.fixture
def refuse_writes(cards: MemoryCards | FileCards, path: Path) -> Callable[[], None]:
    """Makes the next writes fail."""
    if isinstance(cards, MemoryCards):
        return lambda: setattr(cards, "full", True)

    def refuse() -> None:
        path.with_name("cutback.json.new").mkdir()
        path.with_name("cutback-done.json.new").mkdir()

    return refuse


async def test_without_a_card_there_is_none(cards: Cards) -> None:
    assert await cards.read() is None


async def test_the_card_is_read_as_it_was_written_down_to_the_last_field(cards: Cards) -> None:
    await cards.write(CARD)
    assert await cards.read() == CARD


async def test_the_last_card_replaces_those_before(cards: Cards) -> None:
    await cards.write(CARD)
    await cards.write(replace(CARD, colour=GREEN, generation=8, services=(WEB,), open=False))
    assert await cards.read() == replace(CARD, colour=GREEN, generation=8, services=(WEB,), open=False)


async def test_a_card_that_cannot_be_written_leaves_the_one_before(
    cards: Cards, refuse_writes: Callable[[], None]
) -> None:
    await cards.write(CARD)
    refuse_writes()
    with pytest.raises(JournalUnwritable):
        await cards.write(replace(CARD, generation=8))
    assert await cards.read() == CARD


async def test_without_a_mark_there_is_none_and_removing_it_is_harmless(cards: Cards) -> None:
    assert await cards.marked() is None
    await cards.unmark()
    assert await cards.marked() is None


async def test_the_mark_is_read_as_it_was_left_until_it_is_removed(cards: Cards) -> None:
    await cards.write(CARD)
    await cards.mark(MARK)
    await cards.mark(replace(MARK, generation=9))
    assert await cards.marked() == replace(MARK, generation=9)
    assert await cards.read() == CARD
    await cards.unmark()
    assert await cards.marked() is None
    assert await cards.read() == CARD


async def test_a_mark_that_cannot_be_left_or_removed_is_told(cards: Cards, refuse_writes: Callable[[], None]) -> None:
    refuse_writes()
    with pytest.raises(JournalUnwritable):
        await cards.mark(MARK)


# --- the file


async def test_the_file_is_for_the_owner_alone_and_nothing_else_is_left(path: Path) -> None:
    previous = os.umask(0)
    try:
        await FileCards(path).write(CARD)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


async def test_people_and_other_programs_can_read_the_file(path: Path) -> None:
    await FileCards(path).write(CARD)
    text = path.read_text()
    found = json.loads(text)
    assert (found["colour"], found["generation"], found["open"]) == ("blue", 7, True)
    assert len(text.splitlines()) > 10


async def test_a_torn_temporary_file_of_a_crash_is_ignored_and_overwritten(path: Path) -> None:
    cards = FileCards(path)
    await cards.write(CARD)
    path.with_name("cutback.json.new").write_text('{"deployment": "d-2", "endp')
    assert await FileCards(path).read() == CARD
    await cards.write(replace(CARD, generation=9))
    assert await cards.read() == replace(CARD, generation=9)
    assert list(path.parent.iterdir()) == [path]


async def test_readers_never_see_half_a_card(path: Path) -> None:
    cards = FileCards(path)
    small, large = CARD, replace(CARD, services=(WEB, API) * 400)
    await cards.write(small)
    stop = threading.Event()
    torn: list[bytes] = []

    def read() -> None:
        sizes = set()
        while not stop.is_set():
            body = path.read_bytes()
            sizes.add(len(body))
            if not body.endswith(b"}"):
                torn.append(body)

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(read), name="reader")
        for card in (large, small) * 20:
            await cards.write(card)
        stop.set()
    assert not torn


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"deployment": "d-1"}', b"\xff\xfe"])
async def test_a_file_that_is_no_card_is_unreadable_and_named(body: bytes, path: Path) -> None:
    path.write_bytes(body)
    with pytest.raises(JournalUnreadable, match=str(path)):
        await FileCards(path).read()


async def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "cutback.json"
    assert await FileCards(path).read() is None
    with pytest.raises(JournalUnwritable, match=str(path)):
        await FileCards(path).write(CARD)


async def test_a_write_that_its_caller_gave_up_never_overtakes_or_tears_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a second write shared the temporary file of the first, which still ran in its thread."""
    entered, go_on, first_is_done = threading.Event(), threading.Event(), threading.Event()
    real, first = os.fsync, list[int]()

    def in_turns(descriptor: int) -> None:
        """The first writer waits for the test, another one until the first has renamed its file."""
        writer = threading.get_ident()
        if not first:
            first.append(writer)
            entered.set()
            go_on.wait(30)
        elif writer == first[0]:
            first_is_done.set()
        else:
            first_is_done.wait(30)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", in_turns)
    cards = FileCards(path)
    async with asyncio.TaskGroup() as group:
        given_up = group.create_task(cards.write(CARD), name="given up")
        await asyncio.to_thread(entered.wait, 30)
        given_up.cancel()
        last = group.create_task(cards.write(replace(CARD, generation=8, services=(WEB,))), name="last")
        await asyncio.sleep(0.05)
        go_on.set()
    assert last.exception() is None
    assert await cards.read() == replace(CARD, generation=8, services=(WEB,))
    assert list(path.parent.iterdir()) == [path]


async def test_a_disk_that_hangs_is_told_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (released.wait(30), real(descriptor))[1])
    try:
        with pytest.raises(JournalUnwritable, match="no answer in time"):
            await FileCards(path, timeout=0.05).write(CARD)
    finally:
        released.set()


async def test_a_card_of_an_earlier_program_that_knows_less_of_the_balancer_is_read(path: Path) -> None:
    await FileCards(path).write(CARD)
    document = json.loads(path.read_text())
    for later in ("timeout", "socket_owner", "daemon_uid", "allow_remote_admin"):
        del document[later]
    path.write_text(json.dumps(document))
    assert await FileCards(path).read() == CARD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into the directory of somebody else")
async def test_what_root_leaves_belongs_to_the_owner_of_the_directory(path: Path) -> None:
    os.chown(path.parent, 12345, 23456)
    await FileCards(path).mark(MARK)
    left = path.with_name("cutback-done.json").stat()
    assert (left.st_uid, left.st_gid, stat.S_IMODE(left.st_mode)) == (12345, 23456, 0o600)


async def test_a_link_that_somebody_laid_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Root writes here too, into the directory of the daemon's user: what it opened would be given to that user."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    before = victim.stat()
    for name in ("cutback-done.json", "cutback.json"):
        path.with_name(f"{name}.new").symlink_to(victim)
    await FileCards(path).mark(MARK)
    await FileCards(path).write(CARD)
    assert (victim.read_text(), victim.stat().st_uid, victim.stat().st_mode) == ("mine", before.st_uid, before.st_mode)
    assert (await FileCards(path).marked(), await FileCards(path).read()) == (MARK, CARD)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"deployment": "d-1"}'])
async def test_a_file_that_is_no_mark_is_unreadable_and_named(body: bytes, path: Path) -> None:
    path.with_name("cutback-done.json").write_bytes(body)
    with pytest.raises(JournalUnreadable, match=r"cutback-done\.json"):
        await FileCards(path).marked()
