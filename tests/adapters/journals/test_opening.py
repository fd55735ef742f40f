"""Opening the journal: an older file is brought up to date, a newer one is refused, a damaged one is set aside, and one
on a disk that takes no writes is still read."""

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from bluegreen.adapters.journals.opening import SCHEMA_VERSION
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event, Fact
from tests.domain.examples import deployment
from tests.virtual_time import EPOCH

VERSION_1 = (Path(__file__).parent / "fixtures" / "version_1.sql").read_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    """Not open yet."""
    journal = SqliteJournal(path)
    yield journal
    await journal.close()


def in_file(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(statement).fetchall()


def write_version_1(path: Path) -> None:
    """A file as the first release left it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN;\n{VERSION_1}\nPRAGMA user_version = 1;\nCOMMIT;")
        body = msgspec.json.encode(deployment(Phase.WATCHING))
        db.execute("INSERT INTO deployment VALUES ('d-1', 1, 'WATCHING', ?)", (body,))
        event = msgspec.json.encode(Event("phase.entered", EPOCH, "d-1", Phase.WATCHING))
        db.execute("INSERT INTO event (deployment, body) VALUES ('d-1', ?)", (event,))
        db.execute("INSERT INTO fact (kind, key, value) VALUES ('wanted', 'colour', ?)", (b'"blue"',))
        db.commit()


async def fill(path: Path) -> None:
    """A journal with something in it, closed in good order."""
    journal = SqliteJournal(path)
    await journal.open()
    await journal.save(deployment(Phase.WATCHING), Event("one", EPOCH, "d-1"), Fact("wanted", "colour", "blue"))
    for number in range(50):
        await journal.save(deployment(id=f"d-{number + 2}"))
    await journal.close()


# --- older and newer


async def test_a_file_of_version_1_is_brought_up_to_date_and_nothing_of_it_is_lost(
    journal: SqliteJournal, path: Path
) -> None:
    write_version_1(path)
    await journal.open()
    assert in_file(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert await journal.deployment("d-1") == deployment(Phase.WATCHING)
    assert [event.name for event in await journal.events(0)] == ["phase.entered"]
    assert await journal.fact("wanted", "colour") == "blue"
    assert (await journal.record(Event("two", EPOCH))).seq == 2


async def test_a_new_file_and_one_brought_up_to_date_are_the_same(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    write_version_1(old)
    for path in (old, new):
        journal = SqliteJournal(path)
        await journal.open()
        await journal.close()
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
    assert in_file(old, schema) == in_file(new, schema)


async def test_a_file_of_a_newer_program_is_refused_and_nothing_is_touched(journal: SqliteJournal, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir()))
    with pytest.raises(JournalUnreadable, match=f"newer bluegreen .state version {SCHEMA_VERSION + 1}") as refused:
        await journal.open()
    assert refused.value.next
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())) == before


async def test_a_newer_version_that_stands_in_the_log_alone_is_refused_too(journal: SqliteJournal, path: Path) -> None:
    """The header of the file itself is old until SQLite copies its log back."""
    await fill(path)
    crashed = path.with_name("crashed")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        for side in ("", "-wal"):
            shutil.copy(f"{path}{side}", f"{crashed}{side}")
    for side in ("", "-wal"):
        shutil.copy(f"{crashed}{side}", f"{path}{side}")
    with pytest.raises(JournalUnreadable, match="newer bluegreen"):
        await journal.open()
    assert not list(path.parent.glob("*.damaged-*"))


# --- damaged


def copies(path: Path) -> list[Path]:
    return [found for found in path.parent.glob(f"{path.name}.damaged-*") if not found.name.endswith(("-wal", "-shm"))]


async def test_a_file_that_is_no_journal_is_set_aside_as_it_is_and_a_new_one_knows(
    journal: SqliteJournal, path: Path
) -> None:
    path.write_bytes(b"this is not a database, and it is longer than a header. " * 100)
    before = path.read_bytes()
    await journal.open()
    (copy,) = copies(path)
    assert copy.read_bytes() == before
    assert (await journal.fact("journal", "damaged"))["copy"] == str(copy)
    assert await journal.deployments(1) == ()
    assert (await journal.record(Event("one", EPOCH))).seq == 1


async def test_a_page_that_was_overwritten_is_found_at_the_start(journal: SqliteJournal, path: Path) -> None:
    await fill(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(size - 4096 * 3))
    await journal.open()
    assert len(copies(path)) == 1
    assert await journal.deployments(100) == ()


@pytest.mark.parametrize("table", ["event", "fact", "intent", "audit", "deployment_seq"])
async def test_damage_is_found_wherever_it_is_before_anybody_needs_what_was_there(
    table: str, journal: SqliteJournal, path: Path
) -> None:
    await fill(path)
    (((root,),), ((size,),)) = (
        in_file(path, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'"),
        in_file(path, "PRAGMA page_size"),
    )
    assert isinstance(root, int)
    assert isinstance(size, int)
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(size))
    await journal.open()
    assert len(copies(path)) == 1


async def test_a_latest_deployment_that_cannot_be_read_counts_as_damage(journal: SqliteJournal, path: Path) -> None:
    await fill(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE deployment SET body = x'7b7d' WHERE seq = (SELECT max(seq) FROM deployment)")
    await journal.open()
    assert len(copies(path)) == 1


async def test_what_lies_beside_a_damaged_file_goes_with_it(journal: SqliteJournal, path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    wal = path.with_name(f"{path.name}-wal")
    wal.write_bytes(b"its log")
    await journal.open()
    (copy,) = copies(path)
    assert copy.with_name(f"{copy.name}-wal").read_bytes() == b"its log"


async def test_a_crash_between_setting_aside_and_beginning_anew_loses_nothing_of_it(
    journal: SqliteJournal, path: Path
) -> None:
    await fill(path)
    aside = path.with_name(f"{path.name}.damaged-20260101T000000Z")
    path.rename(aside)
    path.with_name(f"{path.name}-wal").write_bytes(b"left behind")
    await journal.open()
    assert (await journal.fact("journal", "damaged"))["copy"].startswith(str(path))
    assert await journal.deployments(1) == ()
    assert aside.exists()


async def test_a_second_damage_is_set_aside_under_another_name(journal: SqliteJournal, path: Path) -> None:
    for _ in range(2):
        path.write_bytes(b"no database" * 1000)
        await journal.open()
        await journal.close()
    assert len(copies(path)) == 2


# --- a disk that takes no writes


async def test_on_a_read_only_disk_what_was_kept_can_be_read_and_no_write_is_taken(path: Path) -> None:
    await fill(path)
    with pytest.MonkeyPatch.context() as patch:
        _refuse_writes(patch, path)
        journal = SqliteJournal(path)
        await journal.open()
        assert len(await journal.deployments(100)) == 51
        assert await journal.fact("wanted", "colour") == "blue"
        with pytest.raises(JournalUnwritable, match="Read-only"):
            await journal.keep("wanted", "colour", "green")
        assert await journal.fact("wanted", "colour") == "blue"
    await journal.keep("wanted", "colour", "green")  # it takes writes again: no restart is needed
    await journal.close()
    assert in_file(path, "SELECT value FROM fact WHERE kind = 'wanted'") == [(b'"green"',)]


async def test_a_log_that_was_not_copied_back_is_read_too(path: Path) -> None:
    writer = SqliteJournal(path)
    await writer.open()
    await writer.keep("wanted", "colour", "blue")
    with pytest.MonkeyPatch.context() as patch:
        _refuse_writes(patch, path)
        reader = SqliteJournal(path)
        await reader.open()
        assert await reader.fact("wanted", "colour") == "blue"
        await reader.close()
    await writer.close()


async def test_where_nothing_is_to_be_read_a_read_only_disk_is_an_error(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _refuse_writes(patch, path)
        journal = SqliteJournal(path)
        with pytest.raises(JournalUnwritable, match="Read-only"):
            await journal.open()
        await journal.close()


def _refuse_writes(patch: pytest.MonkeyPatch, path: Path) -> None:
    """Nobody opens the file for writing, as on a read-only mount (root is stopped by nothing less)."""
    real = os.open

    def refuse(name: str, flags: int, mode: int = 0o777, **rest: int) -> int:
        if Path(name) == path and flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real(name, flags, mode, **rest)

    patch.setattr(os, "open", refuse)
