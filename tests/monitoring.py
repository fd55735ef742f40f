"""A real Prometheus and a real Alertmanager of Debian's, on loopback, each in a directory of the test's own.

They come with apt (packages prometheus and prometheus-alertmanager); without them these tests skip and say so.
"""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from bluegreen.demo.children import Child, dying_with_us, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.processes import environment
from tests.adapters.signals.servers import Server, serving

READY = 30.0
"""Seconds to come up, on a busy machine too."""

PROMETHEUS = """\
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: app
    static_configs:
      - targets: ["{target}"]
"""

ALERTMANAGER = """\
route:
  receiver: bluegreen
  group_wait: 10ms
  group_interval: 1s
receivers:
  - name: bluegreen
    webhook_configs:
      - url: "{url}"
        http_config:
          authorization:
            credentials: "{token}"
"""


def _program(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no {names[0]} here: apt-get install prometheus prometheus-alertmanager")


class Monitor:
    """One of the two, which may be stopped and started again."""

    def __init__(self, argv: list[str], url: str, directory: Path) -> None:
        self.url = url
        self._argv, self._log = argv, directory / f"{Path(argv[0]).name}.log"
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it and return when it is ready."""
        argv = [*dying_with_us(signal.SIGKILL), *self._argv]
        self._child = spawn(argv, env=environment(), log=self._log)
        async with asyncio.timeout(READY), aiohttp.ClientSession() as session:
            while True:
                assert self._child.alive, tail(self._log)
                try:
                    async with session.get(f"{self.url}/-/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and does nothing, while this lasts."""
        assert self._child is not None
        self._child.pause()
        try:
            yield
        finally:
            self._child.unpause()

    async def stop(self) -> None:
        """End it; harmless when it is down."""
        if self._child is not None:
            await self._child.stop()


@asynccontextmanager
async def prometheus(directory: Path, target: str) -> AsyncIterator[Monitor]:
    """A Prometheus that scrapes `target` (host:port) five times a second."""
    program = _program("prometheus")
    home = directory / "prometheus"
    home.mkdir()
    config = home / "prometheus.yml"
    config.write_text(PROMETHEUS.format(target=target))
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    argv = [program, f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}"]
    argv += [f"--web.listen-address={listen}", "--log.level=warn"]
    async with _running(Monitor(argv, f"http://{listen}", home)) as monitor:
        yield monitor


@asynccontextmanager
async def alertmanager(directory: Path, url: str, token: str) -> AsyncIterator[Monitor]:
    """An Alertmanager that posts every alert to `url`."""
    program = _program("prometheus-alertmanager", "alertmanager")
    home = directory / "alertmanager"
    home.mkdir()
    config = home / "alertmanager.yml"
    config.write_text(ALERTMANAGER.format(url=url, token=token))
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    argv = [program, f"--config.file={config}", f"--storage.path={home / 'data'}"]
    argv += [f"--web.listen-address={listen}", "--cluster.listen-address=", "--log.level=warn"]
    async with _running(Monitor(argv, f"http://{listen}", home)) as monitor:
        yield monitor


@asynccontextmanager
async def _running(monitor: Monitor) -> AsyncIterator[Monitor]:
    await monitor.start()
    try:
        yield monitor
    finally:
        await monitor.stop()


async def fire(monitor: Monitor, **labels: str) -> None:
    """Tell Alertmanager of an alert that begins now, as Prometheus does."""
    alert = {"labels": {"alertname": "LoginsFail", **labels}, "startsAt": datetime.now(UTC).isoformat()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{monitor.url}/api/v2/alerts", json=[alert]) as answer,
    ):
        assert answer.status == 200, await answer.text()


class Gauges:
    """What a target shows: for each colour the length of a queue, and how many jobs were done and failed."""

    def __init__(self) -> None:
        self.queue = {"blue": 3.0, "green": 3.0}
        self.jobs = {"blue": (0, 0), "green": (0, 0)}
        self.url = ""

    @contextmanager
    def shown(self) -> Iterator[Server]:
        """The target, while this lasts."""
        with serving(lambda _: (200, self._text().encode())) as server:
            server.headers["Content-Type"] = "text/plain; version=0.0.4"
            yield server

    def _text(self) -> str:
        lines = [f"app_queue{_label(colour)} {value}" for colour, value in self.queue.items()]
        for colour, (done, failed) in self.jobs.items():
            lines += [f"app_jobs_total{_label(colour)} {done}", f"app_jobs_failed_total{_label(colour)} {failed}"]
        return "\n".join(lines) + "\n"


def _label(colour: str) -> str:
    return f"{{env={json.dumps(colour)}}}"
