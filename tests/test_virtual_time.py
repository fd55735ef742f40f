"""The virtual time of the tests: it jumps, in order, and says when nothing will ever happen."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from tests import virtual_time
from tests.virtual_time import EPOCH, Hanging, VirtualClock, VirtualTimeLoop

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def test_sleepers_wake_in_order_each_at_its_time() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, asyncio.get_running_loop().time()))

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for name, seconds in (("a year", 31_536_000.0), ("a moment", 0.001), ("an hour", 3600.0)):
                group.create_task(sleeper(name, seconds), name=name)

    run(all_of_them())
    assert [name for name, _ in woken] == ["a moment", "an hour", "a year"]
    assert [when for _, when in woken] == pytest.approx([0.001, 3600.0, 31_536_000.0])


def test_both_clocks_show_the_virtual_time() -> None:
    async def later() -> VirtualClock:
        await asyncio.sleep(90)
        clock = VirtualClock()
        assert clock.monotonic() == pytest.approx(90)
        assert clock.now() - EPOCH == timedelta(seconds=clock.monotonic())
        return clock

    run(later())


def test_a_timeout_comes_in_virtual_time() -> None:
    async def late() -> None:
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(late())


def test_what_a_thread_does_is_waited_for() -> None:
    assert run(asyncio.to_thread(lambda: "done")) == "done"


def test_tasks_that_wait_for_what_nobody_will_do_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "PATIENCE", 0.01)
    loop = VirtualTimeLoop()
    try:
        waiting = loop.create_task(asyncio.Event().wait(), name="waiting")
        with pytest.raises(Hanging):
            loop.run_until_complete(waiting)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(waiting)
    finally:
        loop.close()
