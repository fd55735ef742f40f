"""Writes good lines into an access log at a steady rate, from a process of its own: its time is nobody else's.

Each line is one write, as Caddy's are. A millisecond that was missed is made up for.
"""

import os
import sys
import time
from pathlib import Path

from benchmarks.child import module
from benchmarks.lines import various
from bluegreen.demo.children import Child

PERIOD = 0.001
"""Seconds between two bursts."""

DIFFERENT = 1_000
"""Lines after which they repeat themselves."""


def begin(log: Path, service: str, upstream: str, *, rate: float, seconds: float) -> Child:
    """Start it: `rate` lines a second for `seconds`."""
    words = (str(log), service, upstream, str(rate), str(seconds))
    return module("benchmarks.writer", *words, log=log.with_name("writer.log"))


def write(log: Path, service: str, upstream: str, rate: float, seconds: float) -> None:
    """Append exactly `rate` times `seconds` lines."""
    different = various(DIFFERENT, 200, service, upstream)
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    began, written, total = time.monotonic(), 0, round(rate * seconds)
    while written < total:
        due = min(int((time.monotonic() - began) * rate), total)
        for number in range(written, due):
            os.write(file, different[number % DIFFERENT])
        written = max(written, due)
        time.sleep(PERIOD)
    os.close(file)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
