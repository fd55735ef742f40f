"""A wait ends for one of the reasons it names, and what it waited for is never left running."""

import asyncio

import pytest

from bluegreen.app.waiting import Left, Wait, delays, until, woken
from bluegreen.domain.errors import DatabaseUnreachable, StepFailed


async def work(seconds: float, ended: list[str] | None = None, error: Exception | None = None) -> str:
    try:
        await asyncio.sleep(seconds)
    finally:
        if ended is not None:
            ended.append("ended")
    if error:
        raise error
    return "result"


async def test_work_that_ends_gives_its_result() -> None:
    assert await until(work(5), name="w", stop=asyncio.Event(), seconds=10) == Wait(Left.ENDED, "result")


async def test_work_that_takes_too_long_is_cancelled_and_awaited() -> None:
    ended: list[str] = []
    assert await until(work(50, ended), name="w", stop=asyncio.Event(), seconds=10) == Wait(Left.LATE)
    assert ended == ["ended"]


async def test_work_is_cancelled_and_awaited_when_somebody_stops_it() -> None:
    ended: list[str] = []
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(3, stop.set)
    began = asyncio.get_running_loop().time()
    assert await until(work(50, ended), name="w", stop=stop) == Wait(Left.STOPPED)
    assert asyncio.get_running_loop().time() - began == pytest.approx(3)
    assert ended == ["ended"]


async def test_work_that_ended_counts_as_ended_whatever_came_at_the_same_time() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(3, stop.set)
    assert await until(work(3), name="w", stop=stop) == Wait(Left.ENDED, "result")


async def test_work_that_brings_itself_to_its_end_when_stopped_gives_its_result() -> None:
    async def finishes_first() -> str:
        try:
            await asyncio.sleep(50)
        except asyncio.CancelledError:
            await asyncio.sleep(2)
        return "finished"

    assert await until(finishes_first(), name="w", stop=asyncio.Event(), seconds=1) == Wait(Left.ENDED, "finished")


async def test_an_error_of_the_domain_is_raised_as_it_is_also_out_of_task_groups() -> None:
    async def in_groups() -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(work(1, error=DatabaseUnreachable("gone")), name="one")
            outer.create_task(work(50), name="other")

    with pytest.raises(DatabaseUnreachable, match="gone"):
        await until(in_groups(), name="w", stop=asyncio.Event())


async def test_any_other_error_is_not_hidden_behind_one_of_the_domain() -> None:
    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(1, error=StepFailed("no")), name="one")
            group.create_task(work(1, error=ZeroDivisionError()), name="other")

    with pytest.raises(ExceptionGroup) as failures:
        await until(both(), name="w", stop=asyncio.Event())
    assert failures.group_contains(ZeroDivisionError)


async def test_a_caller_that_is_cancelled_is_cancelled_whatever_the_work_says_to_it() -> None:
    """Guards: the error of the work took the place of the cancellation, and the daemon went on instead of ending."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(50)
        finally:
            raise StepFailed("interrupted")

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(until(fails_when_cancelled(), name="w", stop=asyncio.Event()), name="waiting")
        await asyncio.sleep(1)
        waiting.cancel()
    assert waiting.cancelled()


async def test_an_event_wakes_and_time_does_too() -> None:
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    began = loop.time()
    await woken(event, 5)
    assert loop.time() - began == pytest.approx(5)
    loop.call_later(1, event.set)
    await woken(event, 5)
    assert loop.time() - began == pytest.approx(6)


def test_delays_double_up_to_five_seconds_without_end() -> None:
    some = [delay for delay, _ in zip(delays(), range(8), strict=False)]
    assert some == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
