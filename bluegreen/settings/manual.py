"""The manual of the configuration and what may be shown of it, both made from the model: they cannot drift from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings.model import Settings
from bluegreen.settings.places import nearest
from bluegreen.settings.section import is_list, keys, named_tables, section_in, shape
from bluegreen.settings.sections_stack import Environments
from bluegreen.settings.shown import written

REQUIRED = "required"
NOT_SET = "not set"
OPTIONAL = "optional"
SECTION = "section"
LIST_OF_SECTIONS = "list of sections"
COLOURS = ("blue", "green")


class Entry(NamedTuple):
    """One key: its path, its type and its default in words, and what it means. Sections are entries too."""

    key: str
    type: str
    default: str
    description: str

    @property
    def is_section(self) -> bool:
        """Whether it is a heading for other entries."""
        return self.type in (SECTION, LIST_OF_SECTIONS)


def documentation(model: type[BaseModel] = Settings) -> list[Entry]:
    """Every section and key in the order of the file; <colour> and <name> stand for names in a path."""
    return list(_entries(model, ""))


def documented(key: str) -> list[Entry]:
    """The entries of one key, or of a section and all in it. Raises ConfigurationError with the nearest key."""
    entries = documentation()
    wanted = _generic(key.strip("[]. "))
    found = [entry for entry in entries if _is_about(entry.key, wanted)]
    if found:
        return found
    names = {entry.key for entry in entries}
    meant = nearest(wanted, names) or next((name for name in names if name.endswith(f".{wanted}")), None)
    raise ConfigurationError(
        f'There is no key "{key}".' + (f' Did you mean "{meant}"?' if meant else ""),
        next=(f"bluegreen config docs {meant}" if meant else "bluegreen config docs",),
    )


def json_schema() -> dict[str, Any]:
    """The configuration as JSON Schema (2020-12), for editors; what the rules between keys refuse it does not know."""
    schema = Settings.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "bluegreen.toml"}


def manual_page(key: str) -> str:
    """The longest beginning of a key that `documented` knows; "" where even its section is unknown."""
    parts = key.split(".")
    while parts and not any(_is_about(entry.key, _generic(".".join(parts))) for entry in documentation()):
        parts.pop()
    return ".".join(parts)


def masked(settings: Settings) -> dict[str, Any]:
    """The settings in force as plain data in the words of the file; of secrets, at most where they come from."""
    return settings.model_dump(mode="json", by_alias=True)


def _generic(key: str) -> str:
    for colour in COLOURS:
        key = key.replace(f"environments.{colour}", "environments.<colour>")
    return key


def _entries(model: type[BaseModel], prefix: str) -> Iterator[Entry]:
    if model is Environments:
        field = model.model_fields["blue"]
        yield from _entry(f"{prefix}<colour>", field)
        return
    for key, field in keys(model).items():
        yield from _entry(f"{prefix}{key}", field)
    if (named := named_tables(model)) is not None:
        yield Entry(f"{prefix}<name>", SECTION, OPTIONAL, _doc(named))
        yield from _entries(named, f"{prefix}<name>.")


def _entry(key: str, field: FieldInfo) -> Iterator[Entry]:
    section = section_in(field.annotation)
    if section is None:
        yield Entry(key, _type(field), _default(field), field.description or "")
        return
    kind = LIST_OF_SECTIONS if is_list(field.annotation) else SECTION
    yield Entry(key, kind, REQUIRED if field.is_required() else OPTIONAL, _doc(section))
    yield from _entries(section, f"{key}.")


def _type(field: FieldInfo) -> str:
    return shape(field.annotation, tuple(field.metadata)).word


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return REQUIRED
    return NOT_SET if field.default is None else written(field.default)


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _is_about(name: str, wanted: str) -> bool:
    parts, given = name.split("."), wanted.split(".")
    return len(parts) >= len(given) and all(
        part == word or part == "<name>" for part, word in zip(parts, given, strict=False)
    )
