"""The guides in docs/guides are followed word for word by strangers: what they show is loaded by the programs that
will read it.

In a guide a block's first line says which file it is: `# bluegreen.toml` is a whole configuration,
`# releases/NAME.toml` a release file, `# Caddyfile` (or `# Caddyfile.green`) a whole Caddyfile, `# compose.yaml` a
compose file. Verbs, options, keys and links in them are looked at by tests/test_readme.py, as in all documents.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.domain.errors import BluegreenError
from bluegreen.processes import environment, run_command
from bluegreen.settings import Settings, load, read_release

ROOT = Path(__file__).parent.parent
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
INDEX = ROOT / "docs" / "guides" / "README.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST = re.compile(r"# (bluegreen\.toml|releases/[\w.-]+\.toml|Caddyfile[\w.-]*|[\w./-]*compose[\w.-]*\.ya?ml)\b")

EXPECTED = ("first-steps", "migration-tools")
"""Guides that must be there; every other one is looked at when it is."""

GIVEN = {
    "dsn": "postgresql://olympus:a-password@127.0.0.1:5432/olympus",
    "url": "https://chat.example.org/hooks/1",
    "token": "0123456789abcdef0123456789abcdef",
}
"""What a credential holds, by the key that names it; a key of another name gets a long text."""


class Block(NamedTuple):
    """A block of a guide that is a file; `file` as its first line says."""

    guide: Path
    line: int
    file: str
    body: str

    @property
    def name(self) -> str:
        """For the test's name."""
        return f"{self.guide.stem}:{self.line} {self.file}"


def blocks(guide: Path) -> Iterator[Block]:
    """The blocks of a guide that are files."""
    text = guide.read_text()
    for match in FENCE.finditer(text):
        if first := FIRST.match(match[2]):
            yield Block(guide, text.count("\n", 0, match.start()) + 1, first[1], match[2])


def those(*beginnings: str) -> pytest.MarkDecorator:
    """Parametrizes a test with the files whose names begin so."""
    found = [block for guide in GUIDES for block in blocks(guide) if block.file.startswith(beginnings)]
    return pytest.mark.parametrize("block", found, ids=[block.name for block in found])


def credentials(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(name, what it may hold) of each credential that a configuration names."""
    if isinstance(value, dict):
        if isinstance(name := value.get("credential"), str):
            yield name, GIVEN.get(key, "not-to-be-guessed-by-anybody-0123456789")
        for inner, held in value.items():
            yield from credentials(held, inner)
    elif isinstance(value, list):
        for held in value:
            yield from credentials(held, key)


def settings_of(text: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A configuration as the daemon reads it, its credentials given."""
    for name in [name for name in os.environ if name.startswith("BLUEGREEN_")]:
        monkeypatch.delenv(name)
    given = directory / "credentials"
    given.mkdir(exist_ok=True)
    for name, content in credentials(msgspec.toml.decode(text)):
        (given / name).write_text(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    file = directory / "bluegreen.toml"
    file.write_text(text)
    file.chmod(0o640)
    return load(file)


@those("bluegreen.toml")
def test_every_configuration_is_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(block.body, tmp_path, monkeypatch)
    assert settings.warnings == ()


@those("releases/")
def test_every_release_file_is_read(block: Block, tmp_path: Path) -> None:
    name = Path(block.file).name.removesuffix(".toml")
    (tmp_path / f"{name}.toml").write_text(block.body)
    assert read_release(tmp_path, name).version == name


@those("compose", "docker-compose", "podman-compose")
def test_every_compose_file_is_yaml_with_services(block: Block) -> None:
    document = msgspec.yaml.decode(block.body.encode())
    assert document["services"]
    for service in document["services"].values():
        assert "latest" not in service.get("image", "latest-free"), "the guides pin what they run"


@pytest.mark.real
@those("Caddyfile")
async def test_every_caddyfile_is_adapted_by_a_real_caddy(block: Block, tmp_path: Path) -> None:
    try:
        caddy = caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    file = tmp_path / "Caddyfile"
    await asyncio.to_thread(file.write_text, _with_imports(block.body, tmp_path))
    argv = [str(caddy), "adapt", "--adapter", "caddyfile", "--config", str(file)]
    ran = await run_command(argv, timeout=30.0, env=environment({"XDG_DATA_HOME": str(tmp_path)}))
    assert ran.code == 0, ran.output


def _with_imports(text: str, directory: Path) -> str:
    """The Caddyfile with the files that it imports of ours: one line for a snippet, the arms for the others."""
    arms = "\n".join(
        f"({name}) {{\n\treverse_proxy 127.0.0.1:1\n}}" for name in re.findall(r"import (bluegreen_\w+)", text)
    )
    (directory / "arms.caddy").write_text(f"{arms}\n")
    (directory / "snippet.caddy").write_text("to 127.0.0.1:1\n")
    text = re.sub(r"import /etc/caddy/bluegreen\.caddy", f"import {directory}/arms.caddy", text)
    return re.sub(r"import /etc/caddy/bluegreen/[\w.-]+\.caddy", f"import {directory}/snippet.caddy", text)


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide != INDEX], ids=lambda guide: guide.stem)
def test_every_guide_has_a_whole_configuration(guide: Path) -> None:
    assert [block for block in blocks(guide) if block.file == "bluegreen.toml"], "nobody could follow it to its end"


def test_the_index_names_every_guide_and_they_are_there() -> None:
    there = {guide.stem for guide in GUIDES if guide != INDEX}
    assert set(EXPECTED) <= there
    named = set(re.findall(r"\]\(([\w-]+)\.md\)", INDEX.read_text()))
    assert named == there


def test_a_configuration_that_is_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BluegreenError):
        settings_of('project = "x"\nautomation = "sometimes"\n', tmp_path, monkeypatch)
