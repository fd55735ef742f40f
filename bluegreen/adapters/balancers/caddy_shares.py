"""Which users meet the new colour in a step of a canary: those whose place is below the share.

A place is one of 4096, three hex digits, kept in our cookie. The cookie holds no colour: whoever meets the new colour
at 5 % meets it at 25 % too, in every service and whoever routes him, and nobody keeps a table. Who has none, or has
meddled with it, draws one from the request's UUID (version 4: its first digits are random). A client that keeps no
cookies draws at every request.
"""

import math
from collections.abc import Sequence

from bluegreen.adapters.balancers.caddy_parts import PLACE, TO, Routes, fits, going, let, none_of, route, subroute
from bluegreen.adapters.balancers.pointer_words import word_of
from bluegreen.domain.traffic import Split

COOKIE = "bluegreen"
"""The cookie that holds a user's place."""

COOKIE_SECONDS = 86400
"""How long a browser keeps it: longer than any canary, so that nobody changes sides in the middle of one."""

PLACES = 4096
HEX = "0123456789abcdef"

DRAWN = "^([0-9a-f]{3})"
KEPT = "^([0-9a-f]{3})$"
SPLIT = "^(blue|green)-[0-9]"
"""Every split, and nothing else: one look for the many requests that go to one colour."""


def places_below(share: float) -> int:
    """How many of the 4096 places are below a share (of 1): never none of them, never all."""
    return min(max(math.floor(share * PLACES + 0.5), 1), PLACES - 1)


def place(number: int) -> str:
    """A place as it is written."""
    return f"{number:03x}"


def pattern_below(share: float) -> str:
    """The regular expression of exactly the places below a share."""
    first, second, third = (HEX.index(digit) for digit in place(places_below(share)))
    ways = [
        (first, f"[{HEX[:first]}][0-9a-f][0-9a-f]"),
        (second, f"{HEX[first]}[{HEX[:second]}][0-9a-f]"),
        (third, f"{HEX[first]}{HEX[second]}[{HEX[:third]}]"),
    ]
    return f"^({'|'.join(way for count, way in ways if count)})$"


def share_routes(splits: Sequence[Split], cookie_domain: str | None) -> Routes:
    """The routes that turn the word of a split into the word of one colour, by the user's place."""
    if not splits:
        return []
    known = fits(f"{{http.request.cookie.{COOKIE}}}", KEPT, "bluegreen_cookie")
    inner = [
        route(let(PLACE, "{http.regexp.bluegreen_cookie.1}"), match=known),
        route(subroute(_drawing(cookie_domain)), match=none_of(known)),
        *(_share(split) for split in splits),
    ]
    return [route(subroute(inner), match=fits(TO, SPLIT))]


def cookie(cookie_domain: str | None, *, secure: bool) -> str:
    """What is set, with the placeholder of the place."""
    domain = f"; Domain={cookie_domain}" if cookie_domain else ""
    return (
        f"{COOKIE}={{http.vars.{PLACE}}}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{domain}"
        f"{'; Secure' if secure else ''}"
    )


def _drawing(cookie_domain: str | None) -> Routes:
    over_tls = {"protocol": "https"}
    return [
        route(let(PLACE, "{http.regexp.bluegreen_uuid.1}"), match=fits("{http.request.uuid}", DRAWN, "bluegreen_uuid")),
        route(_giving(cookie(cookie_domain, secure=True)), match=over_tls),
        route(_giving(cookie(cookie_domain, secure=False)), match=none_of(over_tls)),
    ]


def _giving(value: str) -> dict[str, object]:
    """Added when the answer begins, beside the cookies of the application."""
    return {"handler": "headers", "response": {"add": {"Set-Cookie": [value]}, "deferred": True}}


def _share(split: Split) -> dict[str, object]:
    """Once the first route has spoken the word is another, so the second one does not speak."""
    word = going(word_of(split))
    chosen = [
        route(let(TO, str(split.colour)), match=fits(PLACE, pattern_below(split.share))),
        route(let(TO, str(split.colour.other)), match=word),
    ]
    return route(subroute(chosen), match=word)
