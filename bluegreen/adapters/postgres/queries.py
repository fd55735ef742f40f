"""Questions in SQL by their names, from a `queries.sql` that lies beside the code of a family."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files

MARK = "/* bluegreen */"
"""Stands in our own questions to production's tables, so that a rehearsal does not take them for the running
version's."""

SEPARATOR = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def questions(package: str, file: str = "queries.sql") -> Callable[[str], str]:
    """Gives the text of one question of that file by its name."""
    return lambda name: _all(package, file)[name]


def script(package: str, file: str) -> str:
    """A whole file of SQL of a family."""
    return (files(package) / file).read_text(encoding="utf-8")


@cache
def _all(package: str, file: str) -> dict[str, str]:
    _, *parts = SEPARATOR.split(script(package, file))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


query = questions(__package__)
"""The questions that several families ask."""
