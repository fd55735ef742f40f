"""Knows our arms in a Caddy configuration by what they do, and says where a request goes in them.

Never by an id: those can be taken away. What stands in an operator's own file comes out of Caddy's adapter nested and
merged in its own way, so nothing is compared piece by piece: a request is led through the routes as Caddy leads it,
and the proxy it arrives at tells. Only what we write is understood; behind any other matcher or handler the question
has no answer, and the arms count as edited.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluegreen.adapters.balancers.caddy_parts import ABOUT, TO

FILE = re.compile(r"\{file\.(.+)\}")
PREVIEW = "header Bluegreen-Preview"
PASSED = ("headers", "log_append", "static_response")
"""Handlers of ours that do not say where a request goes."""

Known = dict[str, str]
"""What Caddy knows of a request: variables and placeholders."""


class NotUnderstood(Exception):
    """Something stands in the arms that we never write."""


@dataclass(frozen=True, slots=True)
class ArmedRoute:
    """A subroute that is ours. `pointer`: the file that chooses, empty where `word` does (mode "rewrite"). `about`:
    what we wrote down beside it; None where it stands in the operator's own file, or somebody took that away."""

    value: Mapping[str, Any]
    pointer: str
    word: str
    about: Mapping[str, Any] | None
    proxies: tuple[Mapping[str, Any], ...] = field(repr=False)

    @property
    def original(self) -> Mapping[str, Any] | None:
        """The operator's handler that was replaced; None where that is not known."""
        return self.about["original"] if self.about else None

    @property
    def named(self) -> str:
        """The service that it was built for; empty where that is not known."""
        return str(self.about.get("service", "")) if self.about else ""

    def reached(
        self, line: str = "", *, place: str = "000", drawn: bool = False, header: str = "", cookie: str = ""
    ) -> Mapping[str, Any] | None:
        """The proxy that a request comes to.

        `line`: what is in the file; in mode "rewrite" there is none. `place`: the user's, which his cookie holds or,
        `drawn`, his request's UUID. `header` and `cookie`: the secret, as he sends it. None: it comes to none, or
        something stands there that we do not understand.
        """
        known = {
            f"{{file.{self.pointer}}}": line.strip(),
            "{http.request.uuid}": place,
            "{http.request.cookie.bluegreen}": "" if drawn else place,
            "{http.request.cookie.bluegreen_preview}": cookie,
            PREVIEW: header,
        }
        try:
            return next(_led(self.value.get("routes"), known), None)
        except (NotUnderstood, re.error, TypeError, KeyError, AttributeError):
            return None

    def dials(
        self, line: str = "", *, place: str = "000", drawn: bool = False, header: str = "", cookie: str = ""
    ) -> tuple[str, ...]:
        """What the proxy dials that a request comes to (`reached`), in order; empty where it comes to none."""
        return dials_of(self.reached(line, place=place, drawn=drawn, header=header, cookie=cookie) or {})


def armed_route(node: Any) -> ArmedRoute | None:
    """What is known of a handler that is ours; None for any other."""
    if not isinstance(node, dict) or node.get("handler") != "subroute" or not isinstance(node.get("routes"), list):
        return None
    chosen = [each[TO] for each in _handlers(node["routes"]) if each.get("handler") == "vars" and TO in each]
    if not chosen or not isinstance(chosen[0], str):
        return None
    found = FILE.fullmatch(chosen[0])
    return ArmedRoute(
        value=node,
        pointer=found[1] if found else "",
        word="" if found else chosen[0],
        about=_about(node["routes"]),
        proxies=tuple(_proxies(node["routes"])),
    )


def cookies_in(node: Any) -> set[str]:
    """The cookies that are set at and below a node."""
    if isinstance(node, list):
        return set().union(*map(cookies_in, node))
    if not isinstance(node, dict) or node.get("handler") == "reverse_proxy":
        return set()
    own = {str(each) for each in node.get("Set-Cookie") or ()} if isinstance(node.get("Set-Cookie"), list) else set()
    return own.union(*map(cookies_in, node.values()))


def upstreams_of(proxy: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """A proxy's upstream objects as read."""
    found = proxy.get("upstreams")
    return tuple(each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def dials_of(proxy: Mapping[str, Any]) -> tuple[str, ...]:
    """What a proxy dials, in order."""
    return tuple(str(upstream.get("dial", "")) for upstream in upstreams_of(proxy))


def _handlers(routes: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """The handlers of routes, not those nested in them: a site that imports two of our routes is none itself."""
    for each in routes:
        if isinstance(each, dict) and isinstance(each.get("handle"), list):
            yield from (handler for handler in each["handle"] if isinstance(handler, dict))


def _proxies(routes: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for handler in _handlers(routes):
        if handler.get("handler") == "reverse_proxy":
            yield handler
        elif handler.get("handler") == "subroute" and isinstance(handler.get("routes"), list):
            yield from _proxies(handler["routes"])


def _about(routes: Sequence[Any]) -> Mapping[str, Any] | None:
    texts = [each[ABOUT] for each in _handlers(routes) if each.get("handler") == "vars" and ABOUT in each]
    try:
        known = json.loads(texts[-1]) if texts else None
    except (TypeError, ValueError):
        return None
    return known if isinstance(known, dict) and isinstance(known.get("original"), dict) else None


def _led(routes: Any, known: Known) -> Iterator[Mapping[str, Any]]:
    """The proxies that a request comes to, in order: a route that fits is left for the next one, as in Caddy."""
    for each in routes or ():
        if _matches(each.get("match"), known):
            for handler in each["handle"]:
                yield from _handled(handler, known)


def _handled(handler: Mapping[str, Any], known: Known) -> Iterator[Mapping[str, Any]]:
    kind = handler["handler"]
    if kind == "reverse_proxy":
        yield handler
    elif kind == "subroute":
        yield from _led(handler.get("routes"), known)
    elif kind == "vars":
        known |= {name: known.get(value, value) for name, value in handler.items() if name != "handler"}
    elif kind not in PASSED:
        raise NotUnderstood(kind)


def _matches(sets: Any, known: Known) -> bool:
    """Sets are alternatives; all matchers of one must fit."""
    return not sets or any(all(_fits(kind, asked, known) for kind, asked in each.items()) for each in sets)


def _fits(kind: str, asked: Any, known: Known) -> bool:
    if kind == "not":
        return not _matches(asked, known)
    if kind == "vars_regexp":
        return any(_found(known.get(what, ""), each, known) for what, each in asked.items())
    if kind == "header_regexp":
        return all(_found(known.get(f"header {name}", ""), each, known) for name, each in asked.items())
    if kind in ("header", "protocol", "vars"):  # of the nonce and of cookies: neither says where a request goes
        return False
    raise NotUnderstood(kind)


def _found(text: str, asked: Mapping[str, str], known: Known) -> bool:
    found = re.search(asked["pattern"], text)
    if found and "name" in asked:
        known |= {f"{{http.regexp.{asked['name']}.{n}}}": group or "" for n, group in enumerate(found.groups(), 1)}
    return found is not None
