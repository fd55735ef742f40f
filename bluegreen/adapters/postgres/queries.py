"""The questions of `queries.sql` by their names."""

import re
from functools import cache
from importlib.resources import files

SEPARATOR = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def query(name: str) -> str:
    """The text of one question."""
    return _all()[name]


def script(name: str) -> str:
    """A whole file of SQL that lies beside this one."""
    return (files(__package__) / name).read_text(encoding="utf-8")


@cache
def _all() -> dict[str, str]:
    _, *parts = SEPARATOR.split(script("queries.sql"))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
