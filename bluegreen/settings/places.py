"""Where a key stands in a TOML file, and which key was meant.

tomllib tells no positions (https://docs.python.org/3/library/tomllib.html), and an error without a line sends the
operator searching. The scanner below walks a text that tomllib has already accepted and notes the line of every key.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from difflib import get_close_matches
from tomllib import loads

Keys = tuple[str | int, ...]
"""The way to a value: keys of tables, numbers of list items."""

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # a closing quotation mark may follow up to two of the text
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
SCALAR = re.compile(r"[^,\]}#\n]+")


class Places:
    """The line of each key of one file; index numbers stand for the items of lists."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._items: dict[Keys, int] = {}
        self._lines: dict[Keys, int] = {}
        self._document()

    def line(self, path: Keys) -> int | None:
        """The line of a key, or of the nearest table around it; None for what is nowhere in the file."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None

    def __contains__(self, path: object) -> bool:
        """Whether the file itself has this key."""
        return path in self._lines

    def _document(self) -> None:
        table: Keys = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Keys:
        line = self._line
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *outer, last = self._key()
        self._at = self._text.index("]" * brackets, self._at) + brackets
        table: Keys = ()
        for part in outer:
            table = self._enter((*table, part), line)
        table = (*table, last)
        if brackets == 2:
            self._items[table] = self._items.get(table, -1) + 1
        return self._enter(table, line)

    def _enter(self, table: Keys, line: int) -> Keys:
        """The table itself, or the latest item of an array of tables."""
        self._lines.setdefault(table, line)
        if table in self._items:
            table = (*table, self._items[table])
            self._lines.setdefault(table, line)
        return table

    def _pair(self, table: Keys) -> None:
        line = self._line
        for part in self._key():
            table = (*table, part)
            self._lines.setdefault(table, line)
        self._at = self._text.index("=", self._at) + 1
        self._value(table)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip_spaces()
            match = STRING.match(self._text, self._at) or BARE_KEY.match(self._text, self._at)
            assert match is not None  # noqa: S101 - tomllib has accepted this text
            self._at = match.end()
            parts.append(_unquoted(match[0]))
            self._skip_spaces()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Keys) -> None:
        self._skip_blank()
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            match = STRING.match(self._text, self._at) or SCALAR.match(self._text, self._at)
            self._at = match.end() if match else len(self._text)

    def _list(self, path: Keys) -> None:
        self._at += 1
        index = 0
        while not self._closes("]"):
            self._lines.setdefault((*path, index), self._line)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Keys) -> None:
        self._at += 1
        while not self._closes("}"):
            self._pair(path)

    def _closes(self, bracket: str) -> bool:
        """Step over blanks, a comma and the closing bracket; True after that one."""
        self._skip_blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip_blank()
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        return False

    def _skip_blank(self) -> bool:
        match = BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _skip_spaces(self) -> None:
        while self._text.startswith((" ", "\t"), self._at):
            self._at += 1

    @property
    def _line(self) -> int:
        return bisect_right(self._newlines, self._at - 1) + 1


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is near."""
    words = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(word.lower().replace("-", "_"), words, n=1, cutoff=0.6)
    return words[found[0]] if found else None


def _unquoted(key: str) -> str:
    return str(loads(f"key = {key}")["key"]) if key[0] in "\"'" else key
