"""What is wrong with a file, in the words of somebody who has to put it right at night.

Each problem names the file and the line (or the variable), the key, what was expected and an example. Values are shown,
except secrets, and except those of unknown keys: a misspelt `dsn` holds a password like the right one.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from bluegreen.domain.records import Json
from bluegreen.logs import SECRET_NAME
from bluegreen.settings.places import Keys, Places, nearest
from bluegreen.settings.section import is_list, is_table, keys, named_tables, section_in, shape
from bluegreen.settings.shown import printable, quoted, written


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right: where it stands (line None: in no line), which key, and what to write there."""

    file: str
    line: int | None
    key: str
    text: str
    variable: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (self.variable or where, self.key, self.text) if part)

    def as_json(self) -> Json:
        """The same as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read into a model: what errors are explained by. `variable` names the one a value came from."""

    model: type[BaseModel]
    file: Path
    places: Places
    variable: Callable[[Keys], str | None] = lambda path: None

    def explain(self, failure: ValidationError) -> list[Problem]:
        """Every error as a problem, in the order of the file."""
        found = [self._problem(error) for error in failure.errors(include_url=False)]
        return sorted(found, key=lambda problem: (problem.line or 0, problem.key))

    def _problem(self, error: Any) -> Problem:
        path = error["loc"]
        key = ".".join(printable(part) for part in path if isinstance(part, str) and part != "[key]")
        source = None if path in self.places else self.variable(path)
        text = _text(error, *_at(self.model, path))
        return Problem(str(self.file), None if source else self.places.line(path), key, text, source or "")


def _at(model: type[BaseModel], path: Keys) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost section on the way to a key, and the field there (None: the section has no such key)."""
    section, field = model, None
    for part in path:
        if isinstance(part, int):
            continue
        inner = section_in(field.annotation) if field is not None else None
        section = inner or section
        if field is not None and inner is None:
            break  # inside of a plain value
        field = keys(section).get(part)
        if field is None and named_tables(section) is not None and part != path[-1]:
            section = named_tables(section)
    return section, field


def _text(error: Any, section: type[BaseModel], field: FieldInfo | None) -> str:
    kind, path, value = error["type"], error["loc"], error["input"]
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "rule":
        return str(error["ctx"]["text"])
    if kind == "extra_forbidden" or field is None:
        return _unknown(key, section)
    if kind == "missing":
        return _missing(key, field)
    limits = error.get("ctx", {})
    told = LIMITS.get(kind)
    if told is not None:
        return f"{told.format(**limits)}, {_example(key, field)}"
    return f"{_wrong(value, key, field)}, {_example(key, field)}"


LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "too_short": "needs at least one item",
    "string_too_short": "is empty",
}


def _unknown(key: str, section: type[BaseModel]) -> str:
    known = keys(section)
    meant = nearest(key, known)
    if meant:
        return f'unknown key "{printable(key)}"; did you mean "{meant}"?'
    return f'unknown key "{printable(key)}"; the keys here are: {", ".join(known)}'


def _missing(key: str, field: FieldInfo) -> str:
    section = section_in(field.annotation)
    if section is not None:
        return f"is missing. {' '.join((section.__doc__ or '').split())}"
    return f"is missing, {_example(key, field)}. {field.description}"


def _wrong(value: object, key: str, field: FieldInfo) -> str:
    word = shape(field.annotation, tuple(field.metadata)).word
    if section_in(field.annotation) is not None or is_table(field.annotation):
        word = "list of tables" if is_list(field.annotation) else "table"
    shown = "the value" if SECRET_NAME.search(key) else quoted(value)
    if " or " in word:
        meant = nearest(str(value), [option.strip('"') for option in word.split(" or ")])
        return f"{shown} is not {word}" + (f'; did you mean "{meant}"?' if meant else "")
    return f"{shown} is not a {word}"


def _example(key: str, field: FieldInfo) -> str:
    example = field.examples[0] if field.examples else shape(field.annotation, tuple(field.metadata)).example
    return f"for example {key} = {written(example)}"
