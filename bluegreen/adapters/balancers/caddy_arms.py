"""What stands in Caddy's configuration where an operator's `reverse_proxy` stood: a route with an arm for each place
that users can be sent to.

One variable says where a request goes. In mode "pointer" it is the content of a file, read once for each request, and
a switch replaces the file; in mode "rewrite" it is a word that a change of the configuration puts there. Shares and
previews only turn that word into another one, so there are five proxies at most, whatever the steps of a canary are,
and users of a share meet connections that are open already. Each proxy is the operator's, with other upstreams. At the
end stands what was replaced, as text that Caddy never acts on: by it we know our own, and put it back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from bluegreen.adapters.balancers.caddy_parts import ABOUT, TO, Routes, fits, going, let, none_of, route, subroute
from bluegreen.adapters.balancers.caddy_previews import preview_routes, word_of_preview
from bluegreen.adapters.balancers.caddy_proxies import Proxies
from bluegreen.adapters.balancers.caddy_shares import share_routes
from bluegreen.adapters.balancers.pointer_words import word_of
from bluegreen.domain.errors import AddressInvalid
from bluegreen.domain.traffic import Colour, Service, Split

NONCE = "X-Bluegreen-Pointer"
"""The header of `PointerDoor.reads`, in the question and in the answer."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the configuration says of arms. Seconds; None: Caddy's own default.

    `pointer`: the file that chooses, None in mode "rewrite"; `shares` (of 1) of the canary's steps; `cookie_domain`
    None: the cookie is the host's own; `preview`: the secret that leads to the idle colour, None without one.
    """

    pointer: Path | None = None
    shares: Sequence[float] = ()
    cookie_domain: str | None = None
    preview: str | None = None
    fallback: bool = False
    response_header_timeout: float | None = None
    stream_close_delay: float | None = None

    @property
    def splits(self) -> tuple[Split, ...]:
        """Every split that may come, of either colour."""
        return tuple(Split(colour, share) for share in sorted(set(self.shares)) for colour in Colour)


def pointer_arms(service: Service, original: Mapping[str, Any], style: Style, live: Colour) -> dict[str, Any]:
    """The handler that replaces `original` in mode "pointer"; `live` serves first where the file says nothing.

    Which colour serves says the file alone. Raises ValueError for a style without a pointer."""
    if style.pointer is None:
        raise ValueError("arms that follow a file need one")
    make = _proxies(service, original, style)
    words = [*(str(colour) for colour in Colour), *(word_of(colour, fallback=True) for colour in _with_other(style))]
    routes = [
        _answering(style.pointer),
        route(let(TO, f"{{file.{style.pointer}}}")),
        *preview_routes(style.preview),
        *share_routes(style.splits, style.cookie_domain),
        *(route(make.plain(colour), match=going(str(colour))) for colour in Colour),
        *_second_arms(make, _with_other(style)),
        route(make.either(live), match=none_of(going(*words, *(word_of_preview(each) for each in _with_other(style))))),
    ]
    return subroute([*routes, _about(service, original, style)])


def split_arms(
    service: Service, original: Mapping[str, Any], style: Style, split: Split, generation: int, first: int = 1
) -> dict[str, Any]:
    """The handler that replaces `original` in mode "rewrite" while users are shared out. Its upstreams are stamped
    from the number `first` on; `stamped` says how many they are."""
    make = _proxies(service, original, style, generation, first)
    routes = [
        route(let(TO, word_of(split))),
        *preview_routes(style.preview),
        *share_routes((split,), style.cookie_domain),
        *(route(make.plain(colour), match=going(str(colour))) for colour in (split.colour, split.colour.other)),
        *_second_arms(make, (split.colour,) if style.preview else ()),
    ]
    return subroute([*routes, _about(service, original, style)])


def fallback_proxy(
    service: Service, original: Mapping[str, Any], style: Style, colour: Colour, generation: int, first: int = 1
) -> dict[str, Any]:
    """The handler that replaces `original` in mode "rewrite" and dials `colour`, then the other one where that does not
    answer. Stamped as `split_arms` does."""
    make = _proxies(service, original, style, generation, first)
    chosen = [route(let(TO, word_of(colour, fallback=True))), route(make.either(colour))]
    return subroute([*chosen, _about(service, original, style)])


def colour_arms(
    service: Service,
    original: Mapping[str, Any],
    style: Style,
    colour: Colour,
    generation: int,
    first: int = 1,
    *,
    fallback: bool = False,
) -> dict[str, Any]:
    """The handler that replaces `original` in mode "rewrite" and dials `colour`, with or without the other one behind
    it; whoever sends the secret meets the other one first. Stamped as `split_arms` does."""
    make = _proxies(service, original, style, generation, first)
    word = word_of(colour, fallback=fallback)
    routes = [
        route(let(TO, word)),
        *preview_routes(style.preview),
        route(make.either(colour) if fallback else make.plain(colour), match=going(word)),
        *_second_arms(make, (colour.other,)),
    ]
    return subroute([*routes, _about(service, original, style)])


def plain_proxy(
    service: Service, original: Mapping[str, Any], style: Style, colour: Colour, generation: int, first: int = 1
) -> dict[str, Any]:
    """`original` dialling `colour` alone, in mode "rewrite"; nothing else of it changes but the delay of streams."""
    make = _proxies(service, original, style, generation, first)
    return make.delayed({**original, "upstreams": make.upstreams((colour,))})


def stamped(handler: Any) -> int:
    """How many upstreams of ours stand in what was built, each with a number of its own."""
    if isinstance(handler, dict):
        return ("dial" in handler and "@id" in handler) + sum(stamped(each) for each in handler.values())
    return sum(stamped(each) for each in handler) if isinstance(handler, list) else 0


def refuse_several(services: Sequence[Service]) -> None:
    """Raise AddressInvalid where a fallback is wished and a colour has several addresses: users go to the first that
    answers, and the others would have nothing to do."""
    for service in services:
        for colour in Colour:
            if len(service.addresses[colour]) > 1:
                raise AddressInvalid(
                    f"fallback_to_previous sends users to the first address that answers, but {colour} of service "
                    f"{service.name} has {len(service.addresses[colour])}: {', '.join(service.addresses[colour])}. "
                    f'Give it one under [[services]] name = "{service.name}", or set fallback_to_previous = false',
                    next=("bluegreen config check",),
                    service=service.name,
                )


def _proxies(
    service: Service, original: Mapping[str, Any], style: Style, generation: int | None = None, first: int = 1
) -> Proxies:
    return Proxies(service, original, style.stream_close_delay, style.response_header_timeout, generation, count(first))


def _with_other(style: Style) -> tuple[Colour, ...]:
    """The colours that have an arm with the other one behind them."""
    return tuple(Colour) if style.fallback or style.preview else ()


def _second_arms(make: Proxies, colours: Sequence[Colour]) -> Routes:
    return [
        route(make.either(colour), match=going(word_of(colour, fallback=True), word_of_preview(colour)))
        for colour in colours
    ]


def _answering(pointer: Path) -> dict[str, Any]:
    """Who knows the nonce that we planted is told what Caddy reads. Nested, so that the nonce is read for nobody
    else."""
    told = {"handler": "static_response", "status_code": 204, "headers": {NONCE: [f"{{file.{pointer}}}"]}}
    knows = {"vars": {f"{{file.{pointer.parent / 'nonce'}}}": [f"{{http.request.header.{NONCE}}}"]}}
    return route(subroute([route(told, match=knows)]), match={"header_regexp": {NONCE: {"pattern": "."}}})


def _about(service: Service, original: Mapping[str, Any], style: Style) -> dict[str, Any]:
    """What was replaced, and for what; the secret is left out. Nobody sets the variable, so nothing is done here."""
    known = {
        "service": service.name,
        "original": original,
        "shares": sorted(set(style.shares)),
        "cookie_domain": style.cookie_domain,
        "preview": bool(style.preview),
        "fallback": style.fallback,
        "response_header_timeout": style.response_header_timeout,
        "stream_close_delay": style.stream_close_delay,
    }
    return route(let(ABOUT, json.dumps(known, separators=(",", ":"))), match=fits(ABOUT, "^never$"))
