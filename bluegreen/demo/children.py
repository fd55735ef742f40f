"""Processes that run on by themselves: started in a session of their own, known again, stopped, never
mistaken.

A pid alone names nobody: the kernel uses it again. Pid and start time (field 22 of /proc/PID/stat, proc(5))
do, and a pidfd (pidfd_open(2)) stays with the process it was opened for, so checking the start time *after*
opening it and signalling through it leaves no gap. It also tells without polling when a process that is not
our child has ended.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bluegreen.domain.errors import OutsideError

GRACE = 5.0
"""Seconds a process gets to end by itself before it is killed."""

KILL_TIMEOUT = 10.0
"""Seconds in which even a busy kernel has buried a killed process."""


class EmbeddedFailed(OutsideError):
    """A part of the demonstration cannot be started or did not end."""

    code = "embedded-failed"


@dataclass(frozen=True, slots=True)
class Child:
    """One process: its pid, and when it started in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now; None when there is none, or only its remains (a zombie)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
        return None if state in "ZX" else cls(pid, int(fields[18]))

    @property
    def alive(self) -> bool:
        """Whether it still runs (a stopped process does, a zombie does not)."""
        return Child.of(self.pid) == self

    @property
    def command(self) -> list[str]:
        """Its argv; empty when it has ended."""
        try:
            raw = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return raw.decode(errors="replace").split("\0")[:-1] if self.alive else []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to exactly this process; nothing happens when it has ended."""
        with self._pinned() as handle:
            if handle is not None:
                signal.pidfd_send_signal(handle, number)

    def pause(self) -> None:
        """Freeze it, a child of ours; none of its threads runs any more when this returns (a moment later)."""
        self.send(signal.SIGSTOP)
        if self.alive:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def unpause(self) -> None:
        """Let it go on where it was frozen."""
        self.send(signal.SIGCONT)

    async def ended(self, timeout: float) -> bool:
        """Whether it ends within `timeout` seconds; it is reaped if it is a child of ours."""
        with self._pinned() as handle:
            if handle is not None and not await _readable(handle, timeout):
                return False
        _reap(self.pid)
        return True

    async def stop(self, number: signal.Signals = signal.SIGTERM, grace: float = GRACE) -> None:
        """Ask it to end, kill it after `grace` seconds; harmless when it has ended."""
        self.send(number)
        self.send(signal.SIGCONT)
        if not await self.ended(grace):
            await self.kill()

    async def kill(self) -> None:
        """End it at once; harmless when it has ended. EmbeddedFailed when the kernel does not bury it."""
        self.send(signal.SIGKILL)
        if not await self.ended(KILL_TIMEOUT):
            raise EmbeddedFailed(f"process {self.pid} does not end, not even by SIGKILL", next=(f"ps -p {self.pid}",))

    def offspring(self) -> list["Child"]:
        """Its direct children."""
        try:
            pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [child for pid in pids if (child := Child.of(int(pid))) is not None]

    @contextmanager
    def _pinned(self) -> Iterator[int | None]:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield handle if self.alive else None
        finally:
            os.close(handle)


def spawn(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Child:
    """Start a command in a session of its own, its output appended to `log`; returns at once.

    It holds no descriptor of ours and outlives us. EmbeddedFailed when the program cannot be started.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawnp(argv[0], list(argv), dict(env), file_actions=actions, setsid=True)
    except OSError as exc:
        raise EmbeddedFailed(f"{argv[0]} cannot be started: {exc}", argv=list(argv)) from exc
    child = Child.of(pid)
    if child is None:
        _reap(pid)
        raise EmbeddedFailed(f"{argv[0]} ended at once; it said: {tail(log)}", argv=list(argv))
    return child


def dying_with_us(number: signal.Signals) -> list[str]:
    """An argv prefix: what it starts gets this signal when the thread that spawned it ends, however that
    ends.

    prctl(2), PR_SET_PDEATHSIG, set by util-linux's setpriv; nothing where that is missing. The thread, not
    the process: only for what the main thread spawns.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "--"] if setpriv else []


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log file; says so when there is nothing."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or "(nothing)"


async def _readable(handle: int, timeout: float) -> bool:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(timeout):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # not a child of ours: its own parent, or init, does it
