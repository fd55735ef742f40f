"""Server-sent events: replay, live events, clients that go and clients that do not read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from bluegreen.domain.errors import JournalUnreadable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.interfaces.budgets import Budgets
from tests.interfaces.conftest import serving, session
from tests.interfaces.scripts import BEGAN, ScriptedService, a_deployment


async def become(true: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own timeout bounds it."""
    while not true():
        await asyncio.sleep(0.01)


async def read_ids(answer: aiohttp.ClientResponse, count: int) -> list[int]:
    found: list[int] = []
    async for line in answer.content:
        if line.startswith(b"id:"):
            found.append(int(line[3:]))
            if len(found) == count:
                break
    return found


async def tell(service: ScriptedService, count: int, size: int = 10) -> None:
    for _ in range(count):
        await service.tell(Event("thing.happened", BEGAN, "d-1", Phase.STARTING, {"output": "x" * size}))


async def test_a_stream_replays_what_is_stored_and_goes_on_live(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    service.play(a_deployment())
    await tell(service, 2)
    async with http.get("/v1/deployments/d-1/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert await read_ids(answer, 3) == [1, 2, 3]
        await tell(service, 1)
        assert await read_ids(answer, 1) == [4]


@pytest.mark.parametrize(("headers", "query"), [({"Last-Event-ID": "2"}, "?after=0"), ({}, "?after=2")])
async def test_a_stream_goes_on_where_the_client_left_off(
    http: aiohttp.ClientSession, service: ScriptedService, headers: dict[str, str], query: str
) -> None:
    service.play(a_deployment())
    await tell(service, 3)
    async with http.get(f"/v1/events{query}", headers=headers) as answer:
        assert await read_ids(answer, 2) == [3, 4]


@pytest.mark.parametrize(("query", "ids"), [("", [5]), ("?after=0", [1, 2, 3, 4, 5])])
async def test_all_events_come_from_now_on_and_from_the_oldest_only_where_that_is_asked_for(
    http: aiohttp.ClientSession, service: ScriptedService, query: str, ids: list[int]
) -> None:
    service.play(a_deployment())
    await tell(service, 3)
    async with http.get(f"/v1/events{query}") as answer:
        await become(lambda: service.followers == 1)
        await tell(service, 1)
        assert await read_ids(answer, len(ids)) == ids


async def test_a_stream_shows_signs_of_life(service: ScriptedService, socket_path: Path) -> None:
    async with (
        serving(service, socket_path, budgets=Budgets(heartbeat=0.05)),
        session(socket_path) as client,
        client.get("/v1/events") as answer,
    ):
        assert b": ping" in await answer.content.readline()


async def test_a_client_that_goes_is_noticed_while_nothing_happens(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path, budgets=Budgets(heartbeat=0.05)), session(socket_path) as client:
        async with client.get("/v1/events"):
            await become(lambda: service.followers == 1)
        await become(lambda: service.followers == 0)


async def test_a_client_that_never_reads_is_cut_off_and_others_are_served(
    service: ScriptedService, socket_path: Path
) -> None:
    service.play(a_deployment())
    async with serving(service, socket_path, budgets=Budgets(send=0.3)):
        _, writer = await asyncio.open_unix_connection(str(socket_path), limit=1024)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await become(lambda: service.followers == 1)
        await tell(service, 100, size=20_000)
        async with session(socket_path) as client, client.get("/v1/events?after=90") as answer:
            assert await read_ids(answer, 11) == list(range(91, 102))
            await become(lambda: service.followers == 1)
        writer.close()


async def test_streams_end_when_the_daemon_stops(service: ScriptedService, socket_path: Path) -> None:
    async with session(socket_path) as client:
        async with serving(service, socket_path):
            answer = await client.get("/v1/events")
            await become(lambda: service.followers == 1)
        assert await answer.content.read() == b""
    assert service.followers == 0


async def test_a_journal_that_cannot_be_read_ends_the_stream_and_nothing_else(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    async def broken(after: int, deployment: str = "") -> AsyncIterator[Event]:
        yield Event("one", BEGAN, seq=1)
        raise JournalUnreadable

    service.follow = broken  # type: ignore[method-assign]
    async with http.get("/v1/events") as answer:
        told = await answer.text()
    assert told.startswith("id: 1")
    assert "HTTP/1.1" not in told
    async with http.get("/v1/status") as answer:
        assert answer.status == 200


async def test_a_stream_of_an_unknown_deployment_is_not_found(http: aiohttp.ClientSession) -> None:
    async with http.get("/v1/deployments/d-9/events") as answer:
        assert answer.status == 404
