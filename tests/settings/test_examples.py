"""The files in config/ are the manual: they work as they are, and hold every key and its true default."""

import asyncio
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.processes import environment, run_command
from bluegreen.settings import documentation, load, read_release
from bluegreen.settings.manual import NOT_SET, REQUIRED
from bluegreen.settings.model import Settings
from bluegreen.settings.releases import ReleaseFile

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = (CONFIG / "bluegreen.example.toml").read_text()
OFF = re.compile(r"^#(?=[\w.]+ = )", re.MULTILINE)
"""A setting that is off; prose has a space after its #."""

OPEN_TABLES = ("environment", "headers", "header", "json", "match", "form", "capture", "values")
CREDENTIALS = {
    "olympus-dsn": "postgresql://olympus@127.0.0.1/olympus",
    "alertmanager-token": "0123456789abcdef",
    "cloudflare-token": "0123456789abcdefghij",
    "preview": "not-to-be-guessed",
    "probe-user": "a-password",
    "team-chat-webhook": "https://chat.example.org/hooks/1",
}


def said(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """Each key that a file sets, as the manual names it, with its value."""
    for key, value in table.items():
        name = f"{path}.{key}".lstrip(".")
        name = re.sub(r"^environments\.(blue|green)", "environments.<colour>", name)
        name = re.sub(r"^hooks\.alertmanager", "hooks.<name>", name)
        if isinstance(value, dict) and key not in OPEN_TABLES and "credential" not in value:
            yield from said(value, name)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                yield from said(item, name)
        else:
            yield name, value


def everything_on() -> dict[str, Any]:
    return tomllib.loads(OFF.sub("", EXAMPLE))


@pytest.fixture
def given_credentials(credentials: Path) -> None:
    for name, text in CREDENTIALS.items():
        (credentials / name).write_text(text)


@pytest.fixture
def example(tmp_path: Path, given_credentials: None) -> Path:
    path = tmp_path / "bluegreen.toml"
    path.write_text(EXAMPLE)
    return path


def test_the_example_is_a_working_configuration(example: Path) -> None:
    settings = load(example)
    assert settings.project == "olympus"
    assert [service.name for service in settings.services] == ["web", "identity", "mailer"]
    assert settings.databases[0].dsn.get_secret_value() == CREDENTIALS["olympus-dsn"]
    assert settings.warnings == ()


def test_the_example_works_with_every_setting_turned_on(example: Path) -> None:
    example.write_text(OFF.sub("", EXAMPLE))
    assert load(example).deadlines.standing_by == 7200.0


def test_the_example_holds_every_key_and_no_other() -> None:
    described = {entry.key for entry in documentation() if not entry.is_section}
    assert {name for name, _ in said(everything_on())} == described


def test_what_is_off_in_the_example_stands_there_with_its_default() -> None:
    defaults = {entry.key: entry.default for entry in documentation()}
    on = {name for name, _ in said(tomllib.loads(EXAMPLE))}
    off = [(name, value) for name, value in said(everything_on()) if name not in on]
    compared = [(name, value, defaults[name]) for name, value in off if defaults[name] != NOT_SET]
    assert len(compared) > 30
    for name, value, default in compared:
        assert default != REQUIRED, name
        assert value == tomllib.loads(f"value = {default}")["value"], name


def test_the_example_fits_a_page() -> None:
    for name in ("bluegreen.example.toml", "release.example.toml"):
        assert max(map(len, (CONFIG / name).read_text().splitlines())) <= 118, name


def test_the_example_release_is_a_release(tmp_path: Path) -> None:
    (tmp_path / "1.2.0.toml").write_text((CONFIG / "release.example.toml").read_text())
    release = read_release(tmp_path, "1.2.0")
    assert set(release.variables) == {"WEB_IMAGE", "IDENTITY_IMAGE"}
    assert {name for name, _ in documentation_of_a_release()} == {
        *("version", "variables", "images", "components", "migrations", "changelog", "env_example")
    }


def documentation_of_a_release() -> list[tuple[str, str]]:
    return [(entry.key, entry.description) for entry in documentation(ReleaseFile)]


async def test_the_example_caddyfile_is_what_bluegreen_needs(example: Path, tmp_path: Path) -> None:
    settings = load(example)
    adapted = json.loads(await _adapted(settings, tmp_path))
    assert adapted["admin"]["listen"].startswith(settings.caddy.admin)
    found = list(_objects(adapted))
    writers = [one for one in found if one.get("output") == "file"]
    appended = [one for one in found if one.get("handler") == "log_append"]
    proxies = [one for one in found if one.get("handler") == "reverse_proxy"]
    hosts = {host for one in found for match in one.get("match", []) for host in match.get("host", [])}
    assert hosts == {service.site for service in settings.routed}
    assert {(one["filename"], one["mode"]) for one in writers} == {(str(settings.caddy.access_log), "0640")}
    assert {(one["key"], one["value"]) for one in appended} == {("upstream", "{http.reverse_proxy.upstream.hostport}")}
    assert len(appended) == len(proxies) == len(settings.routed)
    dials = {tuple(upstream["dial"] for upstream in proxy["upstreams"]) for proxy in proxies}
    assert dials == {service.blue for service in settings.routed}


async def test_the_example_caddyfile_is_formatted() -> None:
    ran = await run_command(
        [str(caddy_binary()), "fmt", "--diff", str(CONFIG / "Caddyfile.example")], timeout=30.0, env=environment()
    )
    assert ran.code == 0, ran.output


async def _adapted(settings: Settings, directory: Path) -> str:
    """The Caddyfile as JSON, with snippets of the live colour where the example has them."""
    text = (CONFIG / "Caddyfile.example").read_text()
    for service in settings.routed:
        path = settings.caddy.dir / f"{service.name}.caddy"
        assert f"import {path}\n" in text
        snippet = directory / path.name
        await asyncio.to_thread(snippet.write_text, f"to {' '.join(service.blue)}\n")
        text = text.replace(str(path), str(snippet))
    file = directory / "Caddyfile"
    await asyncio.to_thread(file.write_text, text)
    out = directory / "adapted.json"
    ran = await run_command(
        ["sh", "-c", '"$0" adapt --adapter caddyfile --config "$1" > "$2"', str(caddy_binary()), str(file), str(out)],
        timeout=30.0,
        env=environment(),
    )
    assert ran.code == 0, ran.output
    assert "warn" not in ran.output, ran.output
    return await asyncio.to_thread(out.read_text)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)
