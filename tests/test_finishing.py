"""Work that is brought to its end, whoever is cancelled."""

import asyncio

import pytest

from bluegreen.domain.errors import MigrationFailed
from bluegreen.finishing import to_the_end


async def test_the_result_is_passed_on() -> None:
    async def work() -> int:
        return 7

    assert await to_the_end(work(), "work") == 7


async def test_an_error_is_raised_as_it_is_and_not_in_a_group() -> None:
    async def work() -> None:
        raise MigrationFailed("no")

    with pytest.raises(MigrationFailed, match="no"):
        await to_the_end(work(), "work")


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_twice_it_still_ends_and_then_says_that_it_was_cancelled(fails: bool) -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()
        if fails:
            raise MigrationFailed("too late")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(to_the_end(work(), "work"), name="caller")
        await begun.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert ended.is_set()
    assert isinstance(caught.value.__cause__, MigrationFailed) == fails
