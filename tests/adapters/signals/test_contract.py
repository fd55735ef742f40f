"""What every source of signals does, whatever it listens to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.flows import Flows, Repeated
from bluegreen.adapters.signals.http_json import Document, JsonQuestions
from bluegreen.adapters.signals.in_flight import Answered, InFlightSource
from bluegreen.adapters.signals.json_place import JsonPlace
from bluegreen.adapters.signals.log_follow import Follow
from bluegreen.adapters.signals.log_lines import LogLines
from bluegreen.adapters.signals.memory import MemorySignals
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.probes import Probes
from bluegreen.adapters.signals.prometheus import PrometheusQuestions
from bluegreen.adapters.signals.questions import Pace, Questions
from bluegreen.adapters.signals.sql import SqlQuestions
from bluegreen.adapters.signals.traefik_log import TraefikLog
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.signals import Counted
from bluegreen.ports import SignalSource
from tests.adapters.signals.heard import BLUE, SERVICES, Heard, line, running
from tests.adapters.signals.servers import Asked, serving, vector
from tests.adapters.waiting import until

CLOCK = SystemClock()
DESCRIPTORS = Path("/proc/self/fd")
TRAEFIK_LINE = b'{"DownstreamStatus":200,"Duration":2260879,"ServiceAddr":"127.0.0.1:1001","RequestPath":"/"}\n'


class OpenFrontDoor:
    """A front door behind which everything is well."""

    async def ask(self, service: str) -> FrontDoorAnswer:
        return FrontDoorAnswer(service, BLUE, 200, 0.001)


@dataclass
class Subject:
    """A way to make sources of one kind, and to have something happen that they hear."""

    make: Callable[[], SignalSource]
    happen: Callable[[SignalSource], None]


def _access_log(path: Path, inotify: bool, traefik: bool = False) -> Subject:
    def write(_: SignalSource) -> None:
        with path.open("ab") as file:
            file.write(TRAEFIK_LINE if traefik else line())

    path.touch()
    return Subject(
        lambda: (TraefikLog if traefik else CaddyLog)(
            path, SERVICES, on_witness=Heard().witness, clock=CLOCK, inotify=inotify
        ),
        write,
    )


def _log_lines(path: Path) -> Subject:
    """A second is the event of each pattern, so that there are as many in a second as there are patterns."""
    path.touch()
    follow = Follow(("tail", "-n", "0", "-F", str(path)), {})
    patterns: dict[str, tuple[str, str | None]] = {f"pattern-{number}": ("ERROR", None) for number in range(30)}

    def write(_: SignalSource) -> None:
        with path.open("ab") as file:
            file.write(b"an ERROR\n")

    return Subject(lambda: LogLines({BLUE: follow}, patterns, clock=CLOCK), write)


def _emit(source: SignalSource) -> None:
    assert isinstance(source, MemorySignals)
    source.emit(Counted("access_log", "5xx", BLUE, 1, 0))


class Counter:
    """Two counters that a test lets grow, as Prometheus and as an application's own document tell them."""

    def __init__(self) -> None:
        self.n = 100

    def happen(self, _: SignalSource) -> None:
        self.n += 1

    def prometheus(self, asked: Asked) -> tuple[int, bytes]:
        return 200, vector(self.n if asked.form["query"] == "all" else 7)

    def document(self, _: Asked) -> tuple[int, bytes]:
        return 200, json.dumps({"bad": 7, "all": self.n}).encode()


def _polled(questions: Questions, happen: Callable[[SignalSource], None] = lambda _: None) -> Subject:
    return Subject(lambda: Polled("queue", questions, CLOCK, Pace(interval=0.01, timeout=10.0)), happen)


@pytest.fixture(scope="module")
def http() -> Iterator[ExitStack]:
    """Servers that last longer than a test: what they keep open is not the source's."""
    with ExitStack() as stack:
        yield stack


def _asked(kind: str, http: ExitStack, request: pytest.FixtureRequest) -> Subject:
    counter, fetcher = Counter(), Fetcher(10.0)
    if kind == "prometheus":
        server = http.enter_context(serving(counter.prometheus))
        return _polled(PrometheusQuestions(server.url, "bad", fetcher, "all"), counter.happen)
    if kind == "http json":
        server = http.enter_context(serving(counter.document))
        places = JsonPlace.written("/bad"), JsonPlace.written("/all")
        return _polled(JsonQuestions((Document(BLUE, server.url),), places[0], fetcher, places[1]), counter.happen)
    dsn = Dsn.parse(request.getfixturevalue("postgres").dsn())
    milliseconds = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    return _polled(SqlQuestions("queue", Access(dsn, 10.0, 10.0), "SELECT 7", milliseconds))


class Quiet:
    """A balancer that has nothing under way, and a front door at which every flow goes well."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def in_flight(self) -> Mapping[str, int]:
        return {"127.0.0.1:1001": 0}

    async def walk(self, flow: Flow) -> FlowAnswer:
        return FlowAnswer(flow.name, "", frozenset({BLUE}), 0.001)


def _in_flight() -> Subject:
    return Subject(
        lambda: InFlightSource(Quiet(), SERVICES, Answered(), MemorySignals(CLOCK), clock=CLOCK, interval=0.01),
        lambda _: None,
    )


def _flows() -> Subject:
    flows = {"login": Repeated(Flow("login", ()), 0.01)}
    return Subject(lambda: Flows(Quiet(), flows, clock=CLOCK), lambda _: None)


@pytest.fixture(
    params=[
        *("access log", "access log without inotify", "traefik's access log", "probes", "flows", "in flight", "memory"),
        *("prometheus", "sql", "http json", "log lines"),
    ]
)
def subject(request: pytest.FixtureRequest, tmp_path: Path, http: ExitStack) -> Subject:
    if request.param in ("prometheus", "sql", "http json"):
        return _asked(request.param, http, request)
    if request.param == "probes":
        return Subject(lambda: Probes(OpenFrontDoor(), ["web"], clock=CLOCK, interval=0.01), lambda _: None)
    if request.param == "log lines":
        return _log_lines(tmp_path / "colour.log")
    if request.param == "flows":
        return _flows()
    if request.param == "in flight":
        return _in_flight()
    if request.param == "memory":
        return Subject(lambda: MemorySignals(CLOCK), _emit)
    inotify, traefik = request.param != "access log without inotify", "traefik" in request.param
    return _access_log(tmp_path / "access.log", inotify, traefik)


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
    await until(lambda: len(list(DESCRIPTORS.iterdir())) <= open_before)  # a server in this process closes its own
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
