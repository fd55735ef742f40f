"""The reader on the log of a real Traefik: the facts it rests on."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.access_sample import sample
from bluegreen.adapters.signals.traefik_log import ASKED, TraefikLog, decoder
from bluegreen.demo.ports import free_ports
from bluegreen.demo.traefik import EmbeddedTraefik
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.traffic import Service
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.adapters.waiting import LONG, until

LATE = 0.3
"""Seconds that a late answer takes."""

HOST = "web.test"
LINE = {
    "ClientHost": "203.0.113.7",
    "DownstreamStatus": 200,
    "Duration": 2_260_879,
    "RequestHost": HOST,
    "RequestMethod": "POST",
    "RequestPath": "/orders?id=1",
    "ServiceAddr": "127.0.0.1:1001",
    "StartUTC": "2026-11-21T23:52:05.338789276Z",
    "request_X-Bluegreen-Probe": "a-nonce",
    "entryPointName": "web",
    "level": "info",
}
"""As Traefik 3.7.15 writes it, without what nobody reads."""


def test_a_line_is_read_as_what_it_means() -> None:
    line = decoder("x-bluegreen-probe").decode(json.dumps(LINE).encode())
    assert (line.status, line.upstream) == (200, "127.0.0.1:1001")
    assert line.duration == pytest.approx(0.002260879)
    asked = line.request
    assert (asked.host, asked.method, asked.uri, asked.client_ip) == (HOST, "POST", "/orders?id=1", "203.0.113.7")
    assert asked.nonce == ["a-nonce"]
    assert line.written == pytest.approx(1_795_305_125.341, abs=0.001)
    assert not line.streamed


def test_what_a_line_does_not_say_is_nothing() -> None:
    line = decoder("X-Bluegreen-Probe").decode(b'{"DownstreamStatus": 404, "Duration": 1000}')
    assert (line.upstream, line.request.nonce, line.written) == ("", None, None)


class Site:
    """A real Traefik before a blue that answers and a green that is dead."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "access.log"
        front, api, self.blue, green = free_ports(4)
        self.traefik = EmbeddedTraefik(directory, front, api, access_log=self.log)
        dials = {BLUE: (f"127.0.0.1:{self.blue}",), GREEN: (f"127.0.0.1:{green}",)}
        self.services = {"web": Service("web", dials, site=HOST)}
        self.traefik.routes({"web": HOST, "dead": "dead.test"})
        self.traefik.serve({"web": dials[BLUE][0], "dead": dials[GREEN][0]})

    def reader(self, heard: Heard) -> TraefikLog:
        return TraefikLog(self.log, self.services, on_witness=heard.witness, clock=SystemClock())

    async def ask(self, path: str, host: str = HOST, timeout: float = LONG, nonce: str = "") -> int | None:
        """The status of one answer; None where none came in time."""
        budget = aiohttp.ClientTimeout(total=timeout)
        headers = {"Host": host} | ({"X-Bluegreen-Probe": nonce} if nonce else {})
        async with aiohttp.ClientSession(timeout=budget) as session:
            try:
                async with session.get(f"{self.traefik.front}{path}", headers=headers) as answer:
                    await answer.read()
                    return answer.status
            except (aiohttp.ClientError, TimeoutError):
                return None

    def lines(self) -> Sequence[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


async def _answer(request: web.Request) -> web.StreamResponse:
    asked = request.match_info["asked"]
    if asked == "socket":
        upgraded = web.WebSocketResponse()
        await upgraded.prepare(request)
        async for message in upgraded:
            await upgraded.send_str(str(message.data))
        return upgraded
    if asked == "stream":
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.sleep(LATE)
        return response
    if asked == "late":
        await asyncio.sleep(LATE)
        return web.Response()
    return web.Response(status=int(asked))


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[None]:
    application = web.Application()
    application.router.add_get("/{asked}", _answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    async with _listening(site.blue):
        try:
            await site.traefik.start()
            yield site
        finally:
            await site.traefik.kill()


@pytest.mark.real
async def test_users_are_counted_by_the_colour_that_answered_them_and_ours_are_witnessed(site: Site) -> None:
    heard = Heard()
    async with running(site.reader(heard), heard):
        for status in (200, 401, 500):
            assert await site.ask(f"/{status}") == status
        assert await site.ask("/200", nonce="n1") == 200
        assert await site.ask("/200", host="dead.test") == 502
        await until(lambda: heard.n["5xx", GREEN] == 1 and heard.witnessed != [])
    assert (heard.n["5xx", BLUE], heard.bad["5xx", BLUE]) == (3, 1)
    assert (heard.n["auth", BLUE], heard.bad["auth", BLUE]) == (3, 1)
    assert heard.bad["5xx", GREEN] == 1, "a 502 names the server that was tried"
    assert heard.witnessed == [("n1", BLUE, 200)]


@pytest.mark.real
async def test_a_stream_is_not_slow_and_a_late_answer_is(site: Site) -> None:
    heard = Heard()
    async with running(site.reader(heard), heard):
        await site.ask("/stream")
        await site.ask("/late")
        await site.ask("/200")
        await until(lambda: heard.n["5xx", BLUE] == 3)
    durations = sorted(heard.durations[BLUE, "web"])
    assert len(durations) == 2
    assert durations[0] < LATE <= durations[1]


@pytest.mark.real
async def test_who_gave_up_and_an_upgraded_connection_are_nobody_s_fault(site: Site) -> None:
    heard = Heard()
    async with running(site.reader(heard), heard):
        assert await site.ask("/late", timeout=LATE / 3) is None
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{site.traefik.front}/socket", headers={"Host": HOST}) as socket,
        ):
            await socket.send_str("x")
            assert (await socket.receive()).data == "x"
        await site.ask("/200")
        await until(lambda: len(site.lines()) == 3)
        await until(lambda: heard.n["5xx", BLUE] == 1)
    said = {str(line["RequestPath"]): line["DownstreamStatus"] for line in site.lines()}
    assert said == {"/late": 499, "/socket": 0, "/200": 200}
    assert heard.bad["5xx", BLUE] == 0


@pytest.mark.real
async def test_a_log_that_is_rotated_by_rename_and_usr1_is_read_on(site: Site) -> None:
    heard = Heard()
    async with running(site.reader(heard), heard):
        await site.ask("/200")
        await until(lambda: heard.n["5xx", BLUE] == 1)
        site.log.rename(site.log.with_name("access.log.1"))
        await site.ask("/200")
        assert site.traefik.pid is not None
        os.kill(site.traefik.pid, signal.SIGUSR1)
        await until(site.log.exists)
        await site.ask("/500")
        await until(lambda: heard.bad["5xx", BLUE] == 1)
    assert heard.n["5xx", BLUE] == 3


@pytest.mark.real
async def test_a_sample_shows_who_asks(site: Site) -> None:
    await site.ask("/200")
    await site.ask("/200", nonce="n1")
    await until(lambda: len(site.lines()) == 2)
    seen = await asyncio.to_thread(sample, site.log, "X-Bluegreen-Probe", ASKED)
    assert (seen.lines, seen.nameless, seen.clients) == (1, 0, 1)


async def test_a_log_that_is_not_there_says_what_to_type(tmp_path: Path) -> None:
    log = TraefikLog(tmp_path / "none.log", {}, on_witness=Heard().witness, clock=SystemClock())
    with pytest.raises(SignalFailed, match=r"none\.log cannot be read"):
        await log.check()
