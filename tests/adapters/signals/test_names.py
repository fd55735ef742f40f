"""Looking names up: one thread for a name, however often it is asked for, and nobody is kept waiting by it."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.names import Names
from bluegreen.domain.errors import SignalFailed
from tests.adapters.signals.servers import serving, vector
from tests.adapters.waiting import until

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


class Blocking:
    """A resolver that answers when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = threading.Event()

    def __call__(self, host: str, port: int) -> list[Any]:
        self.asked.append(host)
        self.allowed.wait(30)
        return FOUND


async def test_a_slow_server_of_names_has_one_thread_for_a_name_and_costs_each_question_its_budget() -> None:
    lookup = Blocking()
    fetcher = Fetcher(0.1, names=Names(lookup))
    for _ in range(5):
        with pytest.raises(SignalFailed, match=r"prometheus.test:9090: no answer within 0.1 s"):
            await fetcher.get("http://prometheus.test:9090/")
    assert lookup.asked == ["prometheus.test"]
    assert sum(thread.name == "lookup of prometheus.test" for thread in threading.enumerate()) == 1
    lookup.allowed.set()
    await until(lambda: all(thread.name != "lookup of prometheus.test" for thread in threading.enumerate()))


async def test_a_name_that_is_known_again_is_used() -> None:
    names = Names(lambda host, port: FOUND)
    with serving(lambda _: (200, vector("1"))) as server:
        page = await Fetcher(5.0, names=names).get(f"http://some.test:{server.url.rpartition(':')[2]}/")
    assert page.status == 200
    assert server.asked[0].headers["host"].startswith("some.test:")


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")], ids=["unknown", "long"]
)
async def test_a_name_that_is_unknown_is_told(error: Exception) -> None:
    def fail(host: str, port: int) -> list[Any]:
        raise error

    with pytest.raises(SignalFailed, match=r"Name or service not known|label too long"):
        await Fetcher(5.0, names=Names(fail)).get("http://nowhere.test/")


async def test_a_lookup_outlives_who_asked_and_serves_the_next_one() -> None:
    lookup = Blocking()
    names = Names(lookup)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await names.known("a.test", 1)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(names.known("a.test", 1), name="waiting")
        await asyncio.sleep(0)
        lookup.allowed.set()
    assert waiting.result() == FOUND
    assert lookup.asked == ["a.test"]


def test_a_lookup_that_hangs_does_not_keep_the_program() -> None:
    lookup = Blocking()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await Names(lookup).known("b.test", 1)

    asyncio.run(ask())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "lookup of b.test"]
    assert thread.daemon
    lookup.allowed.set()
    thread.join(10)
