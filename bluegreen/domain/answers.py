"""What an answer over HTTP must be, and a short complaint where it is not, fit to be logged and sent to people.

An answer may hold what nobody should read in a chat: values of headers, and of JSON members, whose names look
secret are never shown.
"""

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

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
class Place:
    """Where something stands in an answer: a JSON pointer, a header, or a regular expression for the body (its first
    group, or all that it matches; "" is the whole body)."""

    source: Literal["json", "header", "body"]
    where: str

    @classmethod
    def written(cls, place: str) -> Self:
        """As the settings write it and have checked it: "json:/POINTER", "header:NAME", "body" or "body:REGEX"."""
        source, _, where = place.partition(":")
        return cls("json" if source == "json" else "header" if source == "header" else "body", where)

    def text(self, reply: Reply) -> str:
        """What stands there. Raises LookupError saying why there is nothing."""
        if self.source == "json":
            return _as_text(at_pointer(reply, self.where))
        if self.source == "header":
            if self.where.lower() not in reply.headers:
                raise LookupError(f"there is no header {self.where}")
            return reply.headers[self.where.lower()].strip()
        if not self.where:
            return reply.text.strip()
        match = re.search(self.where, reply.text)
        if match is None:
            raise LookupError(f"nothing in the body matches {_shown(self.where)}")
        return str(match[1] if match.re.groups else match[0])


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
    version: Place | None = None

    def complaint(self, reply: Reply, release: str, *, quoting: bool = True) -> str:
        """The first thing that is not as expected: what was expected, what came; "" where all is well. Without
        `quoting` nothing is shown of the answer but its status: it may hold a session."""
        if reply.status not in self.status:
            said = _quoting(reply) if quoting else ""
            return f"expected status {_statuses(self.status)}, got {reply.status}{said}"
        for expected, got in self._differences(reply, release):
            return f"{expected}, {got}" if quoting else f"{expected}, got something else"
        return ""

    def _differences(self, reply: Reply, release: str) -> Iterator[tuple[str, str]]:
        """What was expected, and what came instead."""
        yield from self._of_headers(reply)
        yield from self._of_body(reply)
        yield from self._of_json(reply)
        yield from self._of_version(reply, release)

    def _of_headers(self, reply: Reply) -> Iterator[tuple[str, str]]:
        for name, wanted in self.header.items():
            got = reply.headers.get(name.lower())
            if got is None:
                yield f"expected header {name}", "got none"
            elif wanted not in got:
                yield f"expected header {name} to contain {_shown(wanted, name)}", f"got {_shown(got, name)}"

    def _of_body(self, reply: Reply) -> Iterator[tuple[str, str]]:
        if isinstance(self.body, str) and self.body not in reply.text:
            yield f"expected a body with {_shown(self.body)}", f"got{_quoting(reply)}"
        if isinstance(self.body, re.Pattern) and not self.body.search(reply.text):
            yield f"expected a body that matches {_shown(self.body.pattern)}", f"got{_quoting(reply)}"

    def _of_json(self, reply: Reply) -> Iterator[tuple[str, str]]:
        for pointer, wanted in self.json.items():
            expected = f"expected {_json(wanted, pointer)} at {pointer}"
            try:
                got = at_pointer(reply, pointer)
            except LookupError as exc:
                yield expected, f"but {exc.args[0]}"
            else:
                if not _same(got, wanted):
                    yield expected, f"got {_json(got, pointer)}"

    def _of_version(self, reply: Reply, release: str) -> Iterator[tuple[str, str]]:
        if self.version is None or not release:
            return
        try:
            got = self.version.text(reply)
        except LookupError as exc:
            yield f"expected release {release}", f"but {exc.args[0]}"
        else:
            if got != release:
                yield f"expected release {release}", f"got {_shown(got)}"


def at_pointer(reply: Reply, pointer: str) -> Any:
    """What stands at a JSON pointer (RFC 6901) in the body. Raises LookupError saying why there is nothing."""
    try:
        value = json.loads(reply.body, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise LookupError("the body is not JSON" if reply.whole else "the body is too long to be read") from exc
    if pointer and not pointer.startswith("/"):
        raise LookupError('that is no JSON pointer: it must begin with "/"')
    for token in pointer.split("/")[1:]:
        value = _member(value, token.replace("~1", "/").replace("~0", "~"), pointer)
    return value


def _no_number(word: str) -> None:
    """NaN and Infinity are Python's own, and no JSON."""
    raise ValueError(word)


def _member(value: Any, token: str, pointer: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
        return value[int(token)]
    raise LookupError(f"there is nothing at {pointer}")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
