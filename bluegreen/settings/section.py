"""What every section of the configuration is: frozen, closed to unknown keys, and its own manual.

`Shape` is the word for a type that people read in `config docs` and in errors; the functions walk a model the way
the manual, the environment and the errors have to: by the keys as they stand in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema


class Section(BaseModel):
    """A table of the configuration file. Defaults are written as in the file ("30s") and validated like it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


def as_written(text: str) -> Any:
    """A default in the words of the file ("30s"); it is validated like what stands in the file."""
    return text


@dataclass(frozen=True, slots=True)
class Shape:
    """How people call a type ("duration"), and a value of it as it is written in the file."""

    word: str
    example: object = field(hash=False)

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """As it is written in the file, where that is not what the program holds (pydantic asks for this)."""
        written = WRITTEN.get(self.word)
        return dict(written) if written is not None else handler(core_schema)


SECRET = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"credential": {"type": "string"}},
            "required": ["credential"],
            "additionalProperties": False,
        },
    ]
}
WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "duration": {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|[smhd]))+$"},
    "size": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?)?B$"},
    "percentage": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"},
    "HTTP status, or a list of them": {
        "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]
    },
    "share and duration": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?% +([0-9]+(\.[0-9]+)?(ms|[smhd]))+$"},
    "secret": SECRET,
    "secret connection string": SECRET,
    "secret URL": SECRET,
    "text or credential": SECRET,
}
"""Types that the file writes in another way than the program holds them, as JSON Schema."""

PLAIN = {
    str: Shape("text", "text"),
    int: Shape("whole number", 3),
    float: Shape("number", 1.0),
    bool: Shape("true or false", True),
}


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by the key that stands in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def named_tables(model: type[BaseModel]) -> Any:
    """What a table of any other name in this section is ([hooks.<name>]); None where only the keys are allowed."""
    extra = model.__annotations__.get("__pydantic_extra__")
    return get_args(extra)[1] if extra is not None else None


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, once or in a list; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Union, UnionType, Annotated):
        return next((found for arg in get_args(annotation) if (found := section_in(arg))), None)
    return None


def is_list(annotation: Any) -> bool:
    """Whether a field is written as a list (or as [[tables]])."""
    return get_origin(_bare(annotation)) is tuple


def is_table(annotation: Any) -> bool:
    """Whether a field is a table whose keys the operator chooses."""
    return get_origin(_bare(annotation)) is dict


def shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    """The word and the example for a field's type; the outermost Shape wins."""
    own = next((item for item in metadata if isinstance(item, Shape)), None)
    if own is not None:
        return own
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape(args[0], args[1:])
    if origin is Literal:
        return Shape(_either(args), args[0])
    if origin in (Union, UnionType):
        return shape(next(arg for arg in args if arg is not NoneType))
    if origin is tuple:
        return Shape(f"[{shape(args[0]).word}, ...]", [shape(args[0]).example])
    if origin is dict:
        return Shape(f"{{ {shape(args[0]).word} = {shape(args[1]).word} }}", {"name": shape(args[1]).example})
    return PLAIN.get(annotation, Shape("table", {}))


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a field may hold; none where they are not a fixed few."""
    bare = _bare(annotation)
    return get_args(bare) if get_origin(bare) is Literal else ()


def item(annotation: Any) -> Any:
    """What each item of a list is; None where it is no list."""
    bare = _bare(annotation)
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def walk(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every plain value of loaded settings with the path of its key as it stands in the file."""
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from walk(getattr(value, name), (*path, info.alias or name))
        yield from walk(value.__pydantic_extra__ or {}, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    else:
        yield path, value


def _either(words: tuple[str, ...]) -> str:
    *first, last = [f'"{word}"' for word in words]
    return f"{', '.join(first)} or {last}" if first else last


def _bare(annotation: Any) -> Any:
    """Without None and without metadata."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not NoneType)
        else:
            return annotation
