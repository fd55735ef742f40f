"""Commands: argv lists, never a line for a shell, with the few {words} that are filled in."""

import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from bluegreen.settings.places import nearest
from bluegreen.settings.section import Shape
from bluegreen.settings.shown import written

SHELL = re.compile(r"[|&;<>$`*~]")
WORD = re.compile(r"(?<![${])\{([a-z_]+)\}")
WORDS = frozenset({"release", "colour", "dsn", "file"})


def check_argv(value: object) -> object:
    """The list itself. ValueError tells the list to write instead of a text."""
    if isinstance(value, str):
        advice = f"write {written(_words(value))}"
        raise ValueError(f"a command is a list, since no shell reads it: {advice}")  # noqa: TRY004 - pydantic's protocol
    if isinstance(value, list | tuple):
        if not value or value[0] == "":
            raise ValueError('a command names a program first: write a list like ["systemctl", "start", "app@blue"]')
        if any(isinstance(word, str) and "\0" in word for word in value):
            raise ValueError("a command cannot hold a NUL character")
    return value


class Placeholders:
    """Refuses a {word} that is misspelt or belongs to another command.

    Other braces stay as they are: `awk '{print}'` is a fine argument.
    """

    def __init__(self, *allowed: str) -> None:
        self._allowed = allowed

    def __call__(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        for word in (word for argument in argv for word in WORD.findall(argument)):
            if word not in self._allowed and nearest(word, WORDS):
                known = " and ".join(f"{{{name}}}" for name in self._allowed)
                raise ValueError(f"{{{word}}} is not filled in here; what is: {known or 'nothing'}")
        return argv


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    return ["sh", "-c", line] if SHELL.search(line) or not words else words


_list = BeforeValidator(check_argv)
_shape = Shape("command (a list)", ["systemctl", "start", "app@blue"])

Argv = Annotated[tuple[str, ...], _list, AfterValidator(Placeholders()), _shape]
ColourArgv = Annotated[tuple[str, ...], _list, AfterValidator(Placeholders("colour")), _shape]
ReleaseArgv = Annotated[tuple[str, ...], _list, AfterValidator(Placeholders("release", "colour")), _shape]
MigrationArgv = Annotated[tuple[str, ...], _list, AfterValidator(Placeholders("release", "dsn")), _shape]
BackupArgv = Annotated[tuple[str, ...], _list, AfterValidator(Placeholders("file")), _shape]
