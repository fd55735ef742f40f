"""TOML as it is written for people: values that are safe whatever was found, and comments that fit a line."""

import json
from collections.abc import Iterable
from textwrap import wrap

WIDTH = 118


def quoted(text: str) -> str:
    """A basic string; what a terminal would obey is left out."""
    return json.dumps("".join(char for char in text if char.isprintable()), ensure_ascii=False)


def quoted_list(values: Iterable[str]) -> str:
    """An array of them on one line."""
    return f"[{', '.join(quoted(value) for value in values)}]"


def comment(text: str, begin: str = "# ") -> str:
    """A comment, on as many lines as it takes; nothing in it can end it."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    indent = begin + " " * (len(plain) - len(plain.lstrip(" ")))
    if begin == "#":
        return f"#{plain}"
    wrapped = wrap(plain.strip(), WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"{indent}{line}" for line in wrapped or [""])
