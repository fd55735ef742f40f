"""Writers of one file that are killed, or stopped for a while, at each line of `swap` in turn. Run as a program:
`python -m tests.adapters.balancers.interrupted DIRECTORY kill|stop`; it says how many moments it tried.

Each writer is a process of its own, so that a signal is what it is outside of tests.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from bluegreen.adapters.balancers import swap

OLD, NEW, FENCE = b"blue g1\n", b"green g2\n", b"blue g3\n"


def main(directory: Path, how: str) -> int:
    live = directory / "live"
    for moment in count(1):
        live.write_bytes(OLD)
        pid = os.fork()
        if pid == 0:
            _write(live, moment, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFEXITED(status):
            assert live.read_bytes() == NEW, live.read_bytes()
            print(moment - 1)
            return 0
        assert live.read_bytes() in (OLD, NEW), f"moment {moment}: torn: {live.read_bytes()!r}"
        swap.swap(live, FENCE, live.read_bytes())
        if os.WIFSTOPPED(status):
            os.kill(pid, signal.SIGCONT)
            os.waitpid(pid, 0)
        assert live.read_bytes() == FENCE, f"moment {moment}: overtaken by who was stopped: {live.read_bytes()!r}"
        left = [each.name for each in directory.iterdir() if each.name != "live"]
        assert not left, f"moment {moment}: left behind: {left}"
    raise AssertionError


def _write(live: Path, moment: int, number: int) -> None:
    try:
        was = swap.read_whole(live)
        sys.settrace(_stopping(moment, number))
        swap.swap(live, NEW, was)
    except swap.Overtaken:
        pass
    finally:
        sys.settrace(None)
        os._exit(0)


def _stopping(moment: int, number: int) -> Callable[[FrameType, str, Any], Any]:
    passed = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_code.co_filename != swap.__file__:
            return None
        if event == "line":
            passed += 1
            if passed == moment:
                os.kill(os.getpid(), number)
        return trace

    return trace


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
