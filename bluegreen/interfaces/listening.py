"""Listens: the operators' Unix socket of our own making, and the alert hooks' TCP port.

Outside facts: asyncio silently removes a socket that stands at its path, so that a second daemon would steal it;
aiohttp keeps a connection without a request for 3,630 s unless told otherwise; a burst of 200 parallel connects
overflows the default backlog of 128 (all measured, aiohttp 3.14).
"""

import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

from bluegreen.domain.errors import AlreadyRunning, ConfigurationError

BACKLOG = 1024
KEEP_ALIVE = 5.0
"""Seconds a connection is kept that has no request: before its first whole head, and after an answer."""

STOP_BUDGET = 2.0
"""Seconds that answers in progress have when the daemon stops."""

SOCKET_MODE = 0o666
"""Everybody may connect: what they may do is decided by the kernel's word on who they are (as snapd does)."""

HIGHEST_PORT = 65_535
"""getaddrinfo takes larger numbers and wraps them around."""


@asynccontextmanager
async def serve_api(app: web.Application, path: Path, *, idle: float = KEEP_ALIVE) -> AsyncIterator[None]:
    """Answer on a Unix socket of our own at `path` until the block ends; the socket is removed then.

    The caller holds the daemon's lock. Raises ConfigurationError, AlreadyRunning where the path is not ours.
    """
    with _unix_socket(path) as listening:
        async with _served(app, listening, idle):
            path.chmod(SOCKET_MODE)  # noqa: ASYNC240 - one call on a tmpfs, once
            yield


@asynccontextmanager
async def serve_hooks(app: web.Application, listen: str, *, idle: float = KEEP_ALIVE) -> AsyncIterator[tuple[str, int]]:
    """Answer on TCP at `listen` ("127.0.0.1:9093", "[::1]:0") until the block ends; gives the bound address.

    Raises ConfigurationError where that address cannot be had.
    """
    with _tcp_socket(listen) as listening:
        async with _served(app, listening, idle):
            host, port = listening.getsockname()[:2]
            yield host, port


@asynccontextmanager
async def _served(app: web.Application, listening: socket.socket, idle: float) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=idle,
        lingering_time=1.0,
        auto_decompress=False,  # a compressed body would be a way around the size limit
        shutdown_timeout=STOP_BUDGET,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listening, backlog=BACKLOG).start()
        yield
    finally:
        await runner.cleanup()


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
    """Remove a dead socket of our own user; refuse whatever else stands there."""
    try:
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
def _tcp_socket(listen: str) -> Iterator[socket.socket]:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        if not port.isdigit() or int(port) > HIGHEST_PORT:
            raise OSError(f"{port} is no port")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except OSError as exc:
        raise ConfigurationError(
            f'hooks.listen: "{listen}" is no ADDRESS:PORT such as "127.0.0.1:9095"', key="hooks.listen"
        ) from exc
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as exc:
            detail = f"hooks.listen: cannot listen on {listen}: {exc.strerror}"
            raise ConfigurationError(detail, next=("ss -ltnp",), key="hooks.listen") from exc
        listening.setblocking(False)
        yield listening
