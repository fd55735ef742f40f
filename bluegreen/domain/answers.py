"""What an answer over HTTP must be, and a short complaint where it is not, fit to be logged and sent to people.

An answer may hold what nobody should read in a chat: values of headers, and of JSON members, whose names look
secret are never shown.
"""

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from bluegreen.domain.forms import action_of, value_of
from bluegreen.domain.quoting import Quotes
from bluegreen.domain.records import Json
from bluegreen.domain.words import RELEASE, filled, filled_leaves, words_in

SUCCESS = range(200, 300)
PLAIN = Quotes()
"""Hides what looks secret, where nothing is known beside."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers by lower-case name, its body up to the cap (`whole` False: there was more);
    `cookies` are its Set-Cookie headers, each as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True
    cookies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


Source = Literal["json", "header", "body", "cookie", "form", "form-action", "redirect"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in an answer: a JSON pointer; a header; a regular expression for the body (its first
    group, or all that it matches; "" is the whole body); a cookie that it sets; a field of a form, or where a form is
    sent (the first one, or that with a field of this name); the address that it redirects to."""

    source: Source
    where: str

    @classmethod
    def written(cls, place: str) -> Self:
        """As the settings write it and have checked it: "json:/POINTER", "header:NAME", "body" or "body:REGEX",
        "cookie:NAME", "form:FIELD", "form-action" or "form-action:FIELD", "redirect"."""
        source, _, where = place.partition(":")
        known: dict[str, Source] = {each: each for each in SOURCES}
        return cls(known.get(source, "body"), where)

    def text(self, reply: Reply) -> str:
        """What stands there. Raises LookupError saying why there is nothing."""
        match self.source:
            case "json":
                return _as_text(at_pointer(reply, self.where))
            case "header":
                return _header(reply, self.where)
            case "redirect":
                return _redirect(reply)
            case "cookie":
                return _cookie(reply, self.where)
            case "form":
                return value_of(reply.text, self.where)
            case "form-action":
                return action_of(reply.text, self.where)
        return self._in_body(reply)

    def _in_body(self, reply: Reply) -> str:
        if not self.where:
            return reply.text.strip()
        match = re.search(self.where, reply.text)
        if match is None:
            raise LookupError(f"nothing in the body matches {Quotes().text(self.where)}")
        return str(match[1] if match.re.groups else match[0])


SOURCES: tuple[Source, ...] = ("json", "header", "body", "cookie", "form", "form-action", "redirect")

LONGEST_COOKIE = 8 * 1024
"""Characters of one Set-Cookie header that is looked at."""


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

    def filled(self, values: Mapping[str, str]) -> "Expectations":
        """The same, of the values that its texts name as {name}. What names {release} is not asked for where nobody
        knows which release it should be."""
        unknown = RELEASE not in values
        body = self.body
        if isinstance(body, str):
            body = None if unknown and RELEASE in words_in(body) else filled(body, values)
        known = {name: text for name, text in self.header.items() if not (unknown and RELEASE in words_in(text))}
        json_ = {at: value for at, value in self.json.items() if not (unknown and RELEASE in words_in(value))}
        return replace(
            self,
            header={name: filled(text, values) for name, text in known.items()},
            body=body,
            json={at: filled_leaves(value, values) for at, value in json_.items()},
        )

    def complaint(self, reply: Reply, release: str, *, quoting: bool = True, quotes: Quotes = PLAIN) -> str:
        """The first thing that is not as expected: what was expected, what came; "" where all is well. Without
        `quoting` nothing is shown of the answer but its status: it may hold a session. `quotes` knows what is
        secret."""
        if reply.status not in self.status:
            said = quotes.body(reply.text) if quoting else ""
            return f"expected status {_statuses(self.status)}, got {reply.status}{said}"
        for expected, got in self._differences(reply, release, quotes):
            return f"{expected}, {got}" if quoting else f"{expected}, got something else"
        return ""

    def _differences(self, reply: Reply, release: str, quotes: Quotes) -> Iterator[tuple[str, str]]:
        """What was expected, and what came instead."""
        yield from self._of_headers(reply, quotes)
        yield from self._of_body(reply, quotes)
        yield from self._of_json(reply, quotes)
        yield from self._of_version(reply, release, quotes)

    def _of_headers(self, reply: Reply, quotes: Quotes) -> Iterator[tuple[str, str]]:
        for name, wanted in self.header.items():
            got = reply.headers.get(name.lower())
            if got is None:
                yield f"expected header {name}", "got none"
            elif wanted not in got:
                expected = f"expected header {name} to contain {quotes.text(wanted, name)}"
                yield expected, f"got {quotes.text(got, name)}"

    def _of_body(self, reply: Reply, quotes: Quotes) -> Iterator[tuple[str, str]]:
        got = f"got{quotes.body(reply.text) or ' another'}"
        if isinstance(self.body, str) and self.body not in reply.text:
            yield f"expected a body with {quotes.text(self.body)}", got
        if isinstance(self.body, re.Pattern) and not self.body.search(reply.text):
            yield f"expected a body that matches {quotes.text(self.body.pattern)}", got

    def _of_json(self, reply: Reply, quotes: Quotes) -> Iterator[tuple[str, str]]:
        for pointer, wanted in self.json.items():
            expected = f"expected {quotes.json(wanted, pointer)} at {pointer}"
            try:
                got = at_pointer(reply, pointer)
            except LookupError as exc:
                yield expected, f"but {exc.args[0]}"
            else:
                if not _same(got, wanted):
                    yield expected, f"got {quotes.json(got, pointer)}"

    def _of_version(self, reply: Reply, release: str, quotes: Quotes) -> Iterator[tuple[str, str]]:
        if self.version is None or not release:
            return
        try:
            got = self.version.text(reply)
        except LookupError as exc:
            yield f"expected release {release}", f"but {exc.args[0]}"
        else:
            if got != release:
                yield f"expected release {release}", f"got {quotes.text(got)}"


def _header(reply: Reply, name: str) -> str:
    if name.lower() not in reply.headers:
        raise LookupError(f"there is no header {name}")
    return reply.headers[name.lower()].strip()


def _redirect(reply: Reply) -> str:
    """Where an answer sends its reader; as it stands there, perhaps relative to the page."""
    if reply.status not in range(300, 400) or "location" not in reply.headers:
        raise LookupError(f"the answer redirects nowhere (status {reply.status})")
    return reply.headers["location"].strip()


def _cookie(reply: Reply, name: str) -> str:
    """The value of a cookie that an answer sets; of several of this name, the last, as a browser keeps it."""
    for header in reversed(reply.cookies):
        said, equals, value = header[:LONGEST_COOKIE].partition(";")[0].partition("=")
        if equals and said.strip() == name:
            return value.strip()
    raise LookupError(f"the answer sets no cookie {name}")


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
