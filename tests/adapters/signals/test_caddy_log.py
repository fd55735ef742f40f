"""The access log's reader, sharply: every line once, none invented, whatever is done to the file."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals import changes
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.log_file import CHUNK, LONGEST
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Measured
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.signals.heard import BLUE, GREEN, SERVICES, Heard, line, running
from tests.adapters.waiting import until

Make = Callable[[], CaddyLog]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "caddy"
    directory.mkdir()
    return directory / "access.log"


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["inotify", "polled"])
def make(request: pytest.FixtureRequest, path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes readers that are woken by the kernel and by nothing else, or that poll."""
    monkeypatch.setattr(changes, "SAFETY", 3600.0)
    inotify = request.param == "inotify"
    return lambda: CaddyLog(path, SERVICES, on_witness=heard.witness, clock=SystemClock(), inotify=inotify)


def write(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))


def count(heard: Heard, colour: Colour = BLUE) -> int:
    return heard.n["5xx", colour]


async def opened(log: CaddyLog) -> None:
    await until(lambda: log.position() is not None)


async def asleep() -> None:
    """Let the reader take what there is and go to sleep: only another event wakes it."""
    await asyncio.sleep(0.1)


async def test_the_first_start_begins_at_the_end(path: Path, make: Make, heard: Heard) -> None:
    write(path, line(500), line(500))
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line())
        await until(lambda: count(heard))
    assert (count(heard), heard.bad["5xx", BLUE]) == (1, 0)


async def test_lines_are_counted_for_the_colour_that_answered(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(200, duration=0.1), line(503, "127.0.0.1:2001", duration=0.2), line(401, "127.0.0.1:2003"))
        write(path, line(403, "127.0.0.1:1002"), line(404, "127.0.0.1:1003", duration=0.3))
        await until(lambda: count(heard) == 3 and count(heard, GREEN) == 2)
    assert heard.bad == {("5xx", BLUE): 0, ("auth", BLUE): 1, ("5xx", GREEN): 1, ("auth", GREEN): 1}
    assert heard.n["auth", BLUE] == 3
    assert sorted(heard.durations[BLUE, "web"]) == [0.01, 0.1]
    assert heard.durations[BLUE, "api"] == [0.3]
    assert heard.durations[GREEN, "web"] == [0.2]


async def test_one_turn_makes_one_batch_per_signal_and_colour(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, *[line(), line(500)] * 50)
        await until(lambda: count(heard) == 100)
    assert len(heard.batches) == 3


async def test_a_partial_line_counts_once_it_is_complete(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    whole = line(500)
    async with running(log, heard):
        await opened(log)
        write(path, line(), whole[:100])
        await until(lambda: count(heard))
        place = path.stat().st_size - 100
        await until(lambda: log.position()["offset"] == place)
        write(path, whole[100:])
        await until(lambda: count(heard) == 2)
    assert heard.bad["5xx", BLUE] == 1
    assert log.seen.undecodable == 0


async def test_a_line_that_never_ends_is_dropped_and_the_next_is_read(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        for _ in range(5):
            write(path, b"x" * (LONGEST // 2))
            await asyncio.sleep(0)
        await until(lambda: log.lost.dropped)
        write(path, b"x\n", line(500))
        await until(lambda: count(heard))
    assert (count(heard), log.lost.dropped, log.seen.undecodable) == (1, 1, 0)


async def test_a_line_longer_than_a_turn_is_read(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(500, agent="x" * (CHUNK * 2)), line())
        await until(lambda: count(heard) == 2)
    assert (heard.bad["5xx", BLUE], log.lost.dropped) == (1, 0)


async def test_a_renamed_file_is_read_to_its_end_before_the_new_one(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        with path.open("ab", buffering=0) as old:
            old.write(line())
            path.rename(path.with_name("access-2026-01-01.log"))
            await asleep()
            old.write(line() * 2)
            await until(lambda: count(heard) == 3)
            path.touch()  # as logrotate's `create` does, before the writer is told
            await asleep()
            old.write(line(500) * 4)
            await until(lambda: count(heard) == 7)
            old.write(line(500) * 2000)  # an unread tail of several turns
        write(path, line(404))
        await until(lambda: count(heard) == 2008)
        write(path, line(404))
        await until(lambda: count(heard) == 2009)
    assert heard.bad["5xx", BLUE] == 2004
    assert log.lost.dropped == 0
    assert log.position()["inode"] == path.stat().st_ino


@pytest.mark.parametrize(
    "put", [Path.rename, lambda prepared, path: path.hardlink_to(prepared)], ids=["moved", "linked"]
)
async def test_a_file_that_is_put_in_place_whole_is_read(
    path: Path, make: Make, heard: Heard, put: Callable[[Path, Path], object]
) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        path.unlink()
        prepared = path.with_name("prepared")
        write(prepared, line(500) * 2)
        await asleep()
        put(prepared, path)
        await until(lambda: count(heard) == 2)


async def test_a_file_that_is_rotated_and_removed_at_once_loses_nothing(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        for number in range(20):
            write(path, line() * 3)
            rotated = path.with_name(f"access-{number}.log")
            path.rename(rotated)
            write(path, line() * 2)
            await until(lambda: log.position()["inode"] == path.stat().st_ino)
            rotated.unlink()
        await until(lambda: count(heard) == 100)


async def test_an_unfinished_line_of_a_rotated_file_is_lost_and_counted(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line()[:50])
        path.rename(path.with_name("access-1.log"))
        write(path, line())
        await until(lambda: count(heard))
    assert (count(heard), log.lost.dropped, log.seen.undecodable) == (1, 1, 0)


@pytest.mark.parametrize("size", [1, 3, 40], ids=["shorter", "as long", "longer than before"])
async def test_an_emptied_file_is_read_from_its_beginning(path: Path, make: Make, heard: Heard, size: int) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, *[line(duration=number) for number in (1, 2, 3)])
        await until(lambda: count(heard) == 3)
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(b"".join(line(500, duration=100 + number) for number in range(size)))
        await until(lambda: heard.bad["5xx", BLUE] == size)
        write(path, line())
        await until(lambda: count(heard) == size + 4)
    assert log.lost.rewritten == 1


async def _position_after_two(path: Path, make: Make, heard: Heard) -> Json:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(duration=1), line(duration=2), line(duration=3)[:30])
        await until(lambda: count(heard) == 2)
    return json.loads(json.dumps(log.position()))


async def test_a_restart_goes_on_behind_what_was_reported(path: Path, make: Make, heard: Heard) -> None:
    position = await _position_after_two(path, make, heard)
    write(path, line(duration=3)[30:], line(500) * 3)
    successor = make()
    assert successor.resume(position)
    assert successor.position() == position, "saved again before it ran, it must not be lost"
    async with running(successor, heard):
        await until(lambda: count(heard) == 6)
        write(path, line(500))
        await until(lambda: count(heard) == 7)
    assert heard.bad["5xx", BLUE] == 4
    assert heard.durations[BLUE, "web"][:3] == [1, 2, 3]


async def test_a_restart_goes_on_in_a_file_that_was_rotated_meanwhile(path: Path, make: Make, heard: Heard) -> None:
    position = await _position_after_two(path, make, heard)
    write(path, line(duration=3)[30:])
    path.rename(path.with_name("access-2026-01-01T00-00-00.000-size.log"))
    write(path, line(500) * 2)
    path.with_name("access-admin.log").touch()  # another site's
    successor = make()
    assert successor.resume(position)
    async with running(successor, heard):
        await until(lambda: count(heard) == 5)
    assert heard.bad["5xx", BLUE] == 2


def _gone(path: Path) -> None:
    path.rename(path.with_name("kept"))  # so that its inode is not given to the new one
    write(path, line() * 9)


def _shorter(path: Path) -> None:
    os.truncate(path, len(line(duration=1)))


def _another(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, 0)
    write(path, line(duration=7) * 3)
    assert path.stat().st_size > size - 100


def _rotated_twice(path: Path) -> None:
    path.rename(path.with_name("access-1.log"))
    write(path, line())
    path.rename(path.with_name("access-2.log"))
    write(path, line())
    os.utime(path.with_name("access-1.log"), (1, 1))


def _absent(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("happened", [_gone, _shorter, _another, _rotated_twice, _absent])
async def test_a_restart_says_where_data_is_missing(
    path: Path, make: Make, heard: Heard, happened: Callable[[Path], None]
) -> None:
    position = await _position_after_two(path, make, heard)
    happened(path)
    successor = make()
    assert not successor.resume(position)
    assert successor.position() is None
    async with running(successor, Heard()) as later:
        await asyncio.sleep(0.1)
        write(path, line(500, "127.0.0.1:2001"))
        await until(lambda: count(later, GREEN))
    assert count(later) == 0, "it begins at the end, as at a first start"


@pytest.mark.parametrize(
    "position",
    [None, 7, {}, {"inode": 1}, {"inode": 1, "offset": -1, "mark": ""}, {"inode": "1", "offset": 0, "mark": ""}],
)
async def test_a_position_that_is_none_is_refused(path: Path, make: Make, position: Json) -> None:
    path.touch()
    assert not make().resume(position)


async def test_a_log_that_appears_later_is_read_from_its_first_byte(path: Path, make: Make, heard: Heard) -> None:
    log = make()
    async with running(log, heard):
        await asyncio.sleep(0.1)
        assert log.position() is None
        write(path, line(500) * 2)
        await until(lambda: count(heard) == 2)


async def test_a_directory_that_appears_later_is_found(
    path: Path, make: Make, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SAFETY", 0.05)
    path.parent.rmdir()
    async with running(make(), heard):
        await asyncio.sleep(0.1)
        path.parent.mkdir()
        write(path, line(500) * 2)
        await until(lambda: count(heard) == 2)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not json",
        b"{}",
        b"null",
        b"[1]",
        b'{"status":200',
        b'{"status":"200","duration":1,"request":{}}',
        b'{"status":200,"duration":"12ms","request":{}}',
        b'{"status":200,"duration":1,"request":{"headers":{"X-Bluegreen-Probe":"abc"}}}',
        b'{"status":200,"duration":1,"request":{"host":"\xff\xfe"}}',
        b"\x00" * 300,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda text: repr(text[:30]),
)
async def test_a_line_that_cannot_be_read_costs_no_other(path: Path, make: Make, heard: Heard, garbage: bytes) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(500), garbage + b"\n", line(500))
        await until(lambda: count(heard) == 2)
    assert (log.seen.undecodable, log.seen.taken) == (1, 2)
    assert log.seen.reason


async def test_what_crashes_whoever_hears_it_is_never_counted_twice(path: Path, make: Make, heard: Heard) -> None:
    def crash(batch: Batch) -> None:
        heard.report(batch)
        raise ZeroDivisionError

    path.touch()
    log = make()
    async with asyncio.TaskGroup() as group:
        group.create_task(until_it_crashes(log, crash), name="source under test")
        await opened(log)
        write(path, line(500))
    async with running(log, heard):
        write(path, line(500))
        await until(lambda: count(heard) == 2)
        await asleep()
    assert count(heard) == 2


async def until_it_crashes(log: CaddyLog, report: Callable[[Batch], None]) -> None:
    with pytest.raises(ZeroDivisionError):
        await log.run(report)


async def test_a_log_of_another_kind_is_never_heard(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, b'2026/01/01 00:00:00.000\tINFO\thttp.log.access\thandled request\t{"status": 200}\n')
        await until(lambda: log.seen.undecodable)
    assert log.heard_at is None
    assert heard.batches == []


async def test_nobody_is_blamed_for_what_is_nobodys(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(499), line(0), line(500, ""), line(500, "127.0.0.1:9999"))
        await until(lambda: log.seen.taken == 4)
    assert heard.batches == []
    assert log.seen.unattributed == 2
    assert log.heard_at is not None, "a line of anybody's is a sign of life"


async def test_our_own_requests_go_to_the_witness_alone(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(503, nonce="n1"), line(200, "127.0.0.1:2001", nonce="n2"), line(200, "", nonce="n3"))
        write(path, line(agent='"X-Bluegreen-Probe"'))
        await until(lambda: count(heard))
    assert heard.witnessed == [("n1", BLUE, 503), ("n2", GREEN, 200)]
    assert (count(heard), heard.bad["5xx", BLUE], count(heard, GREEN)) == (1, 0, 0)
    assert log.heard_at is not None


async def test_the_probe_header_may_have_another_name_in_any_case(path: Path, heard: Heard) -> None:
    path.touch()
    log = CaddyLog(path, SERVICES, on_witness=heard.witness, clock=SystemClock(), probe_header="x-our-OWN")
    async with running(log, heard):
        await opened(log)
        write(path, line(nonce="n1").replace(b"X-Bluegreen-Probe", b"X-Our-Own"))
        await until(lambda: heard.witnessed)
    assert heard.witnessed == [("n1", BLUE, 200)]


async def test_streams_count_as_answers_and_not_as_slow_ones(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    async with running(log, heard):
        await opened(log)
        write(path, line(101, duration=900), line(200, duration=900, content_type="text/event-stream; charset=utf-8"))
        write(path, line(duration=0.5))
        await until(lambda: count(heard) == 3)
    assert heard.durations == {(BLUE, "web"): [0.5]}
    assert all(batch.values for batch in heard.batches if isinstance(batch, Measured))


async def test_services_that_share_an_address_are_told_apart_by_their_site(path: Path, heard: Heard) -> None:
    shared = {name: Service(name, {BLUE: ("10.0.0.1:80",), GREEN: ("10.0.0.2:80",)}, f"{name}.test") for name in "ab"}
    path.touch()
    log = CaddyLog(path, shared, on_witness=heard.witness, clock=SystemClock())
    async with running(log, heard):
        await opened(log)
        write(path, line(200, "10.0.0.1:80", host="b.test", duration=1))
        write(path, line(200, "10.0.0.2:80", host="elsewhere.test", duration=2))
        await until(lambda: count(heard) and count(heard, GREEN))
    assert heard.durations == {(BLUE, "b"): [1], (GREEN, "a"): [2]}


async def test_what_is_no_file_is_a_problem_until_it_is_one(path: Path, make: Make, heard: Heard) -> None:
    os.mkfifo(path)
    log = make()
    async with running(log, heard):
        await until(lambda: log.problem)
        assert "not a regular file" in log.problem
        assert str(path) in log.problem
        assert log.heard_at is None
        path.unlink()
        path.touch()
        await opened(log)
        write(path, line())
        await until(lambda: count(heard))
    assert log.problem == ""


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Without root's right to read every file, where we have it."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


async def test_a_log_that_we_may_not_read_says_what_to_do(path: Path, make: Make, heard: Heard) -> None:
    path.touch(mode=0o000)
    log = make()
    with as_somebody_else():
        async with running(log, heard):
            await until(lambda: log.problem)
    assert "Permission denied" in log.problem
    assert "mode 0640" in log.problem
    assert log.heard_at is None


async def test_inotify_that_cannot_be_had_is_done_without(
    path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used_up() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(changes, "INotify", used_up)
    path.touch()
    log = CaddyLog(path, SERVICES, on_witness=heard.witness, clock=SystemClock())
    async with running(log, heard):
        await opened(log)
        write(path, line())
        await until(lambda: count(heard))


async def test_a_position_is_the_end_of_what_was_reported(path: Path, make: Make, heard: Heard) -> None:
    path.touch()
    log = make()
    places = []

    def report(batch: Batch) -> None:
        heard.report(batch)
        places.append(log.position()["offset"])

    async with asyncio.TaskGroup() as group:
        task = group.create_task(log.run(report), name="source under test")
        await opened(log)
        write(path, line())
        end = path.stat().st_size
        write(path, b'{"status":')
        await until(lambda: log.position()["offset"] == end)
        task.cancel()
    assert places == [0, 0, 0], "a position saved while batches are being reported must bring them again"


async def test_a_hundred_thousand_lines_are_taken_in_while_others_get_their_turn(
    path: Path, make: Make, heard: Heard
) -> None:
    path.touch()
    log = make()
    turns = 0
    async with running(log, heard):
        await opened(log)
        write(path, *[line(200), line(500), line(200, "127.0.0.1:2001"), line(401, "127.0.0.1:2001")] * 25_000)
        async with asyncio.timeout(60):
            while count(heard) + count(heard, GREEN) < 100_000:
                await asyncio.sleep(0)
                turns += 1
    assert (count(heard), heard.bad["5xx", BLUE], heard.bad["auth", GREEN]) == (50_000, 25_000, 25_000)
    assert turns > path.stat().st_size // CHUNK, "no turn of the reader takes more than its share"
