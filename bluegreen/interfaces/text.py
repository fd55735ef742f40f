"""Text for people: untrusted words made harmless, times as people say them, and marks that need no colour."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

import click

T = TypeVar("T")

DONE, FAILED, STOPPED, RUNNING, WAITING, NOTHING, WARNING = "✔", "✖", "■", "▶", "…", "·", "!"
"""Glyphs; a word always stands beside them."""

LABELS = 30
"""Columns in which glyphs, labels and times stand."""

TONES = {DONE: "green", FAILED: "red", STOPPED: "yellow", RUNNING: "cyan", WARNING: "yellow"}


def clean(text: str) -> str:
    """One line without anything that a terminal obeys: escapes, line breaks, direction marks."""
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _OBEYED else character


_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def cleaned(value: T) -> T:
    """The same object with every text in it clean: what is rendered from it cannot steer the terminal."""
    made: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        made = clean(value)
    elif is_dataclass(value) and not isinstance(value, type):
        made = replace(value, **{field.name: cleaned(getattr(value, field.name)) for field in fields(value)})
    elif isinstance(value, Mapping):
        made = {cleaned(key): cleaned(item) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)([cleaned(item) for item in value])
    return made  # type: ignore[no-any-return]


def block(text: str) -> list[str]:
    """Lines of a longer text, each clean."""
    return [clean(line.expandtabs()) for line in text.splitlines()]


def duration(seconds: float) -> str:
    """Seconds as people say them, two units at most: "40ms", "0.4s", "12s", "3m 5s", "2h", "4d 1h"."""
    if 0.0005 <= seconds < 0.095:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s".replace(".0s", "s")
    left = round(seconds)
    parts = []
    for name, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts.append((count, name))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count}{name}" for count, name in parts[first : first + 2] if count)


def clock(at: datetime) -> str:
    """Local time of day."""
    return f"{at.astimezone():%H:%M:%S}"


def until(at: datetime, now: datetime) -> str:
    """A local time to come; with its day where that is another one."""
    local, today = at.astimezone(), now.astimezone()
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%a %d %b %H:%M}"


def moment(at: datetime) -> str:
    """Local date and time."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def ago(at: datetime, now: datetime) -> str:
    """How long it is past."""
    return f"{duration(max((now - at).total_seconds(), 0.0))} ago"


def wrapped(line: str, width: int) -> list[str]:
    """A line of ours in pieces that fit a terminal, the later ones below where its text began."""
    if len(click.unstyle(line)) <= width:
        return [line]
    indent = _text_begins(click.unstyle(line))
    pieces, used = [line[:0]], 0
    for word in re.split(r"(?<=\S) ", line):
        length = len(click.unstyle(word)) + 1
        if used and used + length > width + 1:
            pieces.append(" " * indent)
            used = indent
        pieces[-1] += f"{word} "
        used += length
    return [piece.rstrip() for piece in pieces]


def _text_begins(plain: str) -> int:
    """The column after glyph, label and time: where the last wide gap near the beginning ends. A line without a label
    begins below the text of the one before."""
    gaps = [found.end() for found in re.finditer(r"\S {2,}(?=\S)", plain) if found.end() <= LABELS]
    begins = len(plain) - len(plain.lstrip())
    return gaps[-1] if gaps else max(begins if begins <= LABELS else 2, 2)


def mark(glyph: str) -> str:
    """A glyph in its tone."""
    tone = TONES.get(glyph)
    return click.style(glyph, fg=tone, bold=True) if tone else glyph


def dot(colour: str) -> str:
    """The mark of the colour that serves."""
    return click.style("●", fg=colour)


def strong(text: str) -> str:
    """What matters most on the line."""
    return click.style(text, bold=True)


def faint(text: str) -> str:
    """What is there for reference."""
    return click.style(text, dim=True)


def paragraph(label: str, text: str, width: int = 12) -> str:
    """A labelled line under a heading."""
    return f"  {label:<{width}}{text}"


def remark(glyph: str, label: str, text: str) -> str:
    """A labelled line that a glyph draws the eye to."""
    return f"  {mark(glyph)} {label:<10}{text}"


def commands(next: tuple[str, ...]) -> list[str]:
    """What to type next, one command a line."""
    return [f"  {'next:' if index == 0 else '  or:'} {strong(command)}" for index, command in enumerate(next)]
