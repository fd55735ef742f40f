"""Whether a service is set up for mode "pointer" as the configuration wishes it now, and in words what is not.

What we wrote ourselves must be what we would write again. What stands in the operator's file must do the same: each
word of the file, each border of a share and each way to send the secret is asked of his routes and of ours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bluegreen.adapters.balancers.addresses import colour_of
from bluegreen.adapters.balancers.caddy_armed import ArmedRoute, armed_route, cookies_in, dials_of
from bluegreen.adapters.balancers.caddy_arms import Style, pointer_arms
from bluegreen.adapters.balancers.caddy_routes import Handler
from bluegreen.adapters.balancers.caddy_shares import place, places_below
from bluegreen.adapters.balancers.pointer_words import word_of
from bluegreen.domain.arming import Armed
from bluegreen.domain.traffic import Colour, Service, normal

ANYTHING = {"handler": "reverse_proxy"}
"""Stands for an operator's handler that we do not know."""

WISHES = {
    "service": "the name of the service",
    "shares": "the steps of the canary",
    "cookie_domain": "the domain of the cookie",
    "preview": "the preview",
    "fallback": "fallback_to_previous",
    "response_header_timeout": "response_header_timeout",
    "stream_close_delay": "stream_close_delay",
}
"""What the arms are built for, as in the text beside them."""


def judged(service: Service, handler: Handler, style: Style) -> tuple[Armed, str]:
    """How far one route of a service is set up, and what is missing; without a fault that is nothing."""
    armed = handler.armed
    if armed is None or style.pointer is None:
        return Armed.BARE, "its route dials " + (", ".join(handler.dials) or "nothing")
    if not armed.pointer:
        return Armed.BARE, f'its route was written in mode "rewrite", for {armed.word}'
    if armed.pointer != str(style.pointer):
        return Armed.BARE, f"its arms follow {armed.pointer}, which is not our file {style.pointer}"
    first = armed.dials("nobody-knows")[: len(service.addresses[Colour.GREEN])]
    live = Colour.GREEN if colour_of(service, first) is Colour.GREEN else Colour.BLUE
    wished = pointer_arms(service, armed.original or ANYTHING, style, live)
    if armed.value == wished:
        return Armed.OURS, ""
    fault = _difference(armed, wished, style)
    if armed.original is not None:
        said = [each for each in (_wishes(armed, wished), fault) if each]
        return Armed.OUTDATED, ": ".join(said) or "its arms were edited by somebody"
    return (Armed.OUTDATED, fault) if fault else (Armed.KEPT, "")


@dataclass(frozen=True, slots=True)
class _Question:
    """A request, and in words whose it is."""

    of: str
    ask: Mapping[str, Any]


def _difference(armed: ArmedRoute, wished: Mapping[str, Any], style: Style) -> str:
    """The first question to which the arms have another answer than they should."""
    ours = armed_route(wished)
    if ours is None:
        return ""
    last, our_last = armed.reached("nobody-knows"), ours.reached("nobody-knows")
    for question in _questions(style):
        found, wished_ = armed.reached(**question.ask), ours.reached(**question.ask)
        missing = found is None or (found is last and wished_ is not our_last)
        fault = "is missing" if missing else _other(found or {}, wished_ or {})
        if fault:
            return f"{question.of} {fault}"
    return _lacking(armed, ours)


def _questions(style: Style) -> Iterator[_Question]:
    """All that can be asked."""
    for colour in Colour:
        yield _Question(f"arm {colour}", {"line": f"{colour} g1"})
        if style.fallback:
            word = word_of(colour, fallback=True)
            yield _Question(f"arm {word}", {"line": f"{word} g1"})
    for split in style.splits:
        border = places_below(split.share)
        for at in (0, border - 1, border, 4095):
            for drawn in (False, True):
                ask = {"line": f"{word_of(split)} g1", "place": place(at), "drawn": drawn}
                yield _Question(f"arm {word_of(split)}, for a user at place {place(at)},", ask)
    if style.preview:
        for colour in Colour:
            for way in ("header", "cookie"):
                yield _Question(f"the preview by {way}, from {colour},", {"line": f"{colour} g1", way: style.preview})
    for way in ("header", "cookie"):
        yield _Question(f"a {way} with a secret that is wrong,", {"line": "blue g1", way: "wrong"})
    yield _Question("the last arm, for a file that is missing or empty,", {"line": ""})
    yield _Question("the last arm, for a word that nobody knows,", {"line": "nobody-knows"})


def _other(found: Mapping[str, Any], wished: Mapping[str, Any]) -> str:
    """What is another answer; empty where it is the same."""
    dials, wanted = dials_of(found), dials_of(wished)
    if [normal(dial) for dial in dials] != [normal(dial) for dial in wanted]:
        return f"dials {', '.join(dials) or 'nothing'} instead of {', '.join(wanted)}"
    if _first(wished) and not (_first(found) and _passive(found)):
        return "does not turn to the second address where the first one fails"
    return ""


def _first(proxy: Mapping[str, Any]) -> bool:
    return bool(proxy.get("load_balancing", {}).get("selection_policy", {}).get("policy") == "first")


def _passive(proxy: Mapping[str, Any]) -> bool:
    return bool(proxy.get("health_checks", {}).get("passive", {}).get("fail_duration"))


def _lacking(armed: ArmedRoute, ours: ArmedRoute) -> str:
    """What does not say where a request goes, and is missing all the same."""
    if any("stream_close_delay" in each for each in ours.proxies) and not all(
        "stream_close_delay" in each for each in armed.proxies
    ):
        return "an arm has no stream_close_delay"
    if any(map(_impatient, ours.proxies)) and not any(map(_impatient, armed.proxies)):
        return "no arm has a response_header_timeout"
    if cookies_in(armed.value) != cookies_in(ours.value):
        return f"it sets {' or '.join(sorted(cookies_in(armed.value))) or 'no cookie'} for the canary"
    return ""


def _impatient(proxy: Mapping[str, Any]) -> bool:
    return bool((proxy.get("transport") or {}).get("response_header_timeout"))


def _wishes(armed: ArmedRoute, wished: Mapping[str, Any]) -> str:
    """What the arms were built for that is wished otherwise now."""
    now = armed_route(wished)
    was, now_ = armed.about or {}, (now.about if now else None) or {}
    changed = [words for key, words in WISHES.items() if was.get(key) != now_.get(key)]
    return f"it was armed before {' and '.join(changed)} changed" if changed else ""
