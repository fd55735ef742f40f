"""C-19: who is in the middle of something when users are moved ends it on the colour where it began.

An upload here lasts a few seconds, and always from before the switch to after it: BLUEGREEN_UPLOAD=60 for a minute.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import MakeYard
from tests.e2e.yard import MODES, Yard, until

UPLOAD = float(os.environ.get("BLUEGREEN_UPLOAD", "3"))
"""Least seconds of an upload."""

LONG_LIVED = f'stream_close_delay = "{60 + UPLOAD:g}s"'
CHUNK = b"x" * 65536
NEWS = 3
"""Messages after which a stream is seen to live."""


@dataclass
class Stream:
    """What one user hears who stays: `why` says how it ended."""

    heard: list[str] = field(default_factory=list)
    ended: bool = False
    why: str = ""

    async def lives(self, number: int = NEWS) -> None:
        """Return when it said something more."""
        wanted = len(self.heard) + number
        await until(lambda: self.ended or len(self.heard) >= wanted, 10.0, "the stream says more")
        assert not self.ended, f"it ended after {len(self.heard)} messages: {self.why}"


@asynccontextmanager
async def web_socket(yard: Yard, service: str = "web") -> AsyncIterator[Stream]:
    """A WebSocket that is open while this lasts."""
    stream = Stream()

    async def listen() -> None:
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
        async with yard.client() as session, session.ws_connect(yard.url(service, "/ws"), timeout=timeout) as ws:
            async for message in ws:
                stream.heard.append(message.data)
            stream.ended, stream.why = True, f"closed with {ws.close_code}"

    async with _listening(listen(), stream):
        yield stream


@asynccontextmanager
async def server_sent(yard: Yard, service: str = "web") -> AsyncIterator[Stream]:
    """Server-sent events that are read while this lasts."""
    stream = Stream()

    async def listen() -> None:
        forever = aiohttp.ClientTimeout(total=None)
        async with yard.client() as session, session.get(yard.url(service, "/events"), timeout=forever) as answer:
            async for line in answer.content:
                if line.strip():
                    stream.heard.append(line.decode().removeprefix("data: ").strip())
            stream.ended, stream.why = True, "the server ended it"

    async with _listening(listen(), stream):
        yield stream


@asynccontextmanager
async def _listening(listen: Any, stream: Stream) -> AsyncIterator[None]:
    async def listened() -> None:
        try:
            await listen
        except (aiohttp.ClientError, OSError) as exc:
            stream.ended, stream.why = True, repr(exc)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(listened(), name="stream")
        await stream.lives()
        yield
        task.cancel()


@dataclass
class Upload:
    """A body that is sent for as long as it takes; `enough` lets it end."""

    enough: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    async def body(self) -> AsyncIterator[bytes]:
        """The chunks."""
        began = monotonic()
        while not self.enough.is_set() or monotonic() < began + UPLOAD:
            self.sent += len(CHUNK)
            yield CHUNK
            await asyncio.sleep(0.1)

    async def run(self, yard: Yard) -> dict[str, Any]:
        """Send it, and return what the application says of it."""
        forever = aiohttp.ClientTimeout(total=None)
        async with (
            yard.client() as session,
            session.post(yard.url("web", "/upload"), data=self.body(), timeout=forever) as answer,
        ):
            assert answer.status == 200, answer.status
            return dict(await answer.json())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", MODES)
async def test_c19_streams_and_an_upload_end_where_they_began_and_retiring_waits_for_them(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, window="2s", drain=f"{40 + UPLOAD:g}s", caddy_keys=LONG_LIVED)
    upload = Upload()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        if mode == "rewrite":  # the first write of ours brings the delay, and is itself one without it
            await yard.taken_back()
        ws = await stack.enter_async_context(web_socket(yard))
        sse = await stack.enter_async_context(server_sent(yard))
        uploading = group.create_task(upload.run(yard), name="upload")
        await until(lambda: upload.sent > 0, 10.0, "the upload began")
        id = await yard.deploy("1.1.2")
        await yard.reached(id, "WATCHING")
        assert await yard.colours() == {"green"}
        await ws.lives()
        await sse.lives()
        assert "open on blue" in await yard.status()
        sent = upload.sent
        await until(lambda: upload.sent > sent, 10.0, "the upload goes on")
        upload.enough.set()
        said = await uploading
        assert (said["colour"], said["got"]) == ("blue", upload.sent)

        await yard.reached(id, "RETIRING")
        waiting = monotonic()
        await ws.lives(20)  # a second or more, in which the old colour is not stopped
        assert (await yard.order("deployment", id)).phase == "RETIRING"
        assert "down blue" not in yard.calls()[-1]
        await stack.aclose()
        live = await yard.ended(id)
    assert live.phase == "LIVE", live.reason
    assert monotonic() - waiting < 35.0, "not the whole drain: it ends when the last stream has"
    assert set(ws.heard) == set(sse.heard) == {"blue"}
    assert yard.calls()[-1] == "down blue"


SLICE = '["sh", "{d}/colour.sh", "slice", "{{colour}}", "{n}"]'


@pytest.mark.parametrize("mode", MODES)
async def test_c19_retiring_waits_no_longer_than_the_drain_and_stops_one_slice_after_the_other(
    mode: str, make_yard: MakeYard, short_directory: Any
) -> None:
    yard = await make_yard(
        mode=mode,
        window="1s",
        drain="2s",
        retire='slice_pause = "500ms"',
        caddy_keys=LONG_LIVED,
        environment=f"slices = [{', '.join(SLICE.format(d=short_directory, n=n) for n in range(2))}]",
    )
    async with server_sent(yard) as stays:
        id = await yard.deploy()
        await yard.reached(id, "RETIRING")
        began = monotonic()
        live = await yard.ended(id)
        await until(lambda: stays.ended, 10.0, "the stream ends with the colour it was on")
    assert live.phase == "LIVE", live.reason
    assert monotonic() - began >= 2.0, "the drain was not cut short while a stream was open"
    assert set(stays.heard) == {"blue"}
    assert yard.calls()[-3:] == ["slice blue 0", "slice blue 1", "down blue"]
    first, second = (float(line) for line in (yard.directory / "slices").read_text().split())
    assert second - first >= 0.5
