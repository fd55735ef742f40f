"""Sources that are asked: when, what follows from answers and failures, and what counters add up to."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from bluegreen.adapters.signals.increases import Increases
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.questions import Answer, Pace
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.signals import Counted, Gauged
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.virtual_time import VirtualClock, VirtualTimeLoop

PACE = Pace(interval=5.0, timeout=3.0, errors=3)


@dataclass
class Script:
    """Questions whose answers a test writes."""

    say: Callable[[int], Awaitable[Sequence[Answer]]]
    colours: tuple[Any, ...] = (None,)
    asked: list[float] = field(default_factory=list)

    async def ask(self) -> Sequence[Answer]:
        self.asked.append(asyncio.get_running_loop().time())
        return await self.say(len(self.asked))


def saying(*turns: Sequence[Answer] | str, colours: tuple[Any, ...] = (None,)) -> Script:
    """The answers turn by turn, the last one for ever; a text is why nobody can be asked."""

    async def say(turn: int) -> Sequence[Answer]:
        given = turns[min(turn, len(turns)) - 1]
        if isinstance(given, str):
            raise SignalFailed(given)
        return given

    return Script(say, colours)


def polled(script: Script, pace: Pace = PACE) -> Polled:
    return Polled("queue", script, VirtualClock(), pace, "watch.prometheus")


def virtually(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)


async def heard_in(source: Polled, seconds: float) -> Heard:
    async with running(source, Heard()) as heard:
        await asyncio.sleep(seconds)
    return heard


def test_a_value_is_reported_every_interval_with_the_moment_of_its_question() -> None:
    async def play() -> None:
        source = polled(saying([Answer(None, 7.0)]))
        heard = await heard_in(source, 12.0)
        assert heard.batches == [Gauged("queue", "queue", None, 7.0, since=at) for at in (0.0, 5.0, 10.0)]
        assert source.problem == ""

    virtually(play())


def test_questions_never_overlap_and_none_is_made_up_for() -> None:
    async def play() -> None:
        async def slow(turn: int) -> Sequence[Answer]:
            await asyncio.sleep(2.5 if turn == 1 else 0.1)
            return [Answer(None, 1.0)]

        script = Script(slow)
        await heard_in(polled(script, Pace(interval=1.0, timeout=3.0)), 5.2)
        assert script.asked == pytest.approx([0.0, 3.5, 4.5])

    virtually(play())


def test_a_question_that_hangs_ends_with_its_budget() -> None:
    async def play() -> None:
        async def never(turn: int) -> Sequence[Answer]:
            await asyncio.Event().wait()
            return []

        script = Script(never)
        source = polled(script)
        heard = await heard_in(source, 14.5)
        assert script.asked == [0.0, 5.0, 10.0]
        assert heard.batches == []
        assert source.problem == "queue cannot be told: no answer within 3 s (3 times in a row)"

    virtually(play())


def test_only_failures_in_a_row_are_a_problem_and_it_is_logged_when_it_begins_and_ends() -> None:
    async def play() -> None:
        good = [Answer(None, 1.0)]
        source = polled(saying("gone", "gone", good, "gone", "gone", "refused", good))
        problems = []
        with capture_logs() as logs:
            async with running(source, Heard()):
                for _ in range(7):
                    await asyncio.sleep(0.1)
                    problems.append(source.problem)
                    await asyncio.sleep(4.9)
        assert [bool(problem) for problem in problems] == [False] * 5 + [True, False]
        assert problems[5] == "queue cannot be told: refused (3 times in a row)"
        assert [entry["event"] for entry in logs] == ["signal.unheard", "signal.heard"]

    virtually(play())


def test_a_source_is_heard_until_so_many_questions_failed_that_it_is_an_error() -> None:
    async def play() -> None:
        source = polled(saying([Answer(None, 1.0)], "gone"), Pace(interval=30.0, timeout=3.0, errors=2))
        heard = [source.heard_at]
        async with running(source, Heard()):
            for seconds in (45.0, 30.0):
                await asyncio.sleep(seconds)
                heard.append(source.heard_at)
            assert source.problem
        assert heard == [None, 45.0, 0.0]

    virtually(play())


@pytest.mark.parametrize(("number", "name"), [(math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf")])
def test_what_is_no_number_is_no_data_and_never_zero(number: float, name: str) -> None:
    async def play() -> None:
        for answer in (Answer(None, number), Answer(None, 1.0, number)):
            source = polled(saying([answer]))
            with pytest.raises(SignalFailed, match="no data") as caught:
                await source.check()
            assert caught.value.detail == f"queue cannot be told: no data: the value is {name}"
            assert (await heard_in(source, 20.0)).batches == []

    virtually(play())


BLUE_ALONE = [Answer(BLUE, 2.0), Answer(GREEN, trouble="no data: nothing")]


def test_each_colour_is_reported_as_itself() -> None:
    async def play() -> None:
        heard = await heard_in(polled(saying(BLUE_ALONE, colours=(BLUE, GREEN))), 1.0)
        assert heard.batches == [Gauged("queue", "queue", BLUE, 2.0, since=0.0)]

    virtually(play())


@pytest.mark.parametrize(
    ("matter", "problem"),
    [
        (frozenset(), ""),
        (frozenset({BLUE}), ""),
        (frozenset({GREEN}), "queue of green cannot be told: no data: nothing (4 times in a row)"),
        (frozenset({BLUE, GREEN}), "queue of green cannot be told: no data: nothing (4 times in a row)"),
    ],
    ids=["nobody known", "the one that is heard", "the other one", "both"],
)
def test_a_colour_that_does_not_matter_now_is_no_problem(matter: frozenset[Any], problem: str) -> None:
    async def play() -> None:
        source = polled(saying(BLUE_ALONE, colours=(BLUE, GREEN)))
        source.attend(matter)
        await heard_in(source, 16.0)
        assert source.problem == problem
        if problem:
            with pytest.raises(SignalFailed) as caught:
                await source.check()
            assert caught.value.next == ("bluegreen config docs watch.prometheus",)
            assert caught.value.facts == {"source": "queue"}
        else:
            await source.check()

    virtually(play())


def test_a_colour_that_was_stopped_until_now_begins_without_the_failures_of_that_time() -> None:
    async def play() -> None:
        source = polled(saying(BLUE_ALONE, colours=(BLUE, GREEN)))
        source.attend(frozenset({BLUE}))
        async with running(source, Heard()):
            await asyncio.sleep(101.0)
            source.attend(frozenset({GREEN}))
            assert source.problem == ""
            source.attend(frozenset({BLUE, GREEN}))
            await asyncio.sleep(15.0)
            assert source.problem == "queue of green cannot be told: no data: nothing (3 times in a row)"

    virtually(play())


def test_a_source_of_which_no_colour_is_heard_has_a_problem_whoever_matters() -> None:
    async def play() -> None:
        source = polled(saying("Prometheus is gone", colours=(BLUE, GREEN)))
        await heard_in(source, 16.0)
        assert source.problem == "queue of blue cannot be told: Prometheus is gone (4 times in a row)"
        with pytest.raises(SignalFailed):
            await source.check()

    virtually(play())


def test_one_address_of_a_colour_is_enough_to_hear_it() -> None:
    async def play() -> None:
        answers = [Answer(BLUE, trouble="refused", place="a:1"), Answer(BLUE, 3.0, place="b:1")]
        source = polled(saying(answers, colours=(BLUE,)))
        source.attend(frozenset({BLUE}))
        assert len((await heard_in(source, 16.0)).batches) == 4
        assert source.problem == ""

    virtually(play())


def test_a_check_waits_for_the_question_that_is_under_way() -> None:
    async def play() -> None:
        at_once = 0
        most = 0

        async def slow(turn: int) -> Sequence[Answer]:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1.0)
            at_once -= 1
            return [Answer(None, 1.0)]

        source = polled(Script(slow))
        async with running(source, Heard()):
            await asyncio.sleep(0.1)
            await source.check()
        assert most == 1

    virtually(play())


def test_counters_count_what_was_added_since_the_last_look() -> None:
    async def play() -> None:
        turns = [[Answer(BLUE, bad, total)] for bad, total in ((5.0, 100.0), (5.0, 110.0), (8.0, 150.0))]
        heard = await heard_in(polled(saying(*turns, colours=(BLUE,))), 11.0)
        assert heard.batches == [
            Counted("queue", "queue", BLUE, 10, 0, since=0.0),
            Counted("queue", "queue", BLUE, 40, 3, since=5.0),
        ]

    virtually(play())


def test_what_was_added_during_a_restart_is_counted() -> None:
    async def play() -> None:
        first = polled(saying([Answer(BLUE, 1.0, 10.0)], colours=(BLUE,)))
        await heard_in(first, 1.0)
        kept = json.loads(json.dumps(first.position()))
        second = polled(saying([Answer(BLUE, 3.0, 40.0)], colours=(BLUE,)))
        assert second.resume(kept)
        assert [(batch.n, batch.bad) for batch in (await heard_in(second, 1.0)).batches] == [(30, 2)]  # type: ignore[union-attr]

    virtually(play())


@pytest.mark.parametrize("kept", [[], "x", {"blue": [1]}, {"blue": ["a", 2]}, {"blue": None}, 7])
def test_a_position_of_another_shape_is_not_gone_on_from(kept: object) -> None:
    async def play() -> None:
        assert not polled(saying("x")).resume(kept)

    virtually(play())


@pytest.mark.parametrize(
    ("looks", "counted"),
    [
        ([(0, 10), (1, 20), (1, 30)], [None, (10, 1), (10, 0)]),
        ([(5, 100), (1, 10), (2, 20)], [None, None, (10, 1)]),
        ([(5, 100), (1, 110), (2, 120)], [None, None, (10, 1)]),
        ([(0, 0), (3, 2), (3, 9)], [None, (2, 2), (7, 1)]),
        ([(0.0, 0.0), (0.6, 0.7), (1.2, 1.4), (1.8, 2.1)], [None, (0, 0), (1, 1), (1, 0)]),
        ([(0, 10), (0, 10)], [None, (0, 0)]),
    ],
    ids=["grow", "both were reset", "one was reset", "bad ones seen first", "fractions", "nothing happened"],
)
def test_counters_lose_nothing_and_count_nothing_twice(
    looks: list[tuple[float, float]], counted: list[tuple[int, int] | None]
) -> None:
    increases = Increases()
    assert [increases.count("", *look, 0.0) for look in looks] == counted


def test_a_counter_that_grows_beyond_all_measure_is_another_one() -> None:
    increases = Increases()
    assert increases.count("", 0.0, 1.0, 0.0) is None
    assert increases.count("", 0.0, 1e300, 1.0) is None
    assert increases.count("", 2.0, 5.0, 2.0) is None
    assert increases.count("", 3.0, 9.0, 3.0) == (4, 1)


def test_each_thing_that_counts_has_its_own_last_look() -> None:
    increases = Increases()
    assert increases.count("blue a", 0, 10, 1.0) is None
    assert increases.count("blue b", 0, 500, 1.0) is None
    assert increases.count("blue a", 1, 12, 2.0) == (2, 1)
    assert increases.since("blue b", 9.0) == 1.0
    assert increases.since("green", 9.0) == 9.0
