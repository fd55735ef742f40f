"""Real Caddyfiles as Caddy understands them, and directories as operators have them."""

import asyncio
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.init import Wish, as_toml
from bluegreen.init.caddy import understand
from bluegreen.init.found import CaddySeen, Machine
from bluegreen.init.survey import _files  # the files alone, with a Caddy that was read before
from bluegreen.processes import environment, run_command
from bluegreen.settings import Settings, load

Plant = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Makes files, by their path in a directory of their own."""

    def make(files: Mapping[str, str]) -> Path:
        root = tmp_path / "machine"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return make


async def adapted(caddyfile: str, directory: Path) -> Any:
    """The JSON that a real Caddy makes of a Caddyfile."""
    file = directory / "Caddyfile"
    file.write_text(caddyfile)
    home = {"XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    argv = [str(caddy_binary()), "adapt", "--config", str(file), "--adapter", "caddyfile"]
    ran = await run_command(argv, timeout=30.0, env=environment(home))
    assert ran.code == 0, ran.output
    return json.loads(next(line for line in ran.output.splitlines() if line.startswith('{"')))


async def found(directory: Path, caddyfile: str = "", *, units: str = "etc/systemd/system") -> Machine:
    """What init finds: the files below a directory, and what a Caddyfile says."""
    seen: CaddySeen | None = None
    if caddyfile:
        seen = understand("unix//run/caddy/admin.sock", await adapted(caddyfile, directory.parent))
    wish = Wish(directory=directory, unit_files=(str(directory / units),), running=(str(directory / "run"),))
    return await asyncio.to_thread(_files, wish, Machine(caddy=seen))


def loaded(machine: Machine, directory: Path) -> tuple[Settings, str]:
    """What is written, as the settings take it; and the text."""
    text = as_toml(machine)
    file = directory / "bluegreen.toml"
    file.write_text(text)
    file.chmod(0o640)
    tomllib.loads(text)
    return load(file), text
