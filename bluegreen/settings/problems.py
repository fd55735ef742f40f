"""What is wrong with a file, in the words of somebody who has to put it right at night.

Each problem names the file and the line (or the variable), the key, what was expected and an example. Values are shown,
except secrets, and except those of unknown keys: a misspelt `dsn` holds a password like the right one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from bluegreen.domain.records import Json
from bluegreen.logs import SECRET_NAME
from bluegreen.settings.places import Keys, Places, nearest
from bluegreen.settings.section import choices, is_list, is_table, item, keys, named_tables, section_in, shape
from bluegreen.settings.shown import printable, quoted, written


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right: where it stands (line None: in no line), which key, and what to write there.

    `source` names what beat the file, if anything did ("variable BLUEGREEN_WATCH__WINDOW")."""

    file: str
    line: int | None
    key: str
    text: str
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (self.source or where, self.key, self.text) if part)

    def as_json(self) -> Json:
        """The same as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read into a model: what errors are explained by. `variable` names the one a value came from,
    and `beaten` tells whether it did though the file has the key too."""

    model: type[BaseModel]
    file: Path
    places: Places
    variable: Callable[[Keys], str | None] = lambda path: None
    beaten: Callable[[Keys], bool] = lambda path: False

    def explain(self, failure: ValidationError) -> list[Problem]:
        """Every error as a problem, in the order of the file."""
        errors = failure.errors(include_url=False)
        found = [self._problem(error) for error in errors if not _follows(error, errors)]
        return sorted(found, key=lambda problem: (problem.line or 0, problem.key))

    def _problem(self, error: Any) -> Problem:
        path = error["loc"]
        key = ".".join(printable(part) for part in path if isinstance(part, str) and part != "[key]")
        source = None if path in self.places and not self.beaten(path) else self.variable(path)
        text = _text(error, _spot(self.model, path), self.model)
        return Problem(str(self.file), None if source else self.places.line(path), key, text, source or "")


def _follows(error: Any, errors: Sequence[Any]) -> bool:
    """Whether a list is too short only because its items are wrong, which is told already."""
    path = error["loc"]
    return error["type"] == "too_short" and any(
        len(other["loc"]) > len(path) and other["loc"][: len(path)] == path for other in errors
    )


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where an error is: the innermost section, the key in it, its field (None: there is no such key), and whether the
    value is `inside` of the field's (an item of a list, an entry of a table)."""

    section: type[BaseModel]
    key: str
    field: FieldInfo | None
    inside: bool


def _spot(model: type[BaseModel], path: Keys) -> _Spot:
    spot = _Spot(model, "", None, inside=False)
    for number, part in enumerate(path):
        section = section_in(spot.field.annotation) if spot.field is not None else spot.section
        if section is None:
            return replace(spot, inside=True)
        if isinstance(part, int):
            continue
        named = named_tables(section)
        if part not in keys(section) and named is not None and number < len(path) - 1:
            spot = _Spot(named, part, None, inside=False)
        else:
            spot = _Spot(section, part, keys(section).get(part), inside=False)
    return spot


def _text(error: Any, spot: _Spot, model: type[BaseModel]) -> str:
    kind = error["type"]
    if kind in ("value_error", "rule"):
        return str(error["ctx"]["error" if kind == "value_error" else "text"])
    if spot.field is None:
        return _unknown(spot, model)
    if kind == "missing":
        return _missing(spot.key, spot.field)
    limit = LIMITS.get(kind)
    annotation = item(spot.field.annotation) if spot.inside else spot.field.annotation
    if limit is None and choices(annotation):
        return _no_choice(error["input"], annotation)
    text = limit.format(**error["ctx"]) if limit else _wrong(error["input"], spot.key, _kind(spot.field, spot.inside))
    return f"{text}, {_example(spot.key, spot.field)}"


FEW = 2
"""In more sections than this a key is too common for its section to be guessed."""

LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "too_short": "needs at least one item",
    "string_too_short": "is empty",
}


def _unknown(spot: _Spot, model: type[BaseModel]) -> str:
    known = keys(spot.section)
    homes = [f"[{home}]" for home in _homes(spot.key, model, "") if home]
    if meant := nearest(spot.key, known):
        advice = f'did you mean "{meant}"?'
    elif 0 < len(homes) <= FEW:
        advice = f"it belongs in {' or '.join(homes)}"
    else:
        advice = f"the keys here are: {', '.join(known)}"
    return f'unknown key "{printable(spot.key)}"; {advice}'


def _homes(key: str, section: type[BaseModel], name: str) -> Iterator[str]:
    """The sections that have this very key."""
    for other, field in keys(section).items():
        inner = section_in(field.annotation)
        if inner is not None:
            yield from _homes(key, inner, f"{name}.{other}".lstrip("."))
        elif other == key:
            yield name


def _missing(key: str, field: FieldInfo) -> str:
    section = section_in(field.annotation)
    if section is not None:
        return f"is missing. {' '.join((section.__doc__ or '').split())}"
    return f"is missing, {_example(key, field)}. {field.description}"


def _no_choice(value: object, annotation: Any) -> str:
    meant = nearest(str(value), choices(annotation))
    return f"{quoted(value)} is not {shape(annotation).word}" + (f'; did you mean "{meant}"?' if meant else "")


def _wrong(value: object, key: str, kind: str) -> str:
    shown = "the value" if SECRET_NAME.search(key) else quoted(value)
    return f"{shown} is not {kind}"


def _kind(field: FieldInfo, inside: bool) -> str:
    """What the value had to be."""
    section = section_in(field.annotation)
    if inside:
        return "text"
    if is_list(field.annotation):
        return "a list of tables" if section else "a list"
    if section or is_table(field.annotation):
        return "a table"
    word = shape(field.annotation, tuple(field.metadata)).word
    return word if word in ("text", "true or false") else f"a {word}"


def _example(key: str, field: FieldInfo) -> str:
    example = field.examples[0] if field.examples else shape(field.annotation, tuple(field.metadata)).example
    return f"for example {key} = {written(example)}"
