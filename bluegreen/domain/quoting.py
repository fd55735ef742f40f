"""What may be quoted of an answer: short, fit for a terminal and a chat, and without what nobody should read there.

Hidden is what looks secret by the name before it (a header, a JSON member, a field of a form, a key in a query), what
looks like a token by itself, and every occurrence of the values that are known to be secret.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

SECRET = re.compile(r"cookie|authori[sz]ation|token|secret|passw|credential|session|api.?key|csrf", re.IGNORECASE)
SECRET_MEMBER = re.compile(
    rf'("[^"]*(?:{SECRET.pattern})[^"]*"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^",}}\]\s]+)', re.IGNORECASE
)
SECRET_PAIR = re.compile(rf"((?:{SECRET.pattern})[\w.-]{{0,64}}=)(?![\"'])[^&\s\"'<>;,]+", re.IGNORECASE)
TAG = re.compile(r"<(?:input|meta|button)\b[^<>]*(?:>|$)", re.IGNORECASE)
HELD = re.compile(r"""(\b(?:value|content)\s*=\s*)("[^"]*"?|'[^']*'?|[^\s>"']+)""", re.IGNORECASE)
LOOKS = re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*", re.IGNORECASE)
"""An Authorization header, and a JSON Web Token."""

HIDDEN = "(hidden)"
SHOWN = 120
"""Characters of an answer that a complaint quotes."""

EXCERPT = 400
"""Characters of a body that stand beside a step of a flow that failed."""

SEARCHED = 16 * 1024
"""Characters in which values that are known are looked for, before a text is cut."""

LONG_ENOUGH = 4
"""A shorter known value is hidden only where it stands as a word: it would blank out ordinary ones."""


class Quotes:
    """Quotes answers. `hidden` are values that must appear nowhere, in whatever case; `bodies` False shows of a body
    no more than that it was not as expected, where somebody else shows it beside."""

    def __init__(self, hidden: Iterable[str] = (), *, bodies: bool = True) -> None:
        self.bodies = bodies
        known = sorted({value for value in hidden if value.strip()}, key=len, reverse=True)
        self._longest = len(known[0]) if known else 0
        self._known = re.compile("|".join(map(_found, known)), re.IGNORECASE) if known else None

    def masked(self, text: str) -> str:
        """The beginning of a text, without the values that are known."""
        if self._known is None:
            return text[:SEARCHED]
        end = SEARCHED
        if len(text) > SEARCHED:  # what a cut leaves of a value would not be known again
            found = self._known.finditer(text[: SEARCHED + self._longest])
            end = next((each.start() for each in found if each.end() > SEARCHED > each.start()), SEARCHED)
        return self._known.sub(HIDDEN, text[:end])

    def text(self, text: str, name: str = "") -> str:
        """A text between quotation marks, without control characters; hidden where its `name` looks secret."""
        return HIDDEN if SECRET.search(name) else repr(self._short(text, SHOWN))

    def json(self, value: Any, pointer: str) -> str:
        """A JSON value."""
        return HIDDEN if SECRET.search(pointer) else self._short(json.dumps(value), SHOWN)

    def body(self, text: str) -> str:
        """A body, to be read after `got`."""
        if not self.bodies:
            return ""
        return f": {self.text(text.strip())}" if text.strip() else " an empty body"

    def excerpt(self, text: str) -> str:
        """The beginning of a body, with its blanks run together."""
        text = text.strip()
        return repr(self._short(" ".join(self.masked(text).split()), EXCERPT)) if text else "an empty body"

    def path(self, path: str) -> str:
        """A path with its query."""
        return self._short(path, SHOWN)

    def _short(self, text: str, most: int) -> str:
        # Cut before patterns are looked for: one that looks ahead may take hours over a megabyte that somebody shaped.
        text = self.masked(text)[: 4 * most]
        text = SECRET_MEMBER.sub(rf"\1{HIDDEN}", text)
        text = TAG.sub(_field, text)
        text = SECRET_PAIR.sub(rf"\1{HIDDEN}", text)
        text = LOOKS.sub(lambda found: f"{found[1] or ''}{HIDDEN}", text)
        return text if len(text) <= most else text[:most] + "..."


def _found(value: str) -> str:
    """How a known value is looked for."""
    return re.escape(value) if len(value) >= LONG_ENOUGH else rf"(?<!\w){re.escape(value)}(?!\w)"


def _field(tag: re.Match[str]) -> str:
    """A field of a form whose name looks secret, without what stands in it."""
    return HELD.sub(rf"\1{HIDDEN}", tag[0]) if SECRET.search(tag[0]) else tag[0]
