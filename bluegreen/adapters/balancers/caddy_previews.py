"""Who sees the other colour before anybody else does: requests that carry the operator's secret.

They go to the idle colour (during a canary to the new one), and to the live one where that does not answer: then a
header of the answer says who did. Their lines in the access log carry a field, so that they are neither judged nor
counted. Caddy logs the headers of requests, all but cookies: a secret sent as a header stands in the log.
"""

from typing import Any

from bluegreen.adapters.balancers.caddy_parts import TO, Routes, fits, let, literally, route, subroute
from bluegreen.adapters.balancers.pointer_words import word_of
from bluegreen.domain.traffic import Colour

HEADER = "Bluegreen-Preview"
COOKIE = "bluegreen_preview"
FIELD = "bluegreen_preview"
"""The field of the access log."""

ANSWERED_BY = "Bluegreen-Answered-By"
"""The header of the answer that names the address it came from."""


def preview_routes(secret: str | None) -> Routes:
    """The routes that send such requests elsewhere; none without a secret."""
    if not secret:
        return []
    marked: list[dict[str, Any]] = [
        {"handler": "log_append", "key": FIELD, "value": "1"},
        {
            "handler": "headers",
            "request": {"delete": [HEADER]},
            "response": {"set": {ANSWERED_BY: ["{http.reverse_proxy.upstream.hostport}"]}, "deferred": True},
        },
    ]
    here = route(*marked, subroute(_elsewhere()))
    here["match"] = [
        {"header_regexp": {HEADER: {"pattern": literally(secret)}}},
        fits(f"{{http.request.cookie.{COOKIE}}}", literally(secret)),
    ]
    return [here]


def word_of_preview(colour: Colour) -> str:
    """What the variable says of a request that previews a colour: no word of the file looks like it."""
    return f"preview-{colour}"


def previewing(new: Colour) -> str:
    """The pattern of lines from which a preview leads to `new`: the other colour is live, alone or first, or users are
    shared out and it is the new one."""
    return rf"^({new.other}(\s|$)|{word_of(new.other, fallback=True)}(\s|$)|{new}-[0-9])"


def _elsewhere() -> Routes:
    return [route(let(TO, word_of_preview(new)), match=fits(TO, previewing(new))) for new in Colour]
