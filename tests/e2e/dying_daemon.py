"""The daemon as it is, but for one thing: at one boundary it gets a signal. Only for tests.

    python -m tests.e2e.dying_daemon serve-like --config FILE --at PHASE:BOUNDARY [--nth N] [--signal KILL]

With KILL it is gone at once, as after a crash. With TERM it stays where it is, so that the stop finds it there.

    python -m tests.e2e.dying_daemon nursery

starts such daemons by fork(2), each from a line of JSON with its words and its log, and answers with its pid: most of
what a daemon does in its first second is to import, and a hundred of them are to be killed.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from bluegreen import daemon
from bluegreen.app.boundaries import Boundary
from bluegreen.domain.phases import Phase
from bluegreen.settings import load


class Struck:
    """Sends us a signal when we come to a boundary of a phase for the `nth` time."""

    def __init__(self, phase: Phase, boundary: Boundary, nth: int, number: signal.Signals) -> None:
        self._where = (phase, boundary)
        self._left = nth
        self._number = number

    async def __call__(self, phase: Phase, boundary: Boundary) -> None:
        """Called by the daemon at every boundary."""
        if (phase, boundary) != self._where:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._number)
            await asyncio.Event().wait()


@click.group()
def main() -> None:
    """A daemon that is struck at a boundary."""


@main.command("serve-like")
@click.option("--config", "file", required=True, type=click.Path(path_type=Path))
@click.option("--at", required=True, help="PHASE:BOUNDARY")
@click.option("--nth", default=1)
@click.option("--signal", "name", type=click.Choice(("KILL", "TERM")), default="KILL")
@click.option("--stop-limit", default=daemon.STOP_LIMIT, help="seconds, for a test that does not want to wait")
def serve_like(file: Path, at: str, nth: int, name: str, stop_limit: float) -> None:
    """Serve, until it is struck."""
    daemon.STOP_LIMIT = stop_limit
    phase, _, boundary = at.partition(":")
    struck = Struck(Phase(phase), Boundary(boundary), nth, signal.Signals[f"SIG{name}"])
    raise SystemExit(daemon.serve(load(file), at_boundary=struck))


@main.command()
def nursery() -> None:
    """Fork a daemon for every line, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin:
        wish = json.loads(line)
        pid = os.fork()
        if not pid:
            _live(wish["words"], wish["log"])
        print(pid, flush=True)


def _live(words: list[str], log: str) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(source, number)
    main(words)
    raise SystemExit(1)  # `main` does not return


if __name__ == "__main__":
    main()
