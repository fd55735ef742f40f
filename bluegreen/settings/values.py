"""The types that the sections are made of. Each refuses with the sentence that the operator reads."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from bluegreen.settings import units
from bluegreen.settings.section import Shape
from bluegreen.settings.shown import quoted

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
"""A name goes into file names, argv and Caddy's @id: no separators, and no "-" or "." in front, where it would be an
option or a way up."""

HOST_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
ADDRESS = re.compile(rf"(\[[0-9A-Fa-f:.]+\]|{HOST_NAME}):([0-9]{{1,5}})")
SSH = re.compile(rf"ssh://(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:{HOST_NAME}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
SITE = re.compile(rf"(?:{HOST_NAME}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
GRANT = re.compile(r"(?:group|user):[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}|uid:[0-9]{1,10}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EVENT = re.compile(r"[a-z0-9_.*?-]+")

_directory: ContextVar[Path] = ContextVar("directory of the configuration", default=Path("/"))


@contextmanager
def relative_to(directory: Path) -> Iterator[None]:
    """While this lasts, relative paths in a configuration are read from `directory`."""
    token = _directory.set(directory)
    try:
        yield
    finally:
        _directory.reset(token)


def is_loopback(host: str) -> bool:
    """Whether a host names this machine in a way that nobody else can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def same_place(address: str) -> str:
    """An address in one spelling, to compare it with others."""
    host, _, port = address.lower().rpartition(":")
    return f"{'127.0.0.1' if host == 'localhost' else host}:{int(port)}"


def matching(pattern: re.Pattern[str], what: str, advice: str) -> Callable[[str], str]:
    """A check that a text is, as a whole, what the pattern says."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not {what}: {advice}")
        return value

    return check


def check_host_url(value: str) -> str:
    """Another machine as ssh reaches it. ValueError tells what to write."""
    if SSH.fullmatch(value) is None:
        raise ValueError(f'{quoted(value)} is not a machine: write "ssh://USER@HOST" or "ssh://USER@HOST:PORT"')
    return value


def check_address(value: str) -> str:
    """The address "host:port". ValueError tells what to write."""
    if "://" in value:
        host = urlsplit(value).netloc or "127.0.0.1:8001"
        raise ValueError(f'{quoted(value)} has a scheme: write "{host}" here, and the scheme in the key `scheme`')
    match = ADDRESS.fullmatch(value)
    if match is None:
        raise ValueError(f'{quoted(value)} is not an address: write host and port, for example "127.0.0.1:8001"')
    if not 0 < int(match[2]) < 65_536:
        raise ValueError(f"{quoted(value)} has no usable port: ports are 1 to 65535")
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError('must be more than zero, for example "30s"')
    return value


def _below_one(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError('must be more than 0% and less than 100%, for example "1%"')
    return share


def _request_path(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f'{quoted(value)} is not a path: it begins with "/" and has no spaces, for example "/healthz"')
    return value


def _statuses(value: object) -> object:
    return (value,) if isinstance(value, int) else value


def _status(value: int) -> int:
    if not 100 <= value <= 599:
        raise ValueError(f"{value} is not an HTTP status: they are 100 to 599")
    return value


def _file_path(value: object) -> object:
    if isinstance(value, str) and (not value or not value.isprintable()):
        raise ValueError(f'{quoted(value)} is not a path, for example "/var/lib/bluegreen"')
    if isinstance(value, str) and value.startswith("~"):
        raise ValueError(f"{quoted(value)}: ~ is not expanded here, write the whole path")
    return value


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(_directory.get() / path))


Duration = Annotated[
    float,
    BeforeValidator(units.parse_duration),
    PlainSerializer(units.format_duration, return_type=str, when_used="json"),
    Shape("duration", "30s"),
]
"""Seconds, zero or more."""

Period = Annotated[Duration, AfterValidator(_positive)]
"""Seconds, more than zero."""

Size = Annotated[
    int,
    BeforeValidator(units.parse_size),
    PlainSerializer(units.format_size, return_type=str, when_used="json"),
    Shape("size", "3GiB"),
]
"""Bytes."""

Share = Annotated[
    float,
    BeforeValidator(units.parse_percent),
    AfterValidator(_below_one),
    PlainSerializer(units.format_percent, return_type=str, when_used="json"),
    Shape("percentage", "1%"),
]
"""A fraction between 0 and 1."""

Name = Annotated[
    str,
    AfterValidator(matching(NAME, "a name", "use 1 to 64 letters, digits, _ . or -, beginning with a letter or digit")),
    Shape("name", "app"),
]

Address = Annotated[str, AfterValidator(check_address), Shape("address", "127.0.0.1:8001")]
HostUrl = Annotated[str, AfterValidator(check_host_url), Shape("ssh URL", "ssh://deploy@blue-host")]

Site = Annotated[
    str,
    AfterValidator(
        matching(SITE, "a host name", 'write it as in the Caddyfile without scheme, for example "app.example.org"')
    ),
    Shape("host name", "app.example.org"),
]

RequestPath = Annotated[str, AfterValidator(_request_path), Shape("path", "/healthz")]

Statuses = Annotated[
    tuple[Annotated[int, AfterValidator(_status)], ...],
    BeforeValidator(_statuses),
    Field(min_length=1),
    Shape("HTTP status, or a list of them", [200]),
]

FilePath = Annotated[
    Path, BeforeValidator(_file_path), AfterValidator(_absolute), Shape("file path", "/var/lib/bluegreen")
]
"""Absolute; a relative one is read from the directory of the configuration file."""

Grant = Annotated[
    str,
    AfterValidator(matching(GRANT, "a user or group", 'write "group:NAME", "user:NAME" or "uid:NUMBER"')),
    Shape('"group:NAME", "user:NAME" or "uid:NUMBER"', "group:ops"),
]

VariableName = Annotated[
    str,
    AfterValidator(matching(VARIABLE, "a variable name", "use letters, digits and _, not beginning with a digit")),
    Shape("variable name", "LOG_LEVEL"),
]

EventPattern = Annotated[
    str,
    AfterValidator(matching(EVENT, "an event", 'write its name or a family of them, for example "deployment.*"')),
    Shape("event name", "deployment.*"),
]
