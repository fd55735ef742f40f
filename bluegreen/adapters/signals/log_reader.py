"""Reads one log for as long as it is written and says, second by second, which patterns its lines matched.

A program of its own between the operator's `follow` and the daemon, of the standard library alone: a pattern that
backtracks without end, or ten thousand lines a second, cost the daemon's loop nothing. And its input ends when the
daemon is gone, also by kill -9: then it ends what it follows.

It reads one line from its input, the order: {"argv", "patterns": {name: [pattern, except or null]}, "leash": what argv
reads from an input that stays open, or null}. It answers on
its output, one JSON object a line: {"began": pid}; at the end of each second, and at once where a pattern matched for
the first time in its second, {"at", "lines", "matched", "counts": {name: [n, bad, line]}, "noted", "line"};
{"slow": {name: length of the line}}; {"ended": exit code or null, "said"}.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic, sleep
from types import FrameType

from bluegreen.adapters.signals.log_book import Book, Lines
from bluegreen.adapters.signals.log_sieve import Sieve

CHUNK = 64 * 1024
"""Bytes read in one turn."""

SPACING = 0.005
"""Seconds that a burst of lines may gather before it is read."""

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL of what is followed."""

MOST_AT_THE_END = 16
"""Chunks that are read for the last words: all that a pipe holds."""

PR_SET_PDEATHSIG = 1


class Followed:
    """The `follow` command, in a group of its own. It gets SIGTERM when we die in whatever way (prctl(2)). With `leash`
    it reads that, and its input stays open for as long as we live: what runs on another machine ends with it."""

    def __init__(self, argv: list[str], leash: str | None = None) -> None:
        self.output, writer = os.pipe()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if leash is None else subprocess.PIPE,
            stdout=writer,
            stderr=writer,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this program has one thread
        )
        os.close(writer)
        os.set_blocking(self.output, False)
        if leash is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended: its exit code says more
                self._process.stdin.write(leash.encode("latin-1"))  # into the empty pipe, that takes an order at once
                self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """Its process, and its group."""
        return self._process.pid

    def read(self) -> bytes | None:
        """What there is now: None where there is nothing, empty where nothing will come any more."""
        try:
            return os.read(self.output, CHUNK)
        except BlockingIOError:
            return None

    def ended(self, wait: float = 0.0) -> int | None:
        """Its exit code; None while it runs."""
        if wait:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(wait)
        return self._process.poll()

    def end(self) -> None:
        """End its whole group; harmless when it ended."""
        self._signal(signal.SIGTERM)
        self.ended(GRACE)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Reader:
    """Reads what is followed until it ends, or until nobody listens to us any more."""

    def __init__(self, followed: Followed, patterns: dict[str, tuple[str, str | None]]) -> None:
        self._followed = followed
        self._lines = Lines()
        self._sieve = Sieve(patterns)
        self._book = Book(list(patterns), monotonic())
        self._said = b""

    def run(self) -> None:
        """Return when what is followed has ended, or our input."""
        self._sieve.arm()
        say({"began": self._followed.pid})
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._followed.output, select.POLLIN)
        while True:
            wait = max(0.0, self._book.ends - monotonic())
            ready = {number for number, _ in poll.poll(wait * 1000 + 1)}
            if 0 in ready and not os.read(0, CHUNK):
                return
            if self._followed.output in ready and not self._read():
                break
            if self._followed.ended() is not None:
                break
            self._tell()
        self._last_words()

    def _read(self) -> bool:
        """Read once; False at the end of the output."""
        sleep(SPACING)
        data = self._followed.read()
        if data:
            self._enter(self._lines.take(data))
        return data != b""

    def _enter(self, lines: list[bytes]) -> None:
        found, slow = self._sieve.sift(lines, monotonic())
        self._book.enter(len(lines), found, self._sieve.paused)
        if slow:
            say({"slow": slow})
        self._said = next((line for line in reversed(lines) if line.strip()), self._said)

    def _tell(self) -> None:
        now = monotonic()
        if now >= self._book.ends:
            self._enter(self._lines.stale())
        if self._book.due(now):
            say(self._book.tell(now))

    def _last_words(self) -> None:
        """What comes with the end is mostly what `follow` itself has to say: it is told, and counts for nothing."""
        lines = []
        for _ in range(MOST_AT_THE_END):  # what it left running may write on without an end
            lines += self._lines.take(self._followed.read() or b"")
        lines += self._lines.take(b"\n")
        said = next((line for line in reversed(lines) if line.strip()), self._said)
        say({"ended": self._followed.ended(0.2), "said": said.decode(errors="replace")})


def say(message: dict[str, object]) -> None:
    """One line to the daemon."""
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Follow the order that stands in the input."""
    signal.signal(signal.SIGTERM, _leave)
    order = json.loads(_first_line())
    try:
        followed = Followed(order["argv"], order.get("leash"))
    except OSError as exc:
        say({"ended": None, "said": f"it cannot be started: {exc}"})
        return
    try:
        Reader(followed, order["patterns"]).run()
    finally:
        followed.end()


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)  # byte by byte: what comes after is only looked at for its end
        if not byte:
            sys.exit(0)
        line += byte
    return line


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
