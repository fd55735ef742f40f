"""What an answer must be, and a short complaint where it is not, fit to be logged and sent to people.

An answer may hold what nobody should read in a chat: values of headers, and of JSON members, whose names look
secret are never shown.
"""

import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgspec

from bluegreen.domain.records import Json

SECRET = re.compile(r"cookie|authori[sz]ation|token|secret|passw|credential|session|api.?key|csrf", re.IGNORECASE)
SECRET_MEMBER = re.compile(
    rf'("[^"]*(?:{SECRET.pattern})[^"]*"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^",}}\]\s]+)', re.IGNORECASE
)
HIDDEN = "(hidden)"
SHOWN = 120
"""Characters of an answer that a complaint quotes."""

SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers by lower-case name, its body up to the cap (`whole` False: there was more)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class VersionAt:
    """Where an answer says which release gave it: a JSON pointer, a header, or a regular expression for the
    body (its first group, or all that it matches; "" is the whole body)."""

    source: Literal["json", "header", "body"]
    where: str

    @classmethod
    def written(cls, place: str) -> Self:
        """As the settings write it and have checked it: "json:/POINTER", "header:NAME", "body" or "body:REGEX"."""
        source, _, where = place.partition(":")
        return cls("json" if source == "json" else "header" if source == "header" else "body", where)


@dataclass(frozen=True, slots=True)
class Expectations:
    """What must be true of an answer; all of it.

    `header`: name to a text that the value contains; `body`: a text that it contains, or a pattern to be
    found; `json`: RFC 6901 pointer to the value that stands there; `version`: must equal the release, where
    one is known.
    """

    status: Container[int] = SUCCESS
    header: Mapping[str, str] = field(default_factory=dict)
    body: str | re.Pattern[str] | None = None
    json: Mapping[str, Json] = field(default_factory=dict)
    version: VersionAt | None = None

    def complaint(self, reply: Reply, release: str) -> str:
        """The first thing that is not as expected: what was expected, what came; "" where all is well."""
        if reply.status not in self.status:
            return f"expected status {_statuses(self.status)}, got {reply.status}{_quoting(reply)}"
        return (
            self._header_complaint(reply)
            or self._body_complaint(reply)
            or self._json_complaint(reply)
            or self._version_complaint(reply, release)
        )

    def _header_complaint(self, reply: Reply) -> str:
        for name, wanted in self.header.items():
            got = reply.headers.get(name.lower())
            if got is None:
                return f"expected header {name}, got none"
            if wanted not in got:
                return f"expected header {name} to contain {_shown(wanted, name)}, got {_shown(got, name)}"
        return ""

    def _body_complaint(self, reply: Reply) -> str:
        if isinstance(self.body, str) and self.body not in reply.text:
            return f"expected a body with {_shown(self.body)}, got{_quoting(reply)}"
        if isinstance(self.body, re.Pattern) and not self.body.search(reply.text):
            return f"expected a body that matches {_shown(self.body.pattern)}, got{_quoting(reply)}"
        return ""

    def _json_complaint(self, reply: Reply) -> str:
        for pointer, wanted in self.json.items():
            try:
                got = at_pointer(reply, pointer)
            except LookupError as exc:
                return f"expected {_json(wanted, pointer)} at {pointer}, but {exc.args[0]}"
            if not _same(got, wanted):
                return f"expected {_json(wanted, pointer)} at {pointer}, got {_json(got, pointer)}"
        return ""

    def _version_complaint(self, reply: Reply, release: str) -> str:
        if self.version is None or not release:
            return ""
        try:
            got = _version(reply, self.version)
        except LookupError as exc:
            return f"expected release {release}, but {exc.args[0]}"
        return "" if got == release else f"expected release {release}, got {_shown(got)}"


def at_pointer(reply: Reply, pointer: str) -> Any:
    """What stands at a JSON pointer (RFC 6901) in the body. Raises LookupError saying why there is nothing."""
    try:
        value = msgspec.json.decode(reply.body)
    except (ValueError, RecursionError) as exc:
        raise LookupError("the body is not JSON" if reply.whole else "the body is too long to be read") from exc
    if pointer and not pointer.startswith("/"):
        raise LookupError('that is no JSON pointer: it must begin with "/"')
    for token in pointer.split("/")[1:]:
        value = _member(value, token.replace("~1", "/").replace("~0", "~"), pointer)
    return value


def _member(value: Any, token: str, pointer: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
        return value[int(token)]
    raise LookupError(f"there is nothing at {pointer}")


def _version(reply: Reply, at: VersionAt) -> str:
    if at.source == "json":
        return str(at_pointer(reply, at.where))
    if at.source == "header":
        if at.where.lower() not in reply.headers:
            raise LookupError(f"there is no header {at.where}")
        return reply.headers[at.where.lower()].strip()
    if not at.where:
        return reply.text.strip()
    match = re.search(at.where, reply.text)
    if match is None:
        raise LookupError(f"nothing in the body matches {_shown(at.where)}")
    return str(match[1] if match.re.groups else match[0])


def _same(got: Any, wanted: Any) -> bool:
    """Equal as JSON: in Python True is 1."""
    return isinstance(got, bool) is isinstance(wanted, bool) and bool(got == wanted)


def _statuses(statuses: Container[int]) -> str:
    if isinstance(statuses, range):
        return f"{statuses.start}-{statuses.stop - 1}" if len(statuses) > 1 else str(statuses.start)
    known = [str(status) for status in range(100, 600) if status in statuses]
    return " or ".join(known)


def _json(value: Any, pointer: str) -> str:
    return HIDDEN if SECRET.search(pointer) else _short(json.dumps(value))


def _quoting(reply: Reply) -> str:
    return f": {_shown(reply.text.strip())}" if reply.text.strip() else " an empty body"


def _shown(text: str, header: str = "") -> str:
    """A text as a complaint quotes it: short, without control characters, without what looks secret."""
    return HIDDEN if SECRET.search(header) else repr(_short(text))


def _short(text: str) -> str:
    # Cut first: a pattern that looks ahead may take hours over a megabyte that somebody shaped.
    text = SECRET_MEMBER.sub(rf"\1{HIDDEN}", text[: 4 * SHOWN])
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
