"""Listens: the operators' Unix socket, passed to us or of our own making, and the alert hooks' TCP port.

Outside facts: asyncio silently removes a socket that stands at its path, so that a second daemon would steal it;
aiohttp keeps a connection without a request for 3,630 s unless told otherwise (both measured, aiohttp 3.14).
"""

import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
from aiohttp import web

from bluegreen.domain.errors import AlreadyRunning, ConfigurationError
from bluegreen.interfaces.crowd import Listening

log = structlog.get_logger(__name__)

KEEP_ALIVE = 5.0
"""Seconds a connection is kept that has no request: before its first whole head, and after an answer."""

STOP_BUDGET = 2.0
"""Seconds that answers in progress have when the daemon stops."""

SOCKET_MODE = 0o666
"""Everybody may connect: what they may do is decided by the kernel's word on who they are (as snapd does)."""

HIGHEST_PORT = 65_535
"""getaddrinfo takes larger numbers and wraps them around."""


@asynccontextmanager
async def serve_api(
    app: web.Application, path: Path, *, idle: float = KEEP_ALIVE, passed: socket.socket | None = None
) -> AsyncIterator[None]:
    """Answer on a Unix socket of our own at `path` until the block ends; the socket is removed then.

    With `passed`, a socket that listens already (systemd's), on that one; it is closed, and its path stays. The caller
    holds the daemon's lock. Raises ConfigurationError, AlreadyRunning where the path is not ours.
    """
    if passed is not None:
        _warn_of_another_path(passed, path)
        async with _served(app, passed, idle):
            yield
        return
    with _unix_socket(path) as listening:
        async with _served(app, listening, idle):
            path.chmod(SOCKET_MODE)  # noqa: ASYNC240 - one call on a tmpfs, once
            yield


@asynccontextmanager
async def serve_hooks(app: web.Application, listen: str, *, idle: float = KEEP_ALIVE) -> AsyncIterator[tuple[str, int]]:
    """Answer on TCP at `listen` ("127.0.0.1:9093", "[::1]:0") until the block ends; gives the bound address.

    Raises ConfigurationError where that address cannot be had.
    """
    async with _serve_tcp(app, listen, "hooks.listen", idle) as bound:
        yield bound


@asynccontextmanager
async def serve_metrics(app: web.Application, listen: str) -> AsyncIterator[tuple[str, int]]:
    """The same for the listener of Prometheus. Raises ConfigurationError."""
    async with _serve_tcp(app, listen, "metrics.listen", KEEP_ALIVE) as bound:
        yield bound


def require_free(listen: str, key: str) -> None:
    """Bind `listen` for a moment, without accepting anybody. Raises ConfigurationError where it cannot be had."""
    with _tcp_socket(listen, key):
        pass


@asynccontextmanager
async def _serve_tcp(app: web.Application, listen: str, key: str, idle: float) -> AsyncIterator[tuple[str, int]]:
    with _tcp_socket(listen, key) as listening:
        async with _served(app, listening, idle):
            host, port = listening.getsockname()[:2]
            yield host, port


@asynccontextmanager
async def _served(app: web.Application, listening: socket.socket, idle: float) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_BUDGET)
    await runner.setup()
    try:
        await Listening(runner, listening, idle=idle).start()
        yield
    finally:
        await runner.cleanup()


def _warn_of_another_path(passed: socket.socket, path: Path) -> None:
    """The verbs look where they were told, or at the default; the unit decides where we listen."""
    listens = passed.getsockname()
    if listens != str(path):
        log.warning("socket.elsewhere", listens=listens, configured=str(path), note="bluegreen.socket decides")


@contextmanager
def _unix_socket(path: Path) -> Iterator[socket.socket]:
    _make_way(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # born private: nobody connects before everything is ready
    try:
        listening.bind(str(path))
    except OSError as exc:
        listening.close()
        raise _unusable(path, exc.strerror or str(exc)) from exc
    finally:
        os.umask(before)
    ours = path.lstat().st_ino
    try:
        listening.setblocking(False)
        yield listening
    finally:
        listening.close()
        if _inode(path) == ours:
            path.unlink(missing_ok=True)


def _make_way(path: Path) -> None:
    """Remove a dead socket of our own user; refuse whatever else stands there, and a directory that is anybody's."""
    try:
        _refuse_open_directory(path)
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    if not stat.S_ISSOCK(found.st_mode):
        raise _unusable(path, "something that is no socket stands there")
    if found.st_uid != os.geteuid():
        raise _unusable(path, f"a socket of uid {found.st_uid} stands there")
    if _answers(path):
        command = f"bluegreen --socket {path} status"
        raise AlreadyRunning(f"another program answers on {path}", next=(command,))
    path.unlink(missing_ok=True)


def _refuse_open_directory(path: Path) -> None:
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        why = f"everybody may write in {path.parent}, and could put a socket of their own in its place"
        raise _unusable(path, why)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True  # its backlog is full
    return True


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None


def _unusable(path: Path, why: str) -> ConfigurationError:
    detail = f"daemon.socket: cannot listen on {path}: {why}"
    return ConfigurationError(detail, next=(f"ls -ld {path.parent} {path}",), key="daemon.socket")


@contextmanager
def _tcp_socket(listen: str, key: str) -> Iterator[socket.socket]:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        if not port.isdigit() or int(port) > HIGHEST_PORT:
            raise OSError(f"{port} is no port")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except OSError as exc:
        raise ConfigurationError(f'{key}: "{listen}" is no ADDRESS:PORT such as "127.0.0.1:9095"', key=key) from exc
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as exc:
            detail = f"{key}: cannot listen on {listen}: {exc.strerror}"
            raise ConfigurationError(detail, next=("ss -ltnp",), key=key) from exc
        listening.setblocking(False)
        yield listening
