"""What is particular to a front door over HTTP: how it asks, what it waits for, what it leaves behind."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest

from bluegreen import __version__
from bluegreen.adapters.front_doors.http import LONGEST_ANSWER, LONGEST_BODY, PROBE_HEADER, HttpFrontDoor
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.front_doors.doors import CaddyWorld, answer_from

BLUE, GREEN = Colour.BLUE, Colour.GREEN
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Reply = Callable[[HttpFrontDoor, bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def world(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[CaddyWorld]:
    async with CaddyWorld(caddy, short_directory).running() as running:
        yield running


# --- on a real Caddy


@pytest.mark.real
async def test_it_asks_for_the_probe_path_of_the_site_with_a_new_nonce_each_time(world: CaddyWorld) -> None:
    await world.door.ask("hera")
    await world.door.ask("hera")
    first, second = world.upstreams[BLUE].asked
    assert (first.method, first.path_qs, first.host) == ("GET", "/healthz?deep=1", "hera.example.org")
    assert first.headers["User-Agent"] == f"bluegreen/{__version__}"
    assert len(first.headers[PROBE_HEADER]) == 32
    assert first.headers[PROBE_HEADER] != second.headers[PROBE_HEADER]


@pytest.mark.real
async def test_a_dead_colour_is_named_in_caddys_own_502(world: CaddyWorld) -> None:
    await world.upstreams[GREEN].stop()
    await world.serve_from(GREEN)
    answer = await answer_from(GREEN, world.door)
    assert (answer.status, answer.served, answer.error) == (502, False, "")


@pytest.mark.real
async def test_a_colour_that_hangs_is_known_by_what_caddy_logs_when_we_give_up(world: CaddyWorld) -> None:
    await world.answer(BLUE, None)
    async with world.door_with(timeout=1.0) as door:
        answer = await door.ask("hera")
    assert (answer.colour, answer.status, answer.served) == (BLUE, None, False)
    assert answer.error == "no answer within 1 s (the access log says 499)"


@pytest.mark.real
async def test_of_a_long_answer_only_the_beginning_is_kept_and_its_colour_is_known(world: CaddyWorld) -> None:
    world.upstreams[BLUE].body = b"x" * (LONGEST_ANSWER - 1_000)  # more than sockets hold
    answer = await world.door.ask("hera")
    assert (answer.status, answer.colour, len(answer.body)) == (200, BLUE, LONGEST_BODY)


@pytest.mark.real
async def test_https_is_asked_for_the_sites_name_without_checking_it_on_this_host(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    async with CaddyWorld(caddy, short_directory, tls=True).running() as world:
        async with asyncio.timeout(20.0):
            while (answer := await world.door.ask("hera")).status is None:
                await asyncio.sleep(0.05)  # Caddy is still making its certificate
        assert (answer.colour, answer.status, answer.body) == (BLUE, 200, b"blue")
        async with world.door_with(verify=True) as strict:
            refused = await strict.ask("hera")
        assert (refused.status, refused.colour) == (None, None)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.error


# --- on a server that does as it is told


async def test_every_request_has_a_connection_of_its_own() -> None:
    heads: list[bytes] = []

    async def keep_alive(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)
        await asyncio.sleep(0.1)

    async with told(keep_alive, witness_timeout=0.1) as door:
        for _ in range(3):
            assert (await door.ask("hera")).body == b"ok"
    assert len(heads) == 3
    assert all(b"\r\nConnection: close\r\n" in head for head in heads)


async def test_without_a_site_the_host_is_the_front_doors_own() -> None:
    heads: list[bytes] = []

    async def note(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with told(note, witness_timeout=0.1) as door:
        await door.ask("hera")
    assert re.search(rb"\r\nHost: 127\.0\.0\.1:\d+\r\n", heads[0])


async def test_a_line_that_comes_before_the_answer_counts() -> None:
    async def early(door: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        door.witnessed(nonce_in(head), GREEN, 200)
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with told(early) as door:
        assert (await door.ask("hera")).colour is GREEN


async def test_a_line_that_comes_after_the_answer_is_waited_for_and_only_the_first_counts() -> None:
    async def late(door: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(0.05)
        door.witnessed(nonce_in(head), GREEN, 200)
        door.witnessed(nonce_in(head), BLUE, 200)
        told_twice.append(True)

    told_twice: list[bool] = []
    async with told(late) as door:
        assert (await door.ask("hera")).colour is GREEN
    assert told_twice


async def test_lines_that_nobody_waits_for_are_ignored() -> None:
    async def other(door: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        door.witnessed("somebody-elses", GREEN, 200)
        writer.write(OK)

    async with told(other, witness_timeout=0.1) as door:
        assert (await door.ask("hera")).colour is None
        door.witnessed("too-late", GREEN, 200)


async def test_questions_at_the_same_time_do_not_get_each_others_colour() -> None:
    async def by_turns(door: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        colour = GREEN if int(nonce_in(head), 16) % 2 else BLUE
        writer.write(OK.replace(b"2\r\n\r\nok", f"{len(colour)}\r\n\r\n{colour}".encode()))
        await asyncio.sleep(0.05)
        door.witnessed(nonce_in(head), colour, 200)

    async with told(by_turns) as door:
        answers = await asyncio.gather(*(door.ask("hera") for _ in range(20)))
        assert [answer.body.decode() for answer in answers] == [answer.colour for answer in answers]
        assert door.waiting == 0


async def test_an_answer_without_end_is_broken_off() -> None:
    async def pour(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        broken_off.set()

    broken_off = asyncio.Event()
    async with told(pour, timeout=60.0, witness_timeout=0.1) as door:
        answer = await door.ask("hera")
        assert (answer.status, len(answer.body), answer.error) == (200, LONGEST_BODY, "")
        await broken_off.wait()


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    heads: list[bytes] = []

    async def redirect(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    async with told(redirect, witness_timeout=0.1) as door:
        assert (await door.ask("hera")).status == 302
    assert len(heads) == 1


async def test_a_request_that_was_lost_is_not_sent_again_behind_our_back() -> None:
    heads: list[bytes] = []

    async def lose(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)

    async with told(lose, witness_timeout=0.1) as door:
        assert (await door.ask("hera")).status is None
    assert len(heads) == 1


async def nothing(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
    assert head


async def half_an_answer(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])


async def nonsense(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def a_body_without_end(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK.replace(b"Content-Length: 2", b"Content-Length: 9"))
    await asyncio.sleep(3.0)


@pytest.mark.parametrize("reply", [nothing, half_an_answer, nonsense, a_body_without_end])
async def test_what_is_no_whole_answer_is_none(reply: Reply) -> None:
    async with told(reply, timeout=1.0, witness_timeout=0.1) as door:
        answer = await door.ask("hera")
        assert (answer.colour, answer.status, answer.body, answer.served) == (None, None, b"", False)
        assert answer.error.startswith("no answer")
        assert door.waiting == 0


async def test_cancelling_passes_through_and_leaves_nothing_waiting() -> None:
    async def hang(_: HttpFrontDoor, head: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.sleep(1.0)

    asked = asyncio.Event()
    async with told(hang) as door, asyncio.TaskGroup() as group:
        asking = group.create_task(door.ask("hera"), name="ask")
        await asked.wait()
        assert door.waiting == 1
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert door.waiting == 0


@asynccontextmanager
async def told(reply: Reply, *, timeout: float = 10.0, witness_timeout: float = 5.0) -> AsyncIterator[HttpFrontDoor]:
    """A front door of a server that replies so, one request per connection, and closes it then."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(task := cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            await reply(door, await reader.readuntil(b"\r\n\r\n"), writer)
        finally:
            writer.close()
            serving.discard(task)

    serving: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    hera = Service("hera", {BLUE: ("127.0.0.1:1",), GREEN: ("127.0.0.1:2",)})
    door = HttpFrontDoor(base, [hera], timeout=timeout, witness_timeout=witness_timeout)
    async with server, door:
        yield door
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def nonce_in(head: bytes) -> str:
    found = re.search(rf"\r\n{PROBE_HEADER}: (\w+)\r\n".encode(), head)
    assert found
    return found[1].decode()
