"""Talks to the supervisor that started us, where that is systemd: tells it how we are, and takes its sockets.

Outside facts: what is told are datagrams of "NAME=value" lines to $NOTIFY_SOCKET, whose name begins with "@" where it
is abstract (sd_notify(3)); sockets come as descriptors from 3 on, meant for the process $LISTEN_PID
(sd_listen_fds(3)); the watchdog wants a word within $WATCHDOG_USEC (sd_watchdog_enabled(3)). All of it survives
execve(2): the pid stays the same, and these descriptors are inherited. Nothing that is told may ever fail us.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import NoReturn

from bluegreen.domain.errors import ConfigurationError

FIRST_DESCRIPTOR = 3
"""The first one that systemd passes."""

API = "api"
"""FileDescriptorName= of the operators' socket in bluegreen.socket."""

LOOK = 1.0
"""Seconds between two looks at what there is to show."""

BEGINNING = 45
"""Seconds that systemd lets us be silent while we begin again: its watchdog goes on meanwhile, and a busy machine needs
seconds to start Python. As TimeoutStartSec= in the unit."""

PARTS_OF_TIMEOUT = 3
"""How many times the watchdog is fed within its timeout: one lost word is no hang."""


class Supervisor:
    """Whoever started us. Where that is not systemd, telling does nothing."""

    def __init__(self, address: str = "", timeout: float | None = None) -> None:
        """`address` as in $NOTIFY_SOCKET, "" where there is none; `timeout` of the watchdog in seconds, None: off."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._timeout = timeout
        self._ready = self._leaving = False
        self._shown = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Supervisor":
        """As the environment describes it; what makes no sense there counts as absent."""
        address = environment.get("NOTIFY_SOCKET", "")
        return cls(address if address[:1] in ("/", "@") else "", _watchdog(environment))

    def tell(self, *lines: str) -> bool:
        """Send one message; False where it did not arrive. Never raises, never waits."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except (OSError, ValueError):
            return False  # it is gone, its queue is full, or the name is none: we serve all the same
        return True

    def ready(self) -> None:
        """Say that we serve; told again by `show` until it arrives, since systemd kills a start that is never ready."""
        self._ready = self.tell("READY=1")

    def stopping(self) -> None:
        """Say that we are about to end; `show` is silent from then on."""
        self._leaving = True
        self.tell("STOPPING=1", "STATUS=stopping")

    def reloading(self) -> None:
        """Say that we are about to begin again, in this very process; `show` is silent from then on."""
        self._leaving = True
        self.tell(
            "RELOADING=1",
            f"MONOTONIC_USEC={monotonic_ns() // 1000}",
            f"EXTEND_TIMEOUT_USEC={BEGINNING * 1_000_000}",
            "STATUS=beginning again",
        )

    async def show(self, line: Callable[[], str]) -> None:
        """Keep the line in `systemctl status` what `line` says, until cancelled. Call `ready` first."""
        while True:
            self._show(_said(line))
            await asyncio.sleep(LOOK)

    def _show(self, line: str) -> None:
        if self._leaving or (self._ready and line == self._shown):
            return
        if self.tell(*([] if self._ready else ["READY=1"]), f"STATUS={line}"):
            self._ready, self._shown = True, line

    async def feed(self, well: Callable[[], bool]) -> None:
        """Feed the watchdog while the event loop turns and `well` says so, until cancelled."""
        if self._timeout is None:
            return
        while True:
            if well():
                self.tell("WATCHDOG=1")
            await asyncio.sleep(self._timeout / PARTS_OF_TIMEOUT)


def passed_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """The operators' socket, already listening, that systemd opened for us; None where it did not.

    A duplicate: the descriptor itself stays open and is inherited when we begin again. Raises ConfigurationError for
    descriptors that are something else.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None  # not ours: it was meant for whoever passed us its environment
    count = _number(environment.get("LISTEN_FDS", ""))
    if not count:
        return None
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if count > 1 and names.count(API) != 1:
        raise _not_one(f"{count} sockets are passed, and not exactly one has FileDescriptorName={API}")
    descriptor = FIRST_DESCRIPTOR + (names.index(API) if API in names else 0)
    try:
        listening = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as exc:
        raise _not_one(f"descriptor {descriptor}: {exc.strerror}") from exc
    if not _listens(listening):
        listening.close()
        raise _not_one(f"descriptor {descriptor} is no Unix stream socket that listens")
    listening.setblocking(False)
    os.set_inheritable(descriptor, True)
    return listening


def begin_again() -> NoReturn:
    """Become a new program with the arguments of this one, in this process: for systemd the same service goes on.

    Everything else must be closed. A SIGHUP that comes before the new program listens for it is ignored, as execve(2)
    keeps what is ignored. Raises OSError where the interpreter cannot be started.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - there is no shell in between


def _said(line: Callable[[], str]) -> str:
    try:
        return " ".join(line().split())
    except Exception as exc:  # noqa: BLE001 - a bug in a line for people must not end the daemon
        return f"how things stand cannot be told: {exc!r}"


def _watchdog(environment: Mapping[str, str]) -> float | None:
    meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    microseconds = _number(environment.get("WATCHDOG_USEC", ""))
    return microseconds / 1e6 if meant and microseconds else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _listens(candidate: socket.socket) -> bool:
    def option(number: int) -> int:
        return candidate.getsockopt(socket.SOL_SOCKET, number)

    try:
        kind = (option(socket.SO_DOMAIN), option(socket.SO_TYPE), option(socket.SO_ACCEPTCONN))
    except OSError:
        return False
    return kind == (socket.AF_UNIX, socket.SOCK_STREAM, 1)


def _not_one(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"socket activation: {why}", next=("systemctl cat bluegreen.socket", "systemctl show -p Sockets bluegreen")
    )
