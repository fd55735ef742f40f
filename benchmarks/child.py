"""Processes beside the one that measures."""

import signal
import sys
from pathlib import Path

from bluegreen.demo.children import Child, dying_with_us, spawn
from bluegreen.processes import environment

PATHS = {"PYTHONPATH": ":".join(sys.path)}
"""A child finds the same modules as we do."""


def module(name: str, *words: str, log: Path) -> Child:
    """Start `python -m name words...`, its output in `log`; it ends when we end, however that is."""
    argv = [*dying_with_us(signal.SIGTERM), sys.executable, "-m", name, *words]
    return spawn(argv, env=environment(PATHS), log=log)
