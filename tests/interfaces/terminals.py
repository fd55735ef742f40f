"""Real commands: off a terminal, and on one (a pty) that a test can read and type into."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

BLUEGREEN = [sys.executable, "-m", "bluegreen"]

REPAINTING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(socket: Path, **more: str) -> dict[str, str]:
    """What a verb sees of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BLUEGREEN") and key != "NO_COLOR"}
    return {**kept, "BLUEGREEN_SOCKET": str(socket), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **more}


def start(socket: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """A verb off any terminal."""
    return subprocess.Popen(
        [*BLUEGREEN, *words],
        env=environment(socket, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(socket: Path, *words: str, **more: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a verb off any terminal."""
    with start(socket, *words, **more) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


class Terminal:
    """A verb on a terminal of 80 columns and 30 lines."""

    def __init__(self, socket: Path, *words: str, **more: str) -> None:
        self._words, self._environment = words, environment(socket, **more)
        self._seen = ""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 30, 80, 0, 0))
        self.process = subprocess.Popen(
            [*BLUEGREEN, *self._words],
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait_for(self, words: str, seconds: float = 30) -> str:
        """Everything seen until these words appear; AssertionError where they do not."""
        deadline = monotonic() + seconds
        while words not in self.text:
            if not self._read(deadline - monotonic()):
                raise AssertionError(f"{words!r} did not appear in:\n{self.text}")
        return self.text

    def ends_within(self, seconds: float) -> bool:
        """Whether the verb ends in this time."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> tuple[int, str]:
        """The exit code and everything seen."""
        while self._read(30):
            pass
        return self.process.wait(timeout=30), self.text

    @property
    def text(self) -> str:
        """What was printed, without the codes that place and paint it."""
        return REPAINTING.sub("", self._seen)

    @property
    def raw(self) -> str:
        """What was printed, with every code."""
        return self._seen

    def _read(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._ours], [], [], max(seconds, 0.0))
        if not readable:
            return False
        try:
            piece = os.read(self._ours, 65_536)
        except OSError:  # the other side is closed
            return False
        self._seen += piece.decode(errors="replace")
        return bool(piece)
