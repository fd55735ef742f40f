"""What a source reported, added up; and lines as Caddy 2.11.7 writes them."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports import SignalSource

BLUE, GREEN = Colour.BLUE, Colour.GREEN
WEB = Service("web", {BLUE: ("127.0.0.1:1001", "127.0.0.1:1002"), GREEN: ("127.0.0.1:2001",)}, site="web.test")
API = Service("api", {BLUE: ("127.0.0.1:1003",), GREEN: ("127.0.0.1:2003",)}, site="api.test")
SERVICES = {"web": WEB, "api": API}


NOW = 1_795_213_387.5
"""Seconds since 1970, when a Frozen clock begins."""


class Frozen:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.t = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW + self.t - 1000.0, UTC)

    def monotonic(self) -> float:
        return self.t

    def suspended(self) -> float:
        return 0.0


class Heard:
    """Adds up batches by signal and colour, and keeps what the witness was told."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.n: Counter[tuple[str, Colour | None]] = Counter()
        self.bad: Counter[tuple[str, Colour | None]] = Counter()
        self.durations: dict[tuple[Colour, str], list[float]] = defaultdict(list)
        self.witnessed: list[tuple[str, Colour, int]] = []

    def report(self, batch: Batch) -> None:
        self.batches.append(batch)
        if isinstance(batch, Counted):
            self.n[batch.signal, batch.colour] += batch.n
            self.bad[batch.signal, batch.colour] += batch.bad
        elif isinstance(batch, Measured):
            self.durations[batch.colour, batch.key] += batch.values

    def witness(self, nonce: str, colour: Colour, status: int) -> None:
        self.witnessed.append((nonce, colour, status))


@asynccontextmanager
async def running(source: SignalSource, heard: Heard) -> AsyncIterator[Heard]:
    """The source runs while this lasts."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.run(heard.report), name="source under test")
        try:
            yield heard
        finally:
            task.cancel()


def line(
    status: int = 200,
    upstream: str = "127.0.0.1:1001",
    *,
    duration: float = 0.01,
    nonce: str | None = None,
    host: str = "web.test",
    content_type: str = "text/plain; charset=utf-8",
    agent: str = "curl/7.88.1",
    uri: str = "/",
    method: str = "GET",
    client: str | None = "127.0.0.1",
    remote: str | None = "127.0.0.1",
    ts: float | str | None = 1795213387.8989534,
) -> bytes:
    """One line of the access log, with its end."""
    probe = {} if nonce is None else {"X-Bluegreen-Probe": [nonce]}
    return _encoded(
        {
            "level": "error" if status >= 500 else "info",
            **({} if ts is None else {"ts": ts}),
            "logger": "http.log.access.log0",
            "msg": "handled request",
            "request": {
                **({} if remote is None else {"remote_ip": remote}),
                "remote_port": "35850",
                **({} if client is None else {"client_ip": client}),
                "proto": "HTTP/1.1",
                "method": method,
                "host": host,
                "uri": uri,
                "headers": {"User-Agent": [agent], "Accept": ["*/*"], "Cookie": ["REDACTED"], **probe},
            },
            "bytes_read": 0,
            "user_id": "",
            "duration": duration,
            "size": 2,
            "status": status,
            "resp_headers": {"Server": ["Caddy"], "Content-Type": [content_type]},
            **({"upstream": upstream} if upstream else {}),
        }
    )


def _encoded(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
