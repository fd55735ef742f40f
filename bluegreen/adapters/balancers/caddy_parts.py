"""The pieces that arms are made of, as Caddy's JSON has them: variables, and routes that ask for one.

Each piece is one route with one matcher set of one matcher: Caddy evaluates the matchers of a set in no fixed order,
and `vars_regexp` on two variables is true where either fits
(https://caddyserver.com/docs/json/apps/http/servers/routes/match/vars_regexp/). What must hold together is nested.
"""

from collections.abc import Mapping, Sequence
from string import ascii_letters, digits
from typing import Any

TO = "bluegreen_to"
"""The variable that says where this request goes: the line of the pointer file, or what became of it."""

PLACE = "bluegreen_place"
"""The variable that holds the user's place: three hex digits, 4096 of them."""

ABOUT = "bluegreen_arms"
"""The variable, never set, whose value says what our route replaced and for what it was built."""

PLAIN = frozenset(ascii_letters + digits + "-_")
"""Letters that mean themselves in a regular expression, and in a Caddyfile."""

Routes = list[dict[str, Any]]


def route(*handle: Mapping[str, Any], match: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One route; it is never the end by itself, so that a handler which goes on goes past all arms."""
    return ({"match": [dict(match)]} if match else {}) | {"handle": [dict(each) for each in handle]}


def subroute(routes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A handler that holds routes."""
    return {"handler": "subroute", "routes": list(routes)}


def let(name: str, value: str) -> dict[str, Any]:
    """The handler that sets a variable."""
    return {"handler": "vars", name: value}


def fits(what: str, pattern: str, name: str = "") -> dict[str, Any]:
    """The matcher of a variable, or of a placeholder in braces, against a regular expression; `name` is what its
    groups are found under."""
    return {"vars_regexp": {what: ({"name": name} if name else {}) | {"pattern": pattern}}}


def none_of(matcher: Mapping[str, Any]) -> dict[str, Any]:
    """The matcher that is true where `matcher` is not."""
    return {"not": [dict(matcher)]}


def words_pattern(*words: str) -> str:
    """The pattern of a line that begins with one of these words; what follows the word is not looked at."""
    either = "|".join(word.replace(".", r"\.") for word in words)
    return rf"^(?:{either})(?:\s|$)" if len(words) > 1 else rf"^{either}(?:\s|$)"


def going(*words: str) -> dict[str, Any]:
    """The matcher of requests that go where one of these words says."""
    return fits(TO, words_pattern(*words))


def literally(text: str) -> str:
    """The pattern that fits this text and no other, without a letter that means something to a Caddyfile."""
    return "^" + "".join(each if each in PLAIN or not each.isascii() else f"\\x{ord(each):02x}" for each in text) + "$"
