"""The journal's file: what a crash, a newer program, a damaged disk or another writer do to it."""

import asyncio
import sqlite3
import stat
import sys
import threading
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from bluegreen.adapters.journals.opening import SCHEMA_VERSION
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import AuditRow, Event
from tests.domain.examples import deployment
from tests.virtual_time import EPOCH

ROOT = Path(__file__).parents[3]
ROW = AuditRow(EPOCH, "uid 0 (root)", "socket", "deploy", "d-1", "", "", "")

WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.records import Event, Intent
from tests.domain.examples import deployment
from tests.virtual_time import EPOCH

async def main() -> None:
    journal = SqliteJournal(Path(sys.argv[1]))
    await journal.open()
    for number in range(100_000):
        event = Event("written", EPOCH, "d-1", "", {"number": number})
        intent = Intent(f"i-{number}", "d-1", "SWITCHING", "switch", {}, EPOCH)
        await journal.save(replace(deployment(), elapsed=float(number)), event, intent)
        await journal.keep("number", "last", number)
        print(number, flush=True)

asyncio.run(main())
"""
"""Saves in a loop, and says so after each save was acknowledged."""

LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from types import SimpleNamespace
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.records import Event
from tests.virtual_time import EPOCH

def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main() -> None:
    journal = SqliteJournal(Path(sys.argv[1]))
    await journal.open()
    limit(200_000)
    told = 0
    try:
        for told in range(10_000):
            await journal.record(Event("before", EPOCH, facts={"text": "x" * 1000}))
    except JournalUnwritable as exc:
        print("refused:", exc.detail)
    limit(resource.RLIM_INFINITY)
    await journal.record(Event("after", EPOCH))
    names = [event.name for event in await journal.events(0, limit=10_000)]
    print("kept:", names.count("before") == told > 0, names.count("after"))
    await journal.close()

asyncio.run(main())
"""
"""Writes until the kernel refuses, as it does on a full disk, and then goes on."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path)
    await journal.open()
    yield journal
    await journal.close()


async def test_a_new_file_and_all_that_sqlite_lays_beside_it_are_for_the_owner_alone(
    journal: SqliteJournal, path: Path
) -> None:
    await journal.record(Event("one", EPOCH))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), 0o600)


async def test_an_empty_file_is_taken_for_a_new_one(path: Path) -> None:
    path.touch()
    journal = SqliteJournal(path)
    await journal.open()
    assert (await journal.record(Event("one", EPOCH))).seq == 1
    await journal.close()


async def test_commits_are_safe_against_a_power_cut(journal: SqliteJournal) -> None:
    def pragmas() -> list[object]:
        db = journal._file._connection()
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "user_version")]

    full = 2
    assert await journal._file._run(pragmas) == ["wal", full, SCHEMA_VERSION]


@pytest.mark.parametrize("run", range(10))
async def test_what_was_acknowledged_is_there_after_kill_9(run: int, path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged = -1
    try:
        while acknowledged < 5 + 7 * run:
            acknowledged = int(await child.stdout.readline())
    finally:
        child.kill()
    acknowledged = max([acknowledged, *map(int, (await child.stdout.read()).split())])
    await child.wait()
    journal = SqliteJournal(path)
    await journal.open()
    events = await journal.events(0, limit=100_000)
    numbers = [event.facts["number"] for event in events]
    saved = await journal.deployment("d-1")
    intents = await journal.intents("d-1")
    last = await journal.fact("number", "last")
    await journal.close()
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged
    assert saved is not None
    assert saved.elapsed == numbers[-1], "a state and its event are saved together or not at all"
    assert len(intents) == len(numbers)
    assert last >= acknowledged


async def test_a_disk_that_refuses_writes_is_told_and_the_journal_works_on_when_it_takes_them_again(path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIMITED, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output = (await child.communicate())[0].decode()
    assert child.returncode == 0
    assert f"refused: the journal {path} cannot be written" in output
    assert "kept: True 1" in output


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET body = x'00'"])
async def test_audit_rows_cannot_be_changed_even_by_hand(statement: str, journal: SqliteJournal, path: Path) -> None:
    await journal.audit(ROW)
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="audit rows are kept"):
        db.execute(statement)
    assert await journal.audited(2) == (ROW,)


@pytest.mark.parametrize("body", [b"{}", b"not json", b'{"id": 1}'])
async def test_a_row_that_this_program_cannot_read_is_called_damaged(
    body: bytes, journal: SqliteJournal, path: Path
) -> None:
    await journal.save(deployment())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE deployment SET body = ?", (body,))
    with pytest.raises(JournalUnreadable, match="damaged"):
        await journal.deployment("d-1")


async def test_a_write_that_meets_anothers_lock_is_refused_and_does_not_land_later(path: Path) -> None:
    journal = SqliteJournal(path, timeout=0.4)
    await journal.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnwritable):
            await journal.record(Event("refused", EPOCH))
        other.execute("ROLLBACK")
    await journal.record(Event("taken", EPOCH))
    assert [event.name for event in await journal.events(0)] == ["taken"]
    await journal.close()


async def test_it_can_be_read_while_somebody_else_writes(journal: SqliteJournal, path: Path) -> None:
    await journal.save(deployment(Phase.WATCHING))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = await journal.deployment("d-1")
        other.execute("ROLLBACK")
    assert found is not None
    assert found.phase is Phase.WATCHING


async def test_a_directory_that_does_not_exist_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "journal.sqlite"
    journal = SqliteJournal(path)
    with pytest.raises(JournalUnwritable, match=str(path)):
        await journal.open()
    await journal.close()


async def test_a_journal_that_is_not_open_says_so_and_closing_twice_is_harmless(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.close()
    with pytest.raises(JournalUnwritable, match="not open"):
        await journal.record(Event("one", EPOCH))
    await journal.open()
    await journal.close()
    await journal.close()
    with pytest.raises(JournalUnwritable, match="not open"):
        await journal.record(Event("one", EPOCH))


async def test_a_write_whose_caller_was_cancelled_is_whole_or_not_there(journal: SqliteJournal) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(journal.save(deployment(), Event("one", EPOCH, "d-1")), name="save")
        await asyncio.sleep(0)
        task.cancel()
    saved = await journal.deployment("d-1")
    assert (saved is not None) == (len(await journal.events(0)) == 1)


async def test_a_write_that_was_refused_because_the_disk_was_slow_has_no_effect_later(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", timeout=0.2)
    await journal.open()
    slow = threading.Event()
    try:
        assert journal._file._thread is not None
        journal._file._thread.submit(slow.wait, 10.0)
        with pytest.raises(JournalUnwritable, match="did not answer"):
            await journal.keep("order", "d-1", {"promoted": True})
        slow.set()
        await journal.keep("order", "d-2", 1)
        assert await journal.fact("order", "d-1") is None
    finally:
        slow.set()
        await journal.close()


async def test_a_chunk_is_packed_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def compress(data: bytes) -> bytes:
        threads.append(threading.current_thread())
        return zlib.compress(data)

    monkeypatch.setattr("bluegreen.adapters.journals.sqlite.zlib", SimpleNamespace(compress=compress))
    journal = SqliteJournal(tmp_path / "journal")
    await journal.open()
    await journal.append("samples", "d-1", 0, list(range(1000)))
    await journal.close()
    assert threads != []
    assert threading.main_thread() not in threads
