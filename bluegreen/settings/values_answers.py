"""The types that say what an answer is, and where something stands in it."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from bluegreen.settings.section import Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import matching

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HeaderName = Annotated[
    str,
    AfterValidator(matching(HEADER, "a header name", "it has no spaces and no colon")),
    Shape("header name", "content-type"),
]


def _pointer(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(
            f'{quoted(value)} is no JSON pointer (RFC 6901): it begins with "/", for example "/checks/0/status"'
        )
    return value


def _json_value(value: object) -> object:
    if not isinstance(value, str | int | float | list):
        raise ValueError("must be a text, a number, true, false or a list of these")  # noqa: TRY004 - pydantic's protocol
    return value


def _version_place(value: str) -> str:
    kind, _, where = value.partition(":")
    if value == "body" or (kind == "json" and where.startswith("/")) or (kind == "header" and HEADER.fullmatch(where)):
        return value
    if kind == "body" and where:
        return _with_regex(value, where)
    raise ValueError(
        f'{quoted(value)} is no place in an answer: write "json:/POINTER", "header:NAME", "body" or "body:REGEX", '
        'for example "json:/version"'
    )


def _capture_place(value: str) -> str:
    kind, colon, where = value.partition(":")
    if value in ("redirect", "form-action") or (kind in ("form", "form-action") and where):
        return value
    if kind == "cookie" and colon and HEADER.fullmatch(where):
        return value
    if kind in ("json", "header", "body"):
        return _version_place(value)
    raise ValueError(
        f'{quoted(value)} is no place in an answer: write "json:/POINTER", "header:NAME", "cookie:NAME", "form:FIELD", '
        '"form-action", "redirect" or "body:REGEX"'
    )


def _with_regex(value: str, regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as exc:
        raise ValueError(f"{quoted(regex)} is not a regular expression: {exc}") from exc
    return value


JsonPointer = Annotated[str, AfterValidator(_pointer), Shape("JSON pointer", "/status")]
JsonValue = Annotated[Any, AfterValidator(_json_value), Shape("JSON value", "ok")]
VersionPlace = Annotated[str, AfterValidator(_version_place), Shape("place", "json:/version")]
"""Where something stands in an answer, a version above all."""

CapturePlace = Annotated[str, AfterValidator(_capture_place), Shape("place", "form:csrf_token")]
"""Where a value stands that later steps of a flow need."""
