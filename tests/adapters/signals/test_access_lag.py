"""How far behind the access log is: told by the age of the lines that were just read."""

from pathlib import Path

import pytest

from bluegreen.adapters.signals.caddy_log import LATEST_S, CaddyLog
from tests.adapters.signals.heard import NOW, SERVICES, Frozen, Heard, line, running
from tests.adapters.waiting import until


@pytest.fixture
def clock() -> Frozen:
    return Frozen()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


async def read(path: Path, clock: Frozen, *turns: list[float | str | None]) -> CaddyLog:
    """A reader that has read lines which were written so many seconds ago, turn by turn."""
    log = CaddyLog(path, SERVICES, on_witness=lambda *_: None, clock=clock)
    async with running(log, Heard()):
        await until(lambda: log.position() is not None)
        taken = 0
        for turn in turns:
            written = [NOW - age if isinstance(age, float) else age for age in turn]
            with path.open("ab") as file:
                file.write(b"".join(line(ts=each) for each in written))
            taken += len(turn)
            await until(lambda: log.seen.taken == taken)  # noqa: B023 - awaited at once
    return log


async def test_before_the_first_line_nothing_is_behind(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock)).behind == 0.0


async def test_lines_that_are_read_at_once_are_not_behind(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock, [0.004] * 20)).behind == pytest.approx(0.004, abs=1e-4)


async def test_a_log_that_is_buffered_is_seen(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock, [20.0 - number / 5 for number in range(100)])).behind == pytest.approx(1.0, abs=0.1)
    assert (await read(path, clock, [30.0] * 5, [30.0] * 5)).behind == pytest.approx(30.0)


async def test_one_line_with_a_wrong_time_fakes_nothing(path: Path, clock: Frozen) -> None:
    log = await read(path, clock, [0.01] * 4, [3600.0], [0.01], [-3600.0], [0.01])
    assert log.behind == pytest.approx(0.01, abs=1e-4)


async def test_a_clock_that_is_ahead_is_not_behind(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock, [-5.0] * 10)).behind == 0.0


async def test_lines_without_a_time_say_nothing(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock, [None, "noon", 0.5])).behind == pytest.approx(0.5)


async def test_what_was_read_long_ago_is_no_lag_of_now(path: Path, clock: Frozen) -> None:
    log = await read(path, clock, [30.0] * 10)
    assert log.behind == pytest.approx(30.0)
    clock.t += LATEST_S + 1
    assert log.behind == 0.0


async def test_a_reader_that_caught_up_is_no_longer_behind(path: Path, clock: Frozen) -> None:
    assert (await read(path, clock, [60.0] * 50, [0.01] * 8)).behind == pytest.approx(0.01, abs=1e-4)
