"""Files of NAME=value lines, read as docker compose reads an `.env` file (compose-go, package dotenv).

Comments, `export`, quotes over several lines, escapes in double quotes, a comment behind a bare value, CRLF and a byte
order mark. No ${NAME} is filled in: it is compared as it is written. No text of an error holds any of a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BOM = "\ufeff"
BLANK = " \t\v\f\r\x85\xa0"
"""What stands between words of a line."""

NAME = re.compile(r"[\w.\-\[\]]+")
EXPORT = re.compile(r"export[ \t\v\f\r\x85\xa0]+(?=[\w.\-\[\]])")
ESCAPE = re.compile(r'\\(?:([abfnrtv$"\\])|0([0-7]{3}))')
PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$", '"': '"', "\\": "\\"}


class EnvUnreadable(ValueError):
    """A line is none of NAME=value. The text says which, and nothing of what stands there: where quotes are missing
    around a key of several lines, what looks like a name is a part of it."""


@dataclass(frozen=True, slots=True)
class EnvText:
    """What a file gives: `values` by name; `bare` names stand there without a value, and take the one that whoever
    reads the file has in its own environment."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    bare: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All names that stand there."""
        return self.bare | self.values.keys()


def read_env(text: str) -> EnvText:
    """The variables of a file; of a name that stands there twice, the latter. Raises EnvUnreadable."""
    reading = _Reading(text.removeprefix(BOM).replace("\r\n", "\n"))
    values: dict[str, str] = {}
    bare: set[str] = set()
    while reading.to_statement():
        name = reading.name()
        value = reading.value()
        bare.discard(name)
        values.pop(name, None)
        if value is None:
            bare.add(name)
        else:
            values[name] = value
    return EnvText(values, frozenset(bare))


class _Reading:
    """A text, and how far it was read."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def to_statement(self) -> bool:
        """Go to the next statement, past blanks and comments; False at the end."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._skip_line()
            elif self._text[self._at] in BLANK + "\n":
                self._at += 1
            else:
                return True
        return False

    def name(self) -> str:
        """The name at the beginning of a statement."""
        if export := EXPORT.match(self._text, self._at):
            self._at = export.end()
        found = NAME.match(self._text, self._at)
        if found is None:
            raise EnvUnreadable(f"line {self._line}: no name of a variable begins it")
        self._at = found.end()
        self._skip_blanks()
        return found[0]

    def value(self) -> str | None:
        """What is behind the name; None where there is only the name."""
        mark = self._text[self._at : self._at + 1]
        if mark in ("", "\n", "#"):
            return None
        if mark not in "=:":
            raise EnvUnreadable(f'line {self._line}: neither "=" nor ":" follows the name')
        self._at += 1
        self._skip_blanks()
        mark = self._text[self._at : self._at + 1]
        return self._quoted(mark) if mark and mark in "'\"" else self._unquoted()

    def _unquoted(self) -> str:
        """To the end of the line, or to a comment behind something and a space."""
        end = self._text.find("\n", self._at)
        line = self._text[self._at :] if end < 0 else self._text[self._at : end]
        self._at += len(line)
        return line.split(" #", 1)[0].rstrip(BLANK)

    def _quoted(self, quote: str) -> str:
        """To the next quote of its kind that no backslash stands before."""
        line, start = self._line, self._at + 1
        kept, at = [], start
        while at < len(self._text):
            character = self._text[at]
            if character == "\\" and at + 1 < len(self._text):
                following = self._text[at + 1]
                kept.append(following if following == quote and quote == "'" else character + following)
                at += 2
            elif character == quote:
                self._at = at + 1
                return "".join(kept) if quote == "'" else ESCAPE.sub(_unescaped, "".join(kept))
            else:
                kept.append(character)
                at += 1
        raise EnvUnreadable(f"line {line}: a quoted value does not end")

    @property
    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _skip_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end + 1

    def _skip_blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in BLANK:
            self._at += 1


def _unescaped(found: re.Match[str]) -> str:
    return PLAIN[found[1]] if found[1] else chr(int(found[2], 8) & 0xFF)
