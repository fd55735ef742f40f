"""The daemon: open everything, run it as one task group, close it in reverse.

A stop (SIGTERM, SIGINT) is no outcome: the running phase is cancelled as it stands, and the next daemon goes on from
the journal. Traffic is never moved by a stop. A reload is a stop after which the same program begins again in the same
process, with what the configuration says by then.
"""

import asyncio
import faulthandler
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from bluegreen import __version__, logs, systemd
from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.chronicle import Chronicle
from bluegreen.app.engine import Engine
from bluegreen.app.gauges import measure
from bluegreen.app.history import Keeping, id_of
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.reloading import Renewal
from bluegreen.app.requests import Caller
from bluegreen.app.service import Service
from bluegreen.app.waiting import raise_first
from bluegreen.app.watch import Watch
from bluegreen.domain.errors import AlreadyRunning, BluegreenError, ConfigurationError
from bluegreen.interfaces.api import make_api
from bluegreen.interfaces.hook_door import HookDoor
from bluegreen.interfaces.hooks import make_hooks
from bluegreen.interfaces.listening import require_free, serve_api, serve_hooks, serve_metrics
from bluegreen.interfaces.metrics import Exposition, Metrics, make_metrics
from bluegreen.interfaces.peers import Grants
from bluegreen.interfaces.socket_watch import watch_socket
from bluegreen.interfaces.standing import standing
from bluegreen.settings import Settings, load, masked, revealed
from bluegreen.wiring import access, hook_rules, open_world

log = structlog.get_logger("bluegreen")


HANGUP = Caller(who="SIGHUP", origin="signal")
"""Who asks for a reload by a signal: the kernel does not tell."""


STOP_LIMIT = 90.0
"""Seconds in which what must not be cut off, a migration tool, may still end once we were asked to stop: 10 s less than
TimeoutStopSec of the unit."""


class Stopped(Exception):
    """The daemon was asked to stop."""


class Ending:
    """That the daemon was asked to end, and whether it begins again after that."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.again = False

    def stop(self) -> None:
        """End for good, whatever was asked before."""
        self.again = False
        self.asked.set()

    def begin_again(self) -> None:
        """End and begin again, unless the end was asked for already."""
        self.again = not self.asked.is_set()
        self.asked.set()


@dataclass(frozen=True)
class Parts:
    """What runs side by side."""

    engine: Engine
    reconciler: Reconciler
    watch: Watch
    outbox: Outbox
    service: Service
    metrics: Metrics
    chronicle: Chronicle
    history: Keeping
    exposition: Exposition


def serve(settings: Settings, at_boundary: AtBoundary = pass_on) -> int:
    """Run the daemon until it is asked to stop; returns the exit code. `at_boundary` is for tests alone.

    Raises AlreadyRunning, ConfigurationError, JournalUnwritable or JournalUnreadable where it cannot begin. After a
    reload it does not return: the process becomes a new program.
    """
    logs.configure(settings.daemon.log_format, settings.daemon.log_level, secrets=revealed(settings))
    faulthandler.enable()  # systemd's watchdog ends us with SIGABRT: the log then says where we hung
    try:
        again = asyncio.run(run(settings, at_boundary))
    except BaseExceptionGroup as failures:
        raise_first(failures)
    if again:
        systemd.begin_again()
    return 0


async def run(settings: Settings, at_boundary: AtBoundary = pass_on) -> bool:
    """The same, inside a running event loop; True where it was asked to begin again."""
    ending, hangup = Ending(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.stop)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    state = _state_directory(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(state / "lock"))
        parts = await stack.enter_async_context(_parts(settings, state, at_boundary, ending))
        await _run_side_by_side(settings, parts, ending, hangup)
    return ending.again


async def _run_side_by_side(settings: Settings, parts: Parts, ending: Ending, hangup: asyncio.Event) -> None:
    supervisor = systemd.Supervisor.of(os.environ)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.watch.run(), name="signals")
            group.create_task(parts.reconciler.run(), name="reconciler")
            group.create_task(parts.engine.work(), name="engine")
            group.create_task(parts.engine.end_inspections(), name="inspections")
            group.create_task(parts.outbox.run(), name="outbox")
            group.create_task(parts.service.schema_watch.run(), name="schema")
            group.create_task(parts.service.budget_watch.run(), name="connections")
            group.create_task(parts.service.after_cutback.run(), name="aftermath")
            group.create_task(parts.service.running_watch.run(), name="running")
            group.create_task(parts.service.parts_keeper.run(), name="live-only")
            group.create_task(parts.service.observing.run(), name="observing")
            group.create_task(parts.chronicle.run(), name="chronicle")
            group.create_task(parts.history.run(), name="history")
            group.create_task(parts.metrics.watch_loop(), name="loop")
            group.create_task(_reload_when_told(parts.service, hangup), name="reloads")
            async with _listening(settings, parts):
                supervisor.ready()
                group.create_task(supervisor.show(lambda: standing(parts.engine, parts.reconciler)), name="standing")
                group.create_task(supervisor.feed(parts.watch.keeps_up), name="watchdog")
                group.create_task(watch_socket(settings.daemon.socket), name="socket")
                log.info("daemon.started", version=__version__, socket=str(settings.daemon.socket))
                for warning in settings.warnings:
                    log.warning("configuration.warned", warning=warning)
                await parts.service.tell_cut_off()
                await parts.service.tell_left_site()
                await ending.asked.wait()
                asyncio.get_running_loop().call_later(STOP_LIMIT, _leave, parts.engine)
                if ending.again:
                    supervisor.reloading()
                else:
                    supervisor.stopping()
                _say_what_stays(parts.engine)
            raise Stopped
    except* Stopped:
        log.info("daemon.stopped", version=__version__, again=ending.again)


async def _reload_when_told(service: Service, hangup: asyncio.Event) -> None:
    """SIGHUP asks for what `bluegreen reload` asks for; a refusal can only be told in the log."""
    while True:
        await hangup.wait()
        hangup.clear()
        try:
            await service.reload(HANGUP)
        except BluegreenError as exc:
            log.warning("reload.refused", reason=exc.detail, next=exc.next)


@asynccontextmanager
async def _parts(settings: Settings, state: Path, at_boundary: AtBoundary, ending: Ending) -> AsyncIterator[Parts]:
    metrics = Metrics()
    async with open_world(settings, state, at_boundary, metrics.timed) as world:
        news = News(world.journal, world.clock, world.redact)
        outbox = Outbox(world.journal, world.notifiers, world.redact)
        watch = Watch(world.clock, world.sources, lambda: world.terms.signals)
        engine = Engine(world, news, outbox, watch)
        reconciler = Reconciler(engine)
        history = Keeping(world.journal, world.clock, news, watch, lambda: id_of(engine.run))
        await history.read()
        await engine.prepare()
        await history.take_up()
        service = Service(engine, reconciler, Renewal(lambda: _read_again(settings), ending.begin_again))
        chronicle, began = Chronicle(world.journal, news, world.clock), world.clock.now()
        exposition = metrics.exposition(lambda: measure(engine, reconciler, began), lambda: chronicle.sums)
        yield Parts(engine, reconciler, watch, outbox, service, metrics, chronicle, history, exposition)


def _read_again(settings: Settings) -> tuple[str, ...]:
    """The warnings of the configuration as it stands on disk now. Raises ConfigurationError with all that is wrong.

    Also what is only noticed at a start is tried: a daemon that ends and cannot begin again is worse than an old one.
    """
    if settings.file is None:
        raise ConfigurationError("the daemon was not started from a file", next=("systemctl restart bluegreen",))
    again = load(settings.file)
    Grants.resolve(access(again))
    held = (settings.hooks.listen, settings.metrics.listen)
    for key, listen in (("hooks.listen", again.hooks.listen), ("metrics.listen", again.metrics.listen)):
        if listen and listen not in held:
            require_free(listen, key)
    state = _state_directory(again)
    if not os.access(state, os.W_OK | os.X_OK):
        raise ConfigurationError(f"daemon.state_dir: {state} cannot be written", next=(f"ls -ld {state}",))
    return again.warnings


@asynccontextmanager
async def _listening(settings: Settings, parts: Parts) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        redact = logs.Masking(revealed(settings)).text
        door = HookDoor(settings.hooks.listen, hook_rules(settings))
        api = make_api(
            parts.service,
            access=access(settings),
            configuration=masked(settings),
            door=door,
            exposition=parts.exposition,
            redact=redact,
        )
        passed = systemd.passed_socket(os.environ)
        await stack.enter_async_context(serve_api(api, settings.daemon.socket, passed=passed))
        if settings.hooks.listen:
            hooks = make_hooks(parts.service, hook_rules(settings), redact=redact)
            await stack.enter_async_context(serve_hooks(hooks, settings.hooks.listen))
        if settings.metrics.listen:
            await stack.enter_async_context(serve_metrics(make_metrics(parts.exposition), settings.metrics.listen))
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


def _leave(engine: Engine) -> None:
    """Something does not end: we end without it (systemd kills what is left), and the next daemon looks what became
    of it."""
    deployment = engine.run.deployment if engine.run is not None else None
    log.critical(
        "daemon.stop_overdue",
        deployment=deployment.id if deployment else None,
        phase=deployment.phase if deployment else None,
        reason=f"what must not be cut off did not end within {STOP_LIMIT:g} s",
    )
    os._exit(0)  # what was acknowledged is durable; a polite end would wait for what does not end


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
    existing = os.O_RDONLY | os.O_CLOEXEC  # no write is needed where it exists: the disk may take none
    try:
        descriptor = os.open(path, existing if path.exists() else existing | os.O_CREAT, 0o600)
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
