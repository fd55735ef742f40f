"""The load is due when it is due, every request leaves one record, and a lost one is not sent again."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bluegreen.demo import colour
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.load import Load, User
from bluegreen.demo.ports import free_ports
from bluegreen.demo.records import Record, Tally, by_colour, read, sessions_lost
from bluegreen.demo.stack import SERVICES, Stack
from bluegreen.processes import environment, run_command

HOSTS = {service: f"{service}.test" for service in SERVICES}


@pytest.fixture
async def front(sample: Path, caddy: EmbeddedCaddy) -> str:
    """Caddy in front of blue, which runs 1.0.0."""
    (port,) = free_ports(1)
    stack = Stack.load(sample)
    sites = [
        f"http://{HOSTS[service]}:{port} {{\n\tbind 127.0.0.1\n\treverse_proxy {stack.address('blue', service)}\n}}\n"
        for service in SERVICES
    ]
    caddyfile = sample / "Caddyfile"
    caddyfile.write_text("".join(sites))
    await colour.up(sample, "blue", "1.0.0")
    await caddy.start(caddyfile)
    return f"http://127.0.0.1:{port}"


@pytest.mark.real
async def test_users_log_in_once_keep_their_session_and_all_their_requests_succeed(front: str) -> None:
    seen: list[Record] = []
    load = Load(front, HOSTS, rate=100, users=5, requests=60, sink=seen.append)
    await load.run()
    assert Tally.of(load.records) == Tally(60)
    assert seen == load.records
    assert sorted(record.number for record in load.records) == list(range(60))
    logins = [record for record in load.records if record.path == "/login"]
    assert {record.user for record in logins} == {f"user-{number}" for number in range(5)}
    assert {record.session_works for record in load.records} == {None, True}
    assert by_colour(load.records) == {"blue": Tally(60)}
    assert {record.version for record in load.records} == {"1.0.0"}
    assert {record.service for record in load.records} == set(SERVICES)


@pytest.mark.real
async def test_a_broken_release_shows_and_sessions_survive_it(sample: Path, front: str) -> None:
    load = Load(front, HOSTS, rate=100, users=4, requests=4000)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(), name="load")
        await _until(load, lambda record: record.session_works is True)
        await colour.up(sample, "blue", "1.0.0", fault="login:1.0")
        await _until(load, lambda _: sessions_lost(load.records) != [])
        await colour.up(sample, "blue", "1.0.0")
        await _until(load, lambda _: sessions_lost(load.records) == [])
        load.stop()
    tally = Tally.of(load.records)
    assert tally.refused > 0
    assert tally.failed > 0  # blue was down while it was replaced
    assert None in by_colour(load.records)  # and Caddy itself said so


async def _until(load: Load, met: Callable[[Record], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not any(met(record) for record in list(load.records)):
            await asyncio.sleep(0.02)


@pytest.mark.real
async def test_as_a_process_it_writes_one_line_a_request_and_ends_early_when_told(front: str, tmp_path: Path) -> None:
    output = tmp_path / "records.jsonl"
    argv = [sys.executable, "-m", "bluegreen.demo.load", "--front", front, "--output", str(output)]
    for service, host in HOSTS.items():
        argv += ["--host", f"{service}={host}"]
    ran = await run_command([*argv, "--rate", "50", "--seconds", "1"], timeout=60.0, env=environment())
    assert ran.code == 0, ran.output
    assert Tally.of(read(output)) == Tally(50)
    output.write_bytes(b"")
    endless = await asyncio.create_subprocess_exec(*argv, "--seconds", "3000")
    async with asyncio.timeout(60.0):
        while not output.read_bytes():
            await asyncio.sleep(0.05)
        endless.terminate()
        assert await endless.wait() == 0
    assert 0 < len(read(output)) < 150_000


@pytest.mark.real
async def test_a_command_line_without_a_services_host_is_refused() -> None:
    argv = [sys.executable, "-m", "bluegreen.demo.load", "--front", "http://127.0.0.1:1", "--host", "shop=s.test"]
    ran = await run_command(argv, timeout=60.0, env=environment())
    assert ran.code == 2
    assert "say --host SERVICE=HOST for accounts" in ran.output


class Server:
    """Answers with what it is told, one request at a time, and counts."""

    def __init__(self) -> None:
        self.requests = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.dropping = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (await reader.readuntil(b"\r\n\r\n")).split(b" ")[0]:
                self.requests += 1
                await self.hold.wait()
                if self.dropping:
                    break
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass  # the client has gone
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    one, (port,) = Server(), free_ports(1)
    listening = await asyncio.start_server(one.serve, "127.0.0.1", port)
    async with listening:
        yield one, f"http://127.0.0.1:{port}"
        one.hold.set()


async def test_a_request_whose_connection_is_lost_fails_and_is_not_sent_a_second_time(
    server: tuple[Server, str],
) -> None:
    one, front = server
    load = Load(front, HOSTS, rate=50, users=1, requests=2)
    one.dropping = True
    await load.run()
    assert one.requests == 2
    assert [record.status for record in load.records] == [None, None]
    assert all("ServerDisconnectedError" in (record.error or "") for record in load.records)


async def test_a_get_on_a_kept_connection_that_is_lost_is_not_sent_a_second_time(
    server: tuple[Server, str],
) -> None:
    one, front = server
    load = Load(front, HOSTS, rate=50, users=1, requests=1)
    async with load.http() as http:
        user = User("user-0", http, session="known")
        assert (await load.ask(user, "shop", "GET", "/")).status == 503
        one.dropping = True
        assert (await load.ask(user, "shop", "GET", "/")).status is None
    assert one.requests == 2


async def test_requests_stay_due_while_the_server_does_not_answer_and_latency_counts_from_then(
    server: tuple[Server, str],
) -> None:
    one, front = server
    one.hold.clear()
    load = Load(front, HOSTS, rate=100, users=2, requests=20, timeout=30.0)
    began = time.time()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(), name="load")
        async with asyncio.timeout(30.0):
            while one.requests < 20:
                await asyncio.sleep(0.01)
        assert load.records == []
        one.hold.set()
        released = time.time()
    ordered = sorted(load.records, key=lambda record: record.number)
    dues = [record.due - ordered[0].due for record in ordered]
    assert dues == pytest.approx([number / 100 for number in range(20)], abs=0.001)
    assert began <= ordered[0].due <= released
    assert all(record.latency >= released - record.due - 0.01 for record in ordered)


async def test_the_time_a_request_waited_before_it_was_sent_is_part_of_its_latency(
    server: tuple[Server, str],
) -> None:
    _, front = server
    load = Load(front, HOSTS, rate=1, users=1, requests=1)
    async with load.http() as http:
        five_seconds_ago = asyncio.get_running_loop().time() - 5.0
        await load.request(0, User("user-0", http), five_seconds_ago, wall=0.0)
    (record,) = load.records
    assert record.latency > 5.0
    assert record.start - record.due > 4.9


async def test_what_is_due_while_too_many_are_in_flight_is_recorded_as_not_sent(
    server: tuple[Server, str],
) -> None:
    one, front = server
    one.hold.clear()
    load = Load(front, HOSTS, rate=1000, users=1, requests=10, timeout=0.5, in_flight=4)
    await load.run()
    assert one.requests == 4
    errors = [record.error or "" for record in load.records]
    assert sum("not sent: 4 requests are in flight" in error for error in errors) == 6
    assert sum("Timeout" in error for error in errors) == 4


async def test_a_front_door_that_nobody_opens_is_an_error_per_request() -> None:
    (port,) = free_ports(1)
    load = Load(f"http://127.0.0.1:{port}", HOSTS, rate=100, users=2, requests=6)
    await load.run()
    assert Tally.of(load.records) == Tally(6, failed=6)
    assert all(record.colour is None and record.session_works is None for record in load.records)
