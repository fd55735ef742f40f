"""A number from a JSON document over HTTP: where it stands, whose it is, and what people read where there is none."""

import asyncio
import json
import threading
from typing import Any

import pytest

from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.http_json import Document, JsonQuestions
from bluegreen.adapters.signals.json_place import JsonPlace
from bluegreen.adapters.signals.questions import Answer
from bluegreen.domain.errors import ConfigurationError, SignalFailed
from tests.adapters.signals.heard import BLUE, GREEN
from tests.adapters.signals.servers import Asked, Server, serving

DOCUMENT = {
    "jobs": {"failed": 3, "done": 40.5, "a/b": 1, "m~n": 2, "": 9},
    "queues": [{"name": "mail", "depth": 7}, {"name": "push", "depth": "12"}],
    "healthy": True,
    "none": None,
    "huge": 10**400,
}


async def number(written: str) -> float:
    return await JsonPlace.written(written).number(DOCUMENT)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("/jobs/failed", 3.0),
        ("/jobs/done", 40.5),
        ("/jobs/a~1b", 1.0),
        ("/jobs/m~0n", 2.0),
        ("/jobs/", 9.0),
        ("/queues/0/depth", 7.0),
        ("/queues/1/depth", 12.0),
        ("/healthy", 1.0),
        ("$.jobs.failed", 3.0),
        ("$.queues[?@.name == 'push'].depth", 12.0),
        ("$..failed", 3.0),
    ],
)
async def test_a_number_is_found_by_pointer_and_by_path(written: str, value: float) -> None:
    assert await number(written) == value


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("/jobs/lost", "no data: there is nothing at /jobs/lost"),
        ("/queues/2/depth", "no data: there is nothing at /queues/2/depth"),
        ("/queues/-1", "no data: there is nothing at /queues/-1"),
        ("/jobs/failed/x", "no data: there is nothing at /jobs/failed/x"),
        ("/none", "no data: at /none stands null, and a number is needed"),
        ("/jobs", "no data: at /jobs stands an object, and a number is needed"),
        ("/queues", "no data: at /queues stands a list, and a number is needed"),
        ("/queues/0/name", "at /queues/0/name stands a text, and a number is needed"),
        ("/huge", "no data: the number at /huge is too large"),
        ("$.lost", "no data: nothing fits $.lost"),
        ("$..depth", "no data: several values fit $..depth, and one is needed; say which, as in [0]"),
    ],
)
async def test_what_is_no_number_is_told_in_words(written: str, words: str) -> None:
    with pytest.raises(SignalFailed) as caught:
        await number(written)
    assert caught.value.detail == words


@pytest.mark.parametrize("written", ["jobs", "$.a[", "$.a[?match(@.b, '(a+)+$')]", "$.a[?@.b =~ /x/]"])
def test_what_is_neither_pointer_nor_path_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError):
        JsonPlace.written(written)


async def test_a_document_that_is_nested_without_end_is_no_data() -> None:
    nested: Any = 1
    for _ in range(900):
        nested = [nested]
    for written in ("$..failed", "$[?@ == $]"):
        with pytest.raises(SignalFailed, match=r"cannot be looked up|nothing fits"):
            await JsonPlace.written(written).number(nested)


async def test_a_path_that_takes_long_has_one_thread_and_delays_nobody_else() -> None:
    document = {"a": [{"b": [{"c": n}]} for n in range(80)]}
    costly = JsonPlace.written("$..[?count($..*) < 0]")  # two seconds
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await costly.number(document)
        assert await JsonPlace.written("$.a[7].b[0].c").number(document) == 7.0
    assert sum(thread.name == f"looking up {costly.text}" for thread in threading.enumerate()) == 1


def questions(*documents: Document, total: str | None = None, timeout: float = 5.0) -> JsonQuestions:
    place = None if total is None else JsonPlace.written(total)
    return JsonQuestions(documents, JsonPlace.written("/jobs/failed"), Fetcher(timeout), place)


def answering(asked: Asked) -> tuple[int, bytes]:
    return 200, json.dumps(DOCUMENT).encode()


def host(server: Server) -> str:
    return server.url.removeprefix("http://")


async def test_every_document_is_asked_and_says_whose_it_is() -> None:
    with serving(answering) as blue, serving(answering) as green:
        asked = questions(
            Document(BLUE, f"{blue.url}/stats", "a:1"),
            Document(BLUE, f"{blue.url}/more", "a:2"),
            Document(GREEN, f"{green.url}/stats", "b:1"),
        )
        assert asked.colours == (BLUE, GREEN)
        assert await asked.ask() == [
            Answer(BLUE, 3.0, place="a:1"),
            Answer(BLUE, 3.0, place="a:2"),
            Answer(GREEN, 3.0, place="b:1"),
        ]
    assert {request.path for request in blue.asked} == {"/stats", "/more"}
    assert blue.asked[0].method == "GET"


async def test_the_total_stands_in_the_same_document() -> None:
    with serving(answering) as server:
        assert await questions(Document(None, server.url), total="/jobs/done").ask() == [Answer(None, 3.0, 40.5)]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"{}", "it answers 500"),
        (200, b"no", "its answer is not JSON"),
        (200, b"{}", "no data: there is nothing at /jobs/failed"),
        (200, b"[" * 100_000, "its answer is not JSON"),
        (200, b'{"jobs": {"failed": NaN}}', "its answer is not JSON"),
    ],
)
async def test_what_is_no_document_is_told_with_the_address(status: int, body: bytes, words: str) -> None:
    with serving(lambda _: (status, body)) as server:
        (answer,) = await questions(Document(None, server.url)).ask()
    assert answer.trouble == f"{host(server)}: {words}"


async def test_a_stopped_colour_is_only_its_own_trouble() -> None:
    with serving(lambda _: (200, b"")) as stopped:
        pass
    with serving(answering) as server:
        first, second = await questions(Document(BLUE, stopped.url), Document(GREEN, server.url)).ask()
    assert first.trouble == f"{host(stopped)}: cannot connect: Connection refused"
    assert second == Answer(GREEN, 3.0)


async def test_a_colour_that_hangs_delays_no_other() -> None:
    with serving(lambda _: hanging.hang()) as hanging, serving(answering) as server:
        first, second = await questions(Document(BLUE, hanging.url), Document(GREEN, server.url), timeout=0.3).ask()
    assert first.trouble == f"{host(hanging)}: no answer within 0.3 s"
    assert second == Answer(GREEN, 3.0)
