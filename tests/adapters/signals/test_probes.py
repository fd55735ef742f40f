"""Probes: a steady cadence whatever the front door does, on a clock that costs no time."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bluegreen.adapters.signals.probes import Probes
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Colour
from tests.adapters.signals.heard import Heard, running


class FastForward(asyncio.SelectorEventLoop):
    """An event loop that does not wait for a timer: it moves its clock there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=FastForward) as runner:
        yield runner


class LoopClock:
    """The Clock port on that loop."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def suspended(self) -> float:
        return 0.0


class Door:
    """A front door that takes `seconds` for an answer of `status`, and `later` until it says so."""

    def __init__(
        self,
        status: int | None = 200,
        seconds: float = 0.0,
        later: float = 0.0,
        *,
        reached: bool = True,
        colour: Colour | None = None,
        version: str = "",
    ) -> None:
        self.status, self.seconds, self.later, self.reached = status, seconds, later, reached
        self.colour, self.version = colour, version
        self.asked: list[tuple[str, float]] = []
        self.at_once = self.most = 0

    async def ask(self, service: str) -> FrontDoorAnswer:
        self.asked.append((service, asyncio.get_running_loop().time() - 1000.0))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.seconds + self.later)
        finally:
            self.at_once -= 1
        return FrontDoorAnswer(
            service, self.colour, self.status, self.seconds, reached=self.reached, version=self.version
        )


def listen(runner: asyncio.Runner, door: Door, seconds: float, *services: str) -> tuple[Probes, Heard]:
    """Run the probes for so long, at two a second with a timeout of one second."""
    probes = Probes(door, services or ("web",), clock=LoopClock())
    heard = Heard()

    async def run() -> None:
        async with running(probes, heard):
            await asyncio.sleep(seconds)

    runner.run(run())
    return probes, heard


def test_every_service_is_asked_twice_a_second(runner: asyncio.Runner) -> None:
    door = Door()
    listen(runner, door, 10.1, "web", "api")
    for service in ("web", "api"):
        assert [at for name, at in door.asked if name == service] == pytest.approx([n * 0.5 for n in range(21)])


def test_an_answer_counts_for_the_colour_that_the_log_saw_and_says_what_it_is(runner: asyncio.Runner) -> None:
    _, heard = listen(runner, Door(colour=Colour.GREEN, version="1.1.0"), 0.1)
    (batch,) = heard.batches
    assert isinstance(batch, Counted)
    assert (batch.colour, batch.version) == (Colour.GREEN, "1.1.0")


def test_a_bad_probe_says_what_it_got(runner: asyncio.Runner) -> None:
    _, heard = listen(runner, Door(502, seconds=0.012), 0.1)
    (batch,) = heard.batches
    assert isinstance(batch, Counted)
    (part,) = batch.parts
    assert (part.service, part.n, part.bad) == ("web", 1, 1)
    assert part.line == "00:16:40.012 UTC probe of web: 502 in 12 ms"


def test_where_no_line_came_an_answer_counts_for_whoever_was_live_since_it_was_asked(runner: asyncio.Runner) -> None:
    _, heard = listen(runner, Door(seconds=0.3), 0.4)
    assert heard.batches == [Counted("probes", "probe", None, 1, 0, key="web", since=1000.0)]


@pytest.mark.parametrize(
    ("status", "bad"), [(200, 0), (302, 0), (404, 0), (499, 0), (500, 1), (502, 1), (None, 1)], ids=str
)
def test_a_probe_is_bad_where_users_would_not_have_been_served(
    runner: asyncio.Runner, status: int | None, bad: int
) -> None:
    _, heard = listen(runner, Door(status), 0.1)
    assert (heard.n["probe", None], heard.bad["probe", None]) == (1, bad)


def test_a_balancer_that_is_away_is_no_colours_doing_and_makes_the_probes_silent(runner: asyncio.Runner) -> None:
    probes, heard = listen(runner, Door(None, reached=False), 5.0)
    assert heard.n["probe", None] == 0
    assert probes.heard_at is None


def test_a_hanging_front_door_is_asked_at_the_same_pace(runner: asyncio.Runner) -> None:
    door = Door(seconds=1e6)
    probes, heard = listen(runner, door, 60.1)
    assert [at for _, at in door.asked] == pytest.approx([n * 0.5 for n in range(121)])
    assert heard.n == heard.bad
    assert heard.n["probe", None] == 117, "all but those under way"
    assert door.most <= 5
    assert probes.heard_at == pytest.approx(1060.0)


def test_an_answer_after_the_timeout_is_bad(runner: asyncio.Runner) -> None:
    _, heard = listen(runner, Door(seconds=1.01), 1.1)
    assert heard.bad["probe", None] == 1


def test_an_access_line_that_never_comes_does_not_make_an_answer_bad(runner: asyncio.Runner) -> None:
    _, heard = listen(runner, Door(seconds=0.9, later=0.5), 1.45)
    assert (heard.n["probe", None], heard.bad["probe", None]) == (1, 0)


def test_a_stall_of_ours_is_not_made_up_for(runner: asyncio.Runner) -> None:
    door = Door()

    async def run() -> None:
        async with running(Probes(door, ["web"], clock=LoopClock()), Heard()):
            await asyncio.sleep(1.1)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, FastForward)
            loop.now += 30.0
            await asyncio.sleep(0.9)

    runner.run(run())
    assert len(door.asked) == 3 + 2
