"""A configuration that is as small as it may be, and a surrounding without variables of somebody else's."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SMALLEST = """\
project = "olympus"

[environments.blue]
up = ["true"]
down = ["true"]

[environments.green]
up = ["true"]
down = ["true"]

[[services]]
name = "web"
blue = ["127.0.0.1:8001"]
green = ["127.0.0.1:9001"]
"""

Write = Callable[..., Path]
"""`write(more="", base=SMALLEST)`: the path of a file with both."""


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("BLUEGREEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the smallest configuration with more lines behind it, readable for its owner only."""

    def write(more: str = "", base: str = SMALLEST) -> Path:
        path = tmp_path / "bluegreen.toml"
        path.write_text(base + more)
        path.chmod(0o640)
        return path

    return write


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which systemd would put credentials; empty."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return directory
