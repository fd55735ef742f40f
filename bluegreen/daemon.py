"""The daemon: open everything, run it as one task group, close it in reverse.

A stop (SIGTERM, SIGINT) is no outcome: the running phase is cancelled as it stands, and the next daemon goes on from
the journal. Traffic is never moved by a stop.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from bluegreen import __version__, logs
from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.engine import Engine
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.service import Service
from bluegreen.app.waiting import raise_first
from bluegreen.app.watch import Watch
from bluegreen.domain.errors import AlreadyRunning, ConfigurationError
from bluegreen.interfaces.api import make_api
from bluegreen.interfaces.hooks import make_hooks
from bluegreen.interfaces.listening import serve_api, serve_hooks
from bluegreen.settings import Settings, masked, revealed
from bluegreen.wiring import access, hook_rules, open_world

log = structlog.get_logger("bluegreen")


class Stopped(Exception):
    """The daemon was asked to stop."""


@dataclass(frozen=True)
class Parts:
    """What runs side by side."""

    engine: Engine
    reconciler: Reconciler
    watch: Watch
    outbox: Outbox
    service: Service


def serve(settings: Settings, at_boundary: AtBoundary = pass_on) -> int:
    """Run the daemon until it is asked to stop; returns the exit code. `at_boundary` is for tests alone.

    Raises AlreadyRunning, ConfigurationError, JournalUnwritable or JournalUnreadable where it cannot begin.
    """
    logs.configure(settings.daemon.log_format, settings.daemon.log_level, secrets=revealed(settings))
    try:
        asyncio.run(run(settings, at_boundary))
    except BaseExceptionGroup as failures:
        raise_first(failures)
    return 0


async def run(settings: Settings, at_boundary: AtBoundary = pass_on) -> None:
    """The same, inside a running event loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    state = _state_directory(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(state / "lock"))
        parts = await stack.enter_async_context(_parts(settings, state, at_boundary))
        await _run_side_by_side(settings, parts, stop)


async def _run_side_by_side(settings: Settings, parts: Parts, stop: asyncio.Event) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.watch.run(), name="signals")
            group.create_task(parts.reconciler.run(), name="reconciler")
            group.create_task(parts.engine.work(), name="engine")
            group.create_task(parts.engine.end_inspections(), name="inspections")
            group.create_task(parts.outbox.run(), name="outbox")
            async with _listening(settings, parts):
                log.info("daemon.started", version=__version__, socket=str(settings.daemon.socket))
                for warning in settings.warnings:
                    log.warning("configuration.warned", warning=warning)
                await stop.wait()
                _say_what_stays(parts.engine)
            raise Stopped
    except* Stopped:
        log.info("daemon.stopped", version=__version__)


@asynccontextmanager
async def _parts(settings: Settings, state: Path, at_boundary: AtBoundary) -> AsyncIterator[Parts]:
    async with open_world(settings, state, at_boundary) as world:
        news = News(world.journal, world.clock)
        outbox = Outbox(world.journal, world.notifiers)
        watch = Watch(world.clock, world.sources)
        engine = Engine(world, news, outbox, watch)
        reconciler = Reconciler(engine)
        await engine.prepare()
        yield Parts(engine, reconciler, watch, outbox, Service(engine, reconciler))


@asynccontextmanager
async def _listening(settings: Settings, parts: Parts) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        api = make_api(parts.service, access=access(settings), configuration=masked(settings))
        await stack.enter_async_context(serve_api(api, settings.daemon.socket))
        if settings.hooks.listen:
            hooks = make_hooks(parts.service, hook_rules(settings))
            await stack.enter_async_context(serve_hooks(hooks, settings.hooks.listen))
        yield


def _say_what_stays(engine: Engine) -> None:
    run = engine.run
    if run is None:
        log.info("daemon.stopping")
        return
    unwatched = run.watch.trial is not None
    log.warning(
        "daemon.stopping",
        deployment=run.deployment.id,
        phase=run.deployment.phase,
        note="unwatched until restart" if unwatched else "goes on after restart",
    )


def _state_directory(settings: Settings) -> Path:
    state = settings.daemon.state_dir
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(
            f"the state directory {state} cannot be made: {exc.strerror}",
            next=(f"install -d -m 0700 -o $(id -un) {state}", "or set [daemon] state_dir"),
        ) from exc
    return state


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock of the state directory. Raises AlreadyRunning; nothing was touched then."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise ConfigurationError(f"the lock {path} cannot be opened: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise AlreadyRunning(
                f"another daemon holds {path}", next=("bluegreen status", "systemctl status bluegreen")
            ) from exc
        yield
    finally:
        os.close(descriptor)
