"""A TOML file as data and as lines. tomllib's errors become a Problem with the line it means."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.settings.places import Places
from bluegreen.settings.problems import Problem

LARGEST = 1024 * 1024
LINE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")


class Unreadable(Exception):
    """A file that cannot be read as TOML; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, where it says it, and its bytes."""

    file: Path
    data: dict[str, Any]
    places: Places
    content: bytes


def read_document(file: Path) -> Document:
    """Read a TOML file. Raises FileNotFoundError, and Unreadable for all else that can be wrong with it."""
    content = _content(file)
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise Unreadable(Problem(str(file), line, "", "is not UTF-8 text")) from exc
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise Unreadable(_syntax(file, text, str(exc))) from exc
    return Document(file, data, Places(text), content)


def _content(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():
            raise Unreadable(Problem(str(file), None, "", "is not a regular file"))
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise Unreadable(Problem(str(file), None, "", f"cannot be read: {exc.strerror}")) from exc
    if len(content) > LARGEST:
        raise Unreadable(Problem(str(file), None, "", f"is larger than {LARGEST} bytes"))
    return content


def _syntax(file: Path, text: str, message: str) -> Problem:
    place = LINE.search(message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return Problem(str(file), line, "", f"is not TOML: {LINE.sub('', message)}")
