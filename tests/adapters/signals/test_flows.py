"""Flows as a source of signals, in virtual time: one event per run, in order, of the colour that answered."""

import asyncio
from collections.abc import Iterator

import pytest

from bluegreen.adapters.signals.flows import Flows, Repeated
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Colour
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.virtual_time import VirtualClock, VirtualTimeLoop

CLOCK = VirtualClock()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        yield runner


class Door:
    """A front door at which a flow takes `seconds` and goes as it is told."""

    def __init__(self, failure: str = "", *colours: Colour, seconds: float = 0.0, reached: bool = True) -> None:
        self.failure, self.colours, self.seconds, self.reached = failure, frozenset(colours), seconds, reached
        self.began: list[float] = []
        self.at_once = self.most = 0

    async def walk(self, flow: Flow) -> FlowAnswer:
        self.began.append(CLOCK.monotonic())
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        return FlowAnswer(flow.name, self.failure, self.colours, self.seconds, self.reached)


def listen(runner: asyncio.Runner, door: Door, seconds: float, every: float = 30.0) -> tuple[Flows, list[Counted]]:
    flows = Flows(door, {"login": Repeated(Flow("login", (), timeout=10.0), every)}, clock=CLOCK)
    heard = Heard()

    async def run() -> None:
        async with running(flows, heard):
            await asyncio.sleep(seconds)

    runner.run(run())
    return flows, [batch for batch in heard.batches if isinstance(batch, Counted)]


def test_a_run_is_one_event_of_its_own_signal_and_of_the_colour_that_answered(runner: asyncio.Runner) -> None:
    _, (event,) = listen(runner, Door("", GREEN, seconds=0.3), 1.0)
    assert event == Counted("flows", "flow:login", GREEN, 1, 0, key="login", since=0.0)


def test_a_run_that_failed_says_where(runner: asyncio.Runner) -> None:
    _, (event,) = listen(runner, Door("step 2, POST /login: expected status 303, got 500", BLUE), 1.0)
    assert event.bad == 1
    assert event.parts[0].line == ("12:00:00.000 UTC flow login: step 2, POST /login: expected status 303, got 500")


def test_runs_come_when_they_are_due_and_never_overlap(runner: asyncio.Runner) -> None:
    door = Door(seconds=12.0)
    listen(runner, door, 100.0)
    assert door.began == pytest.approx([0.0, 30.0, 60.0, 90.0])
    door = Door(seconds=12.0)
    listen(runner, door, 50.0, every=5.0)
    assert [at - door.began[0] for at in door.began] == pytest.approx([0.0, 12.0, 24.0, 36.0, 48.0])
    assert door.most == 1


def test_where_no_line_came_a_run_counts_for_whoever_served_since_it_began(runner: asyncio.Runner) -> None:
    _, (event,) = listen(runner, Door("", seconds=2.0), 3.0)
    assert (event.colour, event.since) == (None, 0.0)


def test_a_run_that_two_colours_answered_is_nobodys(runner: asyncio.Runner) -> None:
    _, events = listen(runner, Door("step 1, GET /: not so", BLUE, GREEN), 1.0)
    assert events == []


def test_where_nobody_listens_flows_are_silent(runner: asyncio.Runner) -> None:
    flows, events = listen(runner, Door("step 1, GET /: no answer", reached=False), 100.0)
    assert events == []
    assert flows.heard_at is None


def test_a_run_that_never_ends_is_given_up_and_is_bad(runner: asyncio.Runner) -> None:
    _, events = listen(runner, Door(seconds=1e9), 16.0)
    assert [event.bad for event in events] == [1]


def test_between_two_runs_it_is_not_silent_and_after_a_missing_one_it_is(runner: asyncio.Runner) -> None:
    async def run() -> None:
        door = Door("", BLUE)
        flows = Flows(door, {"login": Repeated(Flow("login", (), timeout=10.0), 300.0)}, clock=CLOCK)
        async with running(flows, Heard()):
            await asyncio.sleep(299.0)
            assert flows.heard_at == pytest.approx(299.0)
            door.reached = False
            await asyncio.sleep(101.0)
            assert flows.heard_at == pytest.approx(0.0)

    runner.run(run())


def test_before_a_deployment_a_flow_that_does_not_go_through_is_told(runner: asyncio.Runner) -> None:
    door = Door("step 2, POST /login: expected status 303, got 400", BLUE)
    flows = Flows(door, {"login": Repeated(Flow("login", (), timeout=10.0), 300.0)}, clock=CLOCK)
    with pytest.raises(SignalFailed, match="flow login does not go through: step 2, POST /login") as failed:
        runner.run(flows.check())
    assert failed.value.next

    async def later() -> None:
        async with running(flows, Heard()):
            await asyncio.sleep(1.0)
            door.failure = ""
            with pytest.raises(SignalFailed):  # what was found last
                await flows.check()
            await asyncio.sleep(300.0)
            await flows.check()
            assert len(door.began) == 3, "it is not walked once more for that"

    runner.run(later())
