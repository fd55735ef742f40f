"""The reader on the log of a real Caddy: the facts it rests on, and Caddy's own rotation."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.access_clients import Clients
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Service
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.adapters.waiting import LONG, until

pytestmark = pytest.mark.real

LATE = 0.3
"""Seconds that a late answer takes."""

SITE = """
:{door} {{
    bind 127.0.0.1
    log {{
        output file {log} {{
            mode 0640
            roll_size 1MiB
            roll_keep 100
            {rolling}
        }}
    }}
    log_append upstream {{http.reverse_proxy.upstream.hostport}}
    handle_path /blue/* {{
        reverse_proxy 127.0.0.1:{blue}
    }}
    handle_path /green/* {{
        reverse_proxy 127.0.0.1:{green}
    }}
    handle {{
        respond 404
    }}
}}
"""


class Site:
    """A real Caddy before a blue that answers and a green that is dead."""

    def __init__(self, caddy: EmbeddedCaddy, directory: Path) -> None:
        self.caddy, self.directory = caddy, directory
        self.log = directory / "access.log"
        self.door, self.blue, self.green = free_ports(3)
        dials = {BLUE: (f"127.0.0.1:{self.blue}",), GREEN: (f"127.0.0.1:{self.green}",)}
        self.services = {"web": Service("web", dials)}

    async def start(self, rolling: str = "", options: str = "") -> None:
        caddyfile = self.directory / "Caddyfile"
        site = SITE.format(door=self.door, log=self.log, blue=self.blue, green=self.green, rolling=rolling)
        caddyfile.write_text(f"{{\n persist_config off\n{options}}}\n" + site)
        await self.caddy.start(caddyfile)

    def reader(self, heard: Heard) -> CaddyLog:
        return CaddyLog(self.log, self.services, on_witness=heard.witness, clock=SystemClock())

    async def ask(self, path: str, **headers: str) -> int | None:
        """The status of one answer; None where it was broken off."""
        url = f"http://127.0.0.1:{self.door}{path}"
        timeout = aiohttp.ClientTimeout(total=LONG)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            try:
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
                    return answer.status
            except aiohttp.ClientError:
                return None


async def answer(request: web.Request) -> web.StreamResponse:
    """Blue: answers with the status in the path, late, streams, or breaks off."""
    asked = request.match_info["asked"]
    if asked == "late":
        await asyncio.sleep(LATE)
        return web.Response()
    if asked in ("stream", "break"):
        kind = "text/event-stream" if asked == "stream" else "text/plain"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        if asked == "stream":
            await asyncio.sleep(LATE)
        if asked == "break" and request.transport is not None:
            request.transport.abort()
        return response
    return web.Response(status=int(asked))


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[None]:
    application = web.Application()
    application.router.add_get("/{asked}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def site(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[Site]:
    site = Site(caddy, short_directory)
    async with listening(site.blue):
        yield site


async def test_caddys_lines_say_who_answered_what(site: Site) -> None:
    await site.start()
    log = site.reader(heard := Heard())
    async with running(log, heard):
        for status in (200, 204, 401, 403, 404, 500, 503):
            assert await site.ask(f"/blue/{status}") == status
        assert await site.ask("/blue/stream") == 200
        for _ in range(3):
            assert await site.ask("/green/200") == 502
        await until(lambda: heard.n["5xx", BLUE] == 8 and heard.n["5xx", GREEN] == 3)
    assert heard.bad == {("5xx", BLUE): 2, ("auth", BLUE): 2, ("5xx", GREEN): 3, ("auth", GREEN): 0}
    assert len(heard.durations[BLUE, "web"]) == 7, "the stream is no slow answer"
    assert (log.seen.undecodable, log.seen.unattributed) == (0, 0)


async def test_caddys_lines_say_who_asked_for_what(site: Site) -> None:
    await site.start()
    async with running(site.reader(heard := Heard()), heard):
        await site.ask("/blue/503?token=secret", **{"X-Forwarded-For": "203.0.113.7"})
        await until(lambda: heard.n["5xx", BLUE])
    (counted,) = [each for each in heard.batches if isinstance(each, Counted) and each.signal == "5xx"]
    assert counted.parts[0].route == "GET /blue/:id", "what the client asked for, though the site strips /blue"
    assert counted.parts[0].line.endswith(f"GET /blue/:id 503 in {_took(counted)} by 127.0.0.1:{site.blue}")
    assert counted.who is not None
    assert counted.who.failed == (Clients().number("127.0.0.1"),), "nobody vouches for what a client says of itself"


def _took(counted: Counted) -> str:
    return str(re.findall(r"in (\d+ ms) by", counted.parts[0].line)[0])


async def test_a_proxy_before_caddy_vouches_for_its_clients_where_it_is_trusted(site: Site) -> None:
    await site.start(options=" servers {\n  trusted_proxies static 127.0.0.1/8\n }\n")
    async with running(site.reader(heard := Heard()), heard):
        await site.ask("/blue/503", **{"X-Forwarded-For": "203.0.113.7"})
        await until(lambda: heard.n["5xx", BLUE])
    (counted,) = [each for each in heard.batches if isinstance(each, Counted) and each.signal == "5xx"]
    assert counted.who is not None
    assert counted.who.failed == (Clients().number("203.0.113.7"),)


@pytest.mark.parametrize("path", ["/blue/late", "/blue/stream"])
async def test_caddys_time_of_a_line_is_when_the_answer_was_complete(site: Site, path: str) -> None:
    """Were it when the request came, each slow answer and each stream would look like a log that lags."""
    await site.start()
    async with running(log := site.reader(heard := Heard()), heard):
        began = time.time()
        assert await site.ask(path) == 200
        await until(lambda: log.seen.taken)
    (line,) = [json.loads(text) for text in site.log.read_bytes().splitlines()]
    assert line["duration"] >= LATE
    assert line["ts"] - began >= LATE


async def test_caddys_line_of_our_own_request_is_the_witnesss(site: Site) -> None:
    await site.start()
    async with running(site.reader(heard := Heard()), heard):
        await site.ask("/blue/200", **{"X-Bluegreen-Probe": "n1"})
        await site.ask("/green/200", **{"x-bluegreen-probe": "n2"})
        await until(lambda: len(heard.witnessed) == 2)
    assert heard.witnessed == [("n1", BLUE, 200), ("n2", GREEN, 502)]
    assert heard.batches == []


async def test_a_client_that_gave_up_counts_for_nothing(site: Site) -> None:
    await site.start()
    hanging = await asyncio.start_server(_read_and_say_nothing, "127.0.0.1", site.green)
    async with hanging, running(log := site.reader(heard := Heard()), heard):
        timeout = aiohttp.ClientTimeout(total=0.3)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"http://127.0.0.1:{site.door}/green/200")
        await until(lambda: log.seen.taken)
        assert b'"status":499' in site.log.read_bytes()
    assert (heard.batches, log.seen.unattributed) == ([], 0)


async def _read_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_an_answer_that_caddy_breaks_off_names_no_upstream(site: Site) -> None:
    """A fact of 2.11.7 that hides a colour which dies in the middle of its answers; if it changes, count them."""
    await site.start()
    log = site.reader(heard := Heard())
    async with running(log, heard):
        assert await site.ask("/blue/break") is None
        await until(lambda: log.seen.taken)
    assert (heard.batches, log.seen.unattributed) == ([], 1)


@pytest.mark.parametrize("rolling", ["", "roll_uncompressed"], ids=["compressed and removed", "renamed"])
async def test_caddys_own_rotation_loses_no_line(site: Site, rolling: str) -> None:
    await site.start(rolling)
    log = site.reader(heard := Heard())
    agent = {"User-Agent": "x" * 7000}
    async with running(log, heard):
        for _ in range(8):
            assert {await site.ask("/blue/200", **agent) for _ in range(60)} == {200}
        await until(lambda: heard.n["5xx", BLUE] == 480)
    rotated = [path.name for path in site.directory.glob("access-*.log*")]
    assert len(rotated) >= 2, rotated
    assert log.position()["inode"] == site.log.stat().st_ino
    assert (log.lost.dropped, log.lost.rewritten, log.seen.undecodable) == (0, 0, 0)


READER = """
import asyncio, sys
from pathlib import Path
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.domain.traffic import Colour, Service
services = {"web": Service("web", {Colour.BLUE: (sys.argv[2],)})}
log = CaddyLog(Path(sys.argv[1]), services, on_witness=lambda *_: None, clock=SystemClock())
def report(batch):
    print(getattr(batch, "n", 0) if getattr(batch, "signal", "") == "5xx" else 0, flush=True)
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run(report), name="log")
        while log.position() is None:
            await asyncio.sleep(0.01)
        print("reading", flush=True)
asyncio.run(main())
"""


async def test_a_reader_that_is_stopped_does_not_stop_caddy(site: Site) -> None:
    await site.start()
    assert await site.ask("/blue/200") == 200  # the log exists
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, str(site.log), f"127.0.0.1:{site.blue}", stdout=asyncio.subprocess.PIPE
    )
    assert reader.stdout is not None
    try:
        async with asyncio.timeout(LONG):
            assert await reader.stdout.readline() == b"reading\n"
            os.kill(reader.pid, signal.SIGSTOP)
            for _ in range(300):
                assert await site.ask("/blue/200") == 200
            os.kill(reader.pid, signal.SIGCONT)
            seen = 0
            while seen < 300:
                seen += int(await reader.stdout.readline())
        assert seen == 300
    finally:
        reader.kill()
        await reader.wait()
