"""The real application on a real Unix socket, in front of a scripted service."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bluegreen.app.service import Service
from bluegreen.interfaces.api import make_api
from bluegreen.interfaces.budgets import Budgets
from bluegreen.interfaces.listening import KEEP_ALIVE, serve_api
from bluegreen.interfaces.peers import Access
from tests.interfaces.scripts import ScriptedService

CONFIGURATION = {"project": "olympus", "databases": [{"dsn": "**********"}]}


@pytest.fixture
def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


@asynccontextmanager
async def serving(
    service: Service,
    path: Path,
    access: Access | None = None,
    budgets: Budgets | None = None,
    idle: float = KEEP_ALIVE,
) -> AsyncIterator[Path]:
    """The API at `path`."""
    app = make_api(service, access=access or Access(), configuration=CONFIGURATION, budgets=budgets or Budgets())
    async with serve_api(app, path, idle=idle):
        yield path


@pytest.fixture
async def http(service: ScriptedService, socket_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the API."""
    async with serving(service, socket_path), session(socket_path) as client:
        yield client


def session(path: Path) -> aiohttp.ClientSession:
    """An HTTP client on a socket."""
    return aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(str(path)))


class Served:
    """An API that runs in a thread of its own, so that real commands can talk to it."""

    def __init__(self, service: ScriptedService, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.service, self.path, self._loop = service, path, loop

    def run(self, work: Any) -> Any:
        """Run a coroutine in the API's loop and wait for it."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=30)


@pytest.fixture
def served(service: ScriptedService, socket_path: Path) -> Iterator[Served]:
    with in_thread(lambda: serving(service, socket_path)) as loop:
        yield Served(service, socket_path, loop)


class in_thread:  # noqa: N801 - it reads as a function
    """Hold an asynchronous context in a thread with a loop of its own; gives that loop."""

    def __init__(self, held: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._held = held
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._hold()))
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> asyncio.AbstractEventLoop:
        self._thread.start()
        self._loop = self._started.result(timeout=30)
        return self._loop

    def __exit__(self, *_: object) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=30)

    async def _hold(self) -> None:
        self._stop = asyncio.Event()
        try:
            async with self._held():
                self._started.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        except Exception as exc:  # whatever kept it from starting is the test's to know
            if self._started.done():
                raise
            self._started.set_exception(exc)
