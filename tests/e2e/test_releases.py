"""Release files with the whole daemon: what a plan shows of them, what is refused, and what a reason lets through."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from tests.e2e.yard import Yard

CHANGELOG = """\
# Changelog

## [1.2.0] - 2026-03-01
### Removed
- the old login page

## [1.1.0] - 2026-02-01
- CVE-2026-1234: fixed \x1b[2J
- quiet

## [1.0.0] - 2026-01-01
- first
"""


def release(version: str, image: str = "") -> str:
    return f'version = "{version}"\n[images]\nweb = "registry.example.org/web:{image or version}"\n'


@pytest.fixture
async def yard(short_directory: Path) -> AsyncIterator[Yard]:
    """Releases 1.1.0, 1.2.0 and one that nobody pinned; the changelog knows 1.0.0 to 1.2.0."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    releases = short_directory / "releases"
    releases.mkdir()
    (short_directory / "CHANGELOG.md").write_text(CHANGELOG)
    for version in ("1.1.0", "1.2.0"):
        (releases / f"{version}.toml").write_text(release(version))
    (releases / "1.1.1.toml").write_text(release("1.1.1", "latest"))
    keys = f'\n[release]\ndirectory = "{releases}"\nchangelog = "{short_directory}/CHANGELOG.md"\n'
    async with Yard(short_directory, retire=keys).running() as made:
        yield made


async def test_a_plan_shows_the_changelog_a_skip_needs_a_reason_and_latest_is_never_taken(yard: Yard) -> None:
    shown = await yard.cli("plan", "1.1.0")
    assert shown.code == 0, shown.output
    assert "! [security] - CVE-2026-1234: fixed" in shown.output
    assert "web registry.example.org/web:1.1.0" in shown.output
    assert "\x1b[2J" not in shown.output
    moving = await yard.cli("plan", "1.1.1")
    assert "1.1.1.toml:3: images.web" in moving.output
    assert "whatever was pushed last" in moving.output
    assert moving.code != 0
    refused = await yard.cli("deploy", "1.2.0", "-y")
    assert refused.code == 6, refused.output
    assert "skips the minor version 1.1" in refused.output
    assert "bluegreen plan 1.1.0" in refused.output
    passed = await yard.cli("deploy", "1.2.0", "-y", "--force", "--reason", "the vendor says so", "--no-watch")
    assert passed.code == 0, passed.output
    deployment = json.loads((await yard.cli("show", "current", "-o", "json")).output)
    plan = deployment["plan"] if "plan" in deployment else deployment["deployment"]["plan"]
    assert plan["overridden"] != []
    assert {line["version"]: line["marks"] for line in plan["changelog"] if not line["heading"]} == {
        "1.2.0": ["remove"],
        "1.1.0": ["security"],
    }
    assert "the vendor says so (past the gate" in (await yard.cli("audit")).output
