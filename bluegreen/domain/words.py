"""Texts with values in them: `{name}` stands for a value that is known by then; other braces stay as they are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

WORD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A value by its name."""

RELEASE = "release"
COLOUR = "colour"
GIVEN = (RELEASE, COLOUR)
"""Values that are there without being configured, where one colour is asked: the release it should run, its name."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with the values it names."""
    return WORD.sub(lambda found: values.get(found[1], found[0]), text)


def filled_leaves(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value whose texts are filled in; its names stay."""
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {name: filled_leaves(each, values) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled_leaves(each, values) for each in value]
    return value


def words_in(value: Any) -> Iterator[str]:
    """The names in all texts of a JSON value."""
    if isinstance(value, str):
        yield from WORD.findall(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from words_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from words_in(each)
