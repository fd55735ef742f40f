"""The types that numbers which are asked for are made of. Each refuses with the sentence that the operator reads."""

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import jsonpath
from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from bluegreen.logs import SECRET_NAME
from bluegreen.settings import units
from bluegreen.settings.section import Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name

RESERVED = frozenset(
    {"5xx", "auth", "slow", "probe", "probes", "stuck", "access_log", "flows", "in_flight", "log_lines"}
)
"""Names that signals and sources of ours have."""


def _own(value: str) -> str:
    if value in RESERVED:
        raise ValueError(f'{quoted(value)} is a name of ours; call it otherwise, for example "{value}-of-mine"')
    return value


def _url(value: str) -> str:
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        usable = "{address}" in value and value.startswith(("http://", "https://"))  # not a host before it is filled in
        url = urlsplit("")
    if not usable or not value.isprintable() or " " in value:
        raise ValueError('is not a URL: write it with its scheme, for example "http://127.0.0.1:9090"')
    if "@" in url.netloc or any(SECRET_NAME.search(name) for name, _ in parse_qsl(url.query)):
        raise ValueError(
            "holds a credential, and it is shown in logs: write it without, and "
            'headers = { Authorization = { credential = "NAME" } }'
        )
    return value


def _json_place(value: str) -> str:
    if value.startswith("$"):
        return _json_path(value)
    if not value.startswith("/"):
        raise ValueError(
            f'{quoted(value)} is neither a JSON pointer ("/jobs/failed") nor a JSONPath ("$.jobs[0].failed")'
        )
    return value


def _json_path(value: str) -> str:
    environment = jsonpath.JSONPathEnvironment(strict=True)
    for name in ("match", "search"):  # a regular expression may take for ever over somebody's document
        del environment.function_extensions[name]
    try:
        environment.compile(value)
    except jsonpath.JSONPathError as exc:
        raise ValueError(f"{quoted(value)} is not a JSONPath: {str(exc).partition(chr(10))[0]}") from exc
    return value


SignalName = Annotated[Name, AfterValidator(_own)]
PlainUrl = Annotated[str, AfterValidator(_url), Shape("URL without credentials", "http://127.0.0.1:9090")]
JsonPlace = Annotated[str, AfterValidator(_json_place), Shape("JSON pointer or JSONPath", "/jobs/failed")]
Margin = Annotated[
    float,
    BeforeValidator(units.parse_percent),
    PlainSerializer(units.format_percent, return_type=str, when_used="json"),
    Shape("percentage", "20%"),
]
"""A fraction between 0 and 1."""
