"""What every source of signals does, whatever it listens to."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.memory import MemorySignals
from bluegreen.adapters.signals.probes import Probes
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.signals import Counted
from bluegreen.ports import SignalSource
from tests.adapters.signals.heard import BLUE, SERVICES, Heard, line, running
from tests.adapters.waiting import until

CLOCK = SystemClock()
DESCRIPTORS = Path("/proc/self/fd")


class OpenFrontDoor:
    """A front door behind which everything is well."""

    async def ask(self, service: str) -> FrontDoorAnswer:
        return FrontDoorAnswer(service, BLUE, 200, 0.001)


@dataclass
class Subject:
    """A way to make sources of one kind, and to have something happen that they hear."""

    make: Callable[[], SignalSource]
    happen: Callable[[SignalSource], None]


def _access_log(path: Path, inotify: bool) -> Subject:
    def write(_: SignalSource) -> None:
        with path.open("ab") as file:
            file.write(line())

    path.touch()
    return Subject(
        lambda: CaddyLog(path, SERVICES, on_witness=Heard().witness, clock=CLOCK, inotify=inotify),
        write,
    )


def _emit(source: SignalSource) -> None:
    assert isinstance(source, MemorySignals)
    source.emit(Counted("access_log", "5xx", BLUE, 1, 0))


@pytest.fixture(params=["access log", "access log without inotify", "probes", "memory"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    if request.param == "probes":
        return Subject(lambda: Probes(OpenFrontDoor(), ["web"], clock=CLOCK, interval=0.01), lambda _: None)
    if request.param == "memory":
        return Subject(lambda: MemorySignals(CLOCK), _emit)
    return _access_log(tmp_path / "access.log", request.param == "access log")


async def _hear_one(subject: Subject, source: SignalSource, heard: Heard) -> None:
    """Let something happen again and again until it is heard: the source may not have begun to listen."""
    before = len(heard.batches)
    while len(heard.batches) == before:
        subject.happen(source)
        await asyncio.sleep(0.01)


async def test_a_source_has_heard_nothing_before_it_runs(subject: Subject) -> None:
    assert subject.make().heard_at is None


async def test_a_source_reports_under_its_own_name_and_says_when_it_heard(subject: Subject) -> None:
    source = subject.make()
    began = CLOCK.monotonic()
    async with running(source, Heard()) as heard:
        await _hear_one(subject, source, heard)
        assert {batch.source for batch in heard.batches} == {source.name}
        heard_at = source.heard_at
        assert heard_at is not None
        assert began <= heard_at <= CLOCK.monotonic()


async def test_a_cancelled_source_ends_and_leaves_nothing_open(subject: Subject) -> None:
    async with running(subject.make(), Heard()):  # what the first run sets up for good is not counted
        await asyncio.sleep(0.05)
    open_before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(3):
        source = subject.make()
        async with running(source, Heard()) as heard:
            await _hear_one(subject, source, heard)
    assert len(list(DESCRIPTORS.iterdir())) == open_before
    assert len(asyncio.all_tasks()) == 1


async def test_a_position_survives_json_and_a_fresh_source_goes_on_from_it(subject: Subject) -> None:
    source = subject.make()
    async with running(source, Heard()) as heard:
        await _hear_one(subject, source, heard)
    successor = subject.make()
    assert successor.resume(json.loads(json.dumps(source.position())))
    async with running(successor, Heard()) as heard:
        await _hear_one(subject, successor, heard)


async def test_a_source_can_run_again(subject: Subject) -> None:
    source = subject.make()
    for _ in range(2):
        async with running(source, Heard()) as heard:
            await _hear_one(subject, source, heard)


async def test_an_error_of_the_listener_is_not_swallowed(subject: Subject) -> None:
    class Broken(Exception):
        pass

    def report(_: object) -> None:
        raise Broken

    source = subject.make()
    with pytest.RaisesGroup(Broken, allow_unwrapped=True, flatten_subgroups=True):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(source.run(report), name="source under test")
            async with asyncio.timeout(30):
                while not task.done():
                    subject.happen(source)
                    await asyncio.sleep(0.01)


async def test_happenings_are_reported_in_full(subject: Subject) -> None:
    source = subject.make()
    async with running(source, Heard()) as heard:
        await _hear_one(subject, source, heard)
        before = sum(heard.n.values())
        for _ in range(25):
            subject.happen(source)
        await until(lambda: sum(heard.n.values()) >= before + 25)
