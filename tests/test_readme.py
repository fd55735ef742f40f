"""What the documents say is so: the configuration, verbs, options, keys, routes, files and links that they name exist.

In the documents a fenced block has its language, and what can be typed or looked up stands between backquotes.
"""

import asyncio
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from bluegreen.__main__ import bluegreen
from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.domain.phases import Phase
from bluegreen.interfaces.api import ROUTES
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.processes import environment, run_command
from bluegreen.settings import documentation

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)", re.DOTALL)
PROMPT = re.compile(r"^(?:\$ |\s*(?:next|or): |[A-Z_]+=\S+ )*(?:\S*/)?bluegreen (?=\S)(.*)$")
KEY = re.compile(r"\[{1,2}([a-z_.<>]+)\]{1,2}(?: ([a-z_.]+))?")
ROUTE = re.compile(r"(GET|POST) (/\S+)")
OURS = re.compile(r"(?!.*[A-Z]{4})(?:bluegreen|tests|config|docs|benchmarks|\.ci)/[\w./-]*")
"""A path in this checkout; one with NAME or FAMILY in it is a pattern."""
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)

SECRETS = {"dsn": "postgresql://olympus@127.0.0.1:5432/olympus", "webhook": "https://chat.example.org/hook"}
"""What a credential of such a name holds, by the last word of the name."""


class Typed(NamedTuple):
    """A command line that a document tells to type, without the word `bluegreen`."""

    document: str
    text: str


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _fenced(path: Path, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(path.read_text()) if found == language]


def _prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def _words() -> Iterator[tuple[str, str]]:
    """Everything between backquotes, with the document it stands in."""
    for path in DOCUMENTS:
        yield from ((_name(path), code) for code in CODE.findall(_prose(path)))


def _typed() -> Iterator[Typed]:
    """Every command line of ours, in fenced blocks and between backquotes."""
    for path in DOCUMENTS:
        blocks = [body for _, body in FENCE.findall(path.read_text())]
        lines = [line for body in blocks for line in body.splitlines()] + CODE.findall(_prose(path))
        yield from (Typed(_name(path), found[1]) for line in lines if (found := PROMPT.match(line)))


# --- the configuration


def _check(directory: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """What `bluegreen config check` says of a configuration, its credentials given."""
    for name in [name for name in os.environ if name.startswith("BLUEGREEN_")]:
        monkeypatch.delenv(name)
    file, credentials = directory / "bluegreen.toml", directory / "credentials"
    file.write_text(text)
    file.chmod(0o640)
    credentials.mkdir()
    for name in re.findall(r'credential = "([^"]+)"', text):
        (credentials / name).write_text(SECRETS.get(name.rpartition("-")[2], "a-token-of-some-length"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    return CliRunner().invoke(bluegreen, ["config", "check", "--config", str(file)]).output


def _minimal() -> str:
    (text,) = _fenced(README, "toml")
    return text


def test_the_minimal_configuration_passes_its_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _check(tmp_path, monkeypatch, _minimal()) == f"✔ {tmp_path / 'bluegreen.toml'} is in order\n"


PIECES = {
    f"{_name(path)} {number}": body
    for path in DOCUMENTS
    if path != README
    for number, body in enumerate(_fenced(path, "toml"), start=1)
    if not body.startswith(("# bluegreen.toml", "# releases/"))  # whole files: tests/test_guides.py
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_every_piece_of_configuration_can_be_added_to_it(
    piece: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is in order" in (said := _check(tmp_path, monkeypatch, f"{_minimal()}\n{piece}")), said


def test_every_key_that_is_named_exists() -> None:
    known = {re.sub(r"<\w+>", "<>", entry.key) for entry in documentation()}
    unknown = [
        f"{document}: {code}"
        for document, code in _words()
        if (found := KEY.fullmatch(code))
        and re.sub(r"<\w+>", "<>", ".".join(filter(None, (found[1], found[2])))) not in known
    ]
    assert unknown == []


@pytest.mark.real
async def test_the_lines_for_the_caddyfile_are_what_the_configuration_needs(tmp_path: Path) -> None:
    try:
        caddy = caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    (text,) = _fenced(README, "caddyfile")
    snippet, file = tmp_path / "web.caddy", tmp_path / "Caddyfile"
    assert "import /etc/caddy/bluegreen/web.caddy\n" in text
    await asyncio.to_thread(snippet.write_text, "to 127.0.0.1:8001\n")
    await asyncio.to_thread(file.write_text, text.replace("/etc/caddy/bluegreen/web.caddy", str(snippet)))
    ran = await run_command(
        [str(caddy), "adapt", "--adapter", "caddyfile", "--config", str(file)], timeout=30.0, env=environment()
    )
    assert ran.code == 0, ran.output
    adapted = json.dumps(json.loads(ran.output[ran.output.index('{"') :]))
    for part in (
        '"listen": "unix//run/caddy/admin.sock|0220"',
        '"filename": "/var/log/caddy/access.log", "mode": "0640"',
        '"handler": "log_append", "key": "upstream", "value": "{http.reverse_proxy.upstream.hostport}"',
        '"dial": "127.0.0.1:8001"',
        '"host": ["olympus.example.org"]',
    ):
        assert part in adapted, part


# --- what can be typed


def _unknown_in(typed: Typed) -> str:
    """What of a command line does not exist; empty where all of it does."""
    words = shlex.split(typed.text, comments=True)
    command: click.Command = bluegreen
    context = click.Context(bluegreen)
    options = _options(command)
    for word in words:
        if word.startswith("-") and word != "-":  # that is a value: stdout
            if word.partition("=")[0] not in options:
                return f"{word} of bluegreen {typed.text}"
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return f"bluegreen {word}"
            command = found
            options |= _options(command)
    return ""


def _options(command: click.Command) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("document", sorted({typed.document for typed in _typed()}))
def test_every_verb_and_option_that_is_named_exists(document: str) -> None:
    assert [wrong for typed in _typed() if typed.document == document and (wrong := _unknown_in(typed))] == []


def test_a_verb_or_an_option_that_does_not_exist_is_noticed() -> None:
    assert _unknown_in(Typed("", "deploy 1.1.0 -y --reason 'because' # now")) == ""
    assert _unknown_in(Typed("", "config check --config FILE")) == ""
    assert _unknown_in(Typed("", "redeploy 1.1.0")) == "bluegreen redeploy"
    assert _unknown_in(Typed("", "config improve")) == "bluegreen improve"
    assert _unknown_in(Typed("", "cutback --slowly")) == "--slowly of bluegreen cutback --slowly"


def test_the_readme_names_every_verb_for_the_night() -> None:
    night = _prose(README).partition("## At 3 a.m.")[2].partition("\n## ")[0]
    for verb in ("status", "cutback", "abort", "rollback", "show", "logs", "watch", "resolve", "retry", "history"):
        assert f"`bluegreen {verb}" in night, verb


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = {code.split()[1] for _, code in _words() if code.startswith("make ")}
    assert named, "the documents name targets"
    assert named <= targets | {".venv"}


def test_the_exit_codes_are_all_there_and_no_others() -> None:
    section = (ROOT / "docs" / "operations.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == sorted(Exit)


def test_every_route_that_is_named_exists_and_every_route_is_named() -> None:
    routes = {f"{route.method} {route.path}" for route in ROUTES}
    named = {code for _, code in _words() if ROUTE.fullmatch(code)}
    assert named - {"POST /v1/hooks/{name}"} == routes


def test_every_phase_stands_in_the_story_with_its_ends() -> None:
    story = (ROOT / "docs" / "architecture.md").read_text().partition("## The story is a table")[2]
    rows = re.findall(r"^\| ([A-Z_]+) \|", story.partition("\n## ")[0], re.MULTILINE)
    assert rows == [phase for phase in Phase if not phase.final]


# --- what can be looked up


@pytest.mark.parametrize("floor", ["app", "interfaces"])
def test_every_file_of_a_large_floor_stands_on_the_map(floor: str) -> None:
    mapped = set(CODE.findall((ROOT / "docs" / "architecture.md").read_text()))
    files = {_name(path) for path in (ROOT / "bluegreen" / floor).rglob("*.py") if path.name != "__init__.py"}
    assert files - mapped == set()


def _anchors(path: Path) -> set[str]:
    """The headings as GitHub and others name them in links."""
    headings = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    wrong = []
    for link in LINK.findall(_prose(path)):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            wrong.append(link)
    assert wrong == []


def test_every_file_that_is_named_exists() -> None:
    missing = [
        f"{document}: {code}" for document, code in _words() if OURS.fullmatch(code) and not (ROOT / code).exists()
    ]
    assert missing == []
