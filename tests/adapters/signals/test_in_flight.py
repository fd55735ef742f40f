"""Requests that nobody answers, in virtual time: what is a bad sample, what is none at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest

from bluegreen.adapters.signals.in_flight import Answered, InFlightSource
from bluegreen.adapters.signals.memory import MemorySignals
from bluegreen.domain.errors import BalancerUnreachable, SignalFailed
from bluegreen.domain.signals import Counted
from tests.adapters.signals.heard import BLUE, GREEN, SERVICES, Heard, running
from tests.virtual_time import VirtualClock, VirtualTimeLoop

WEB_BLUE, WEB_GREEN, API_BLUE = "127.0.0.1:1001", "127.0.0.1:2001", "127.0.0.1:1003"
CLOCK = VirtualClock()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        yield runner


class Balancer:
    """The numbers that a balancer tells; None: it does not answer. `slow`: seconds until it does."""

    def __init__(self, **numbers: int) -> None:
        self.numbers: dict[str, int] | None = dict(numbers)
        self.slow = 0.0
        self.open = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def in_flight(self) -> Mapping[str, int]:
        await asyncio.sleep(self.slow)
        if self.numbers is None:
            raise BalancerUnreachable("Caddy cannot be used: it is away", next=("systemctl status caddy",))
        return self.numbers


class Play:
    """A balancer and an access log, played second by second."""

    def __init__(self, runner: asyncio.Runner, **numbers: int) -> None:
        self.runner, self.balancer, self.answered = runner, Balancer(**numbers), Answered()
        self.log = MemorySignals(CLOCK)
        self.source = InFlightSource(self.balancer, SERVICES, self.answered, self.log, clock=CLOCK)

    def run(self, seconds: float, happen: Callable[[int], None] = lambda _: None) -> Heard:
        """Run it for so long; `happen` is called at every tenth of a second, with its number."""
        heard = Heard()

        async def play() -> None:
            async with running(self.source, heard):
                for tenth in range(int(seconds * 10)):
                    happen(tenth)
                    await asyncio.sleep(0.1)

        self.runner.run(play())
        return heard


def bad_in_a_row(heard: Heard, signal: str = "stuck:web") -> str:
    return "".join("x" if each.bad else "." for each in counted(heard) if each.signal == signal)


def counted(heard: Heard) -> list[Counted]:
    return [batch for batch in heard.batches if isinstance(batch, Counted)]


def test_requests_that_wait_while_none_is_answered_are_bad_samples_of_that_service(runner: asyncio.Runner) -> None:
    heard = Play(runner, **{WEB_BLUE: 20, API_BLUE: 0}).run(3.0)
    assert bad_in_a_row(heard) == "xxxxx"
    assert bad_in_a_row(heard, "stuck:api") == "....."
    first = counted(heard)[0]
    assert (first.source, first.colour, first.n, first.bad, first.key) == ("in_flight", BLUE, 1, 1, "web")
    assert first.parts[0].line == "12:00:00.500 UTC 20 requests of web wait at blue, and none was answered"


def test_one_answer_between_two_samples_makes_a_good_one(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 20})

    def answer(tenth: int) -> None:
        if tenth in (7, 17):
            play.answered.add("web", BLUE, 1)

    assert bad_in_a_row(play.run(3.0, answer)) == "x.x.x"


def test_answers_of_the_other_colour_or_service_do_not_excuse(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 20, WEB_GREEN: 0})

    def answer(_: int) -> None:
        play.answered.add("web", GREEN, 5)
        play.answered.add("api", BLUE, 5)

    heard = play.run(2.0, answer)
    assert {(each.colour, each.bad) for each in counted(heard) if each.key == "web"} == {(BLUE, 1), (GREEN, 0)}


def test_one_or_two_that_wait_are_no_sign(runner: asyncio.Runner) -> None:
    assert bad_in_a_row(Play(runner, **{WEB_BLUE: 2}).run(2.0)) == "..."


def test_all_addresses_of_a_service_count_together(runner: asyncio.Runner) -> None:
    assert bad_in_a_row(Play(runner, **{WEB_BLUE: 2, "127.0.0.1:1002": 1}).run(2.0)) == "xxx"


def test_a_colour_that_is_not_dialled_has_no_samples_and_the_first_comes_an_interval_later(
    runner: asyncio.Runner,
) -> None:
    play = Play(runner, **{WEB_BLUE: 0})

    def move(tenth: int) -> None:
        if tenth == 13:
            play.balancer.numbers = {WEB_GREEN: 50}

    green = [each for each in counted(play.run(3.3, move)) if each.colour is GREEN]
    assert [each.bad for each in green] == [1, 1, 1]
    assert green[0].since == pytest.approx(1.5)


def test_a_balancer_that_is_away_is_a_problem_and_no_bad_sample(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 20})
    numbers = play.balancer.numbers

    def away(tenth: int) -> None:
        play.balancer.numbers = None if 8 <= tenth < 21 else numbers
        if tenth == 20:
            assert play.source.problem == "Caddy cannot be used: it is away"

    heard = play.run(4.0, away)
    assert bad_in_a_row(heard) == "xxx"
    assert [each.since for each in counted(heard)] == pytest.approx([0.0, 2.5, 3.0])
    assert play.source.problem == ""


@pytest.mark.parametrize("trouble", ["behind", "unreadable", "not read to its end"])
def test_while_the_access_log_cannot_be_heard_nothing_is_said(runner: asyncio.Runner, trouble: str) -> None:
    play = Play(runner, **{WEB_BLUE: 20})
    if trouble == "behind":
        play.log.lag = 2.0
    if trouble == "unreadable":
        play.log.trouble = "no permission"
    if trouble == "not read to its end":
        play.log.emit(Counted("access_log", "5xx", BLUE, 1, 0))
    assert counted(play.run(3.0)) == []


def test_what_came_while_nobody_looked_is_not_judged(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 20})

    def stall(tenth: int) -> None:
        if tenth == 7:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.stand_still(10.0)

    since = [each.since for each in counted(play.run(3.0, stall))]
    assert since[0] == 0.0
    assert all(at is not None and at > 10.0 for at in since[1:])


def test_it_is_asked_twice_a_second_and_one_question_waits_for_the_other(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 0})
    play.balancer.slow = 0.4
    assert len(bad_in_a_row(play.run(10.0))) == 10
    assert play.balancer.open == 0


def test_whether_it_can_be_heard_is_tried_once(runner: asyncio.Runner) -> None:
    play = Play(runner, **{WEB_BLUE: 0})
    runner.run(play.source.check())
    play.balancer.numbers = None
    with pytest.raises(SignalFailed, match="cannot be told: Caddy cannot be used") as failed:
        runner.run(play.source.check())
    assert failed.value.next == ("systemctl status caddy",)
    assert play.balancer.open == 0
