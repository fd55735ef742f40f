"""Turns "every service to this colour" into one PATCH: a path, and what shall stand there.

One request is one reload of Caddy's HTTP app, so services that move together move in one value at
the deepest place that holds all of what changes. The generation stands in the `@id` of every upstream: without it the
content, and so the ETag, would be the same again once traffic is back, and a late write would land
(docs/decisions/003).

Users on one colour are the operator's own handler with other upstreams; users on both, or with the other colour as a
fallback, are arms in its place (caddy_arms), in which it is kept, so that it comes back whatever stood there. So are
users on one colour where a secret leads to the other one; the way back brings no arms, only what users need.

Of an operator's upstream objects what all in a handler share is kept (`max_requests`); where they differ
there is no telling which of it belongs to which new address: that is left out, with a warning. An `@id` of
the operator's on an upstream gives way to ours.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bluegreen.adapters.balancers.caddy_armed import upstreams_of
from bluegreen.adapters.balancers.caddy_arms import (
    Style,
    colour_arms,
    fallback_proxy,
    plain_proxy,
    split_arms,
    stamped,
)
from bluegreen.adapters.balancers.caddy_proxies import shared_keys
from bluegreen.adapters.balancers.caddy_routes import SERVERS, Handler, Path
from bluegreen.adapters.balancers.caddy_services import Located, refuse_nested
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Service, Split

log = structlog.get_logger(__name__)

ADDRESSABLE = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
"""Keys that survive as one segment of a URL's path; others (a slash, `..`) are written by replacing what
holds them.
"""

PLAIN = Style()
"""Nothing wished beside the dials."""

Built = dict[str, Any]
Build = Callable[[Service, Handler, int], Built]
"""What shall stand in a handler's place, with its own ids numbered from here."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to PATCH: the full path and the new value there."""

    path: Path
    value: Json


def change_to(
    colour: Colour,
    generation: int,
    located: Sequence[Located],
    servers: Json,
    style: Style = PLAIN,
    *,
    fallback: bool = False,
    preview: bool = False,
) -> Change | None:
    """The one change that sends every service to a colour; None where all of it is so already. With `preview` the
    style's secret leads to the other colour.

    `servers` is Caddy's `apps.http.servers` as read; everything but our handlers is taken over as it is.
    """

    def build(service: Service, handler: Handler, first: int) -> Built:
        original = original_of(handler)
        if preview:
            return colour_arms(service, original, style, colour, generation, first, fallback=fallback)
        make = fallback_proxy if fallback else plain_proxy
        return make(service, original, style, colour, generation, first)

    if fallback or preview:
        refuse_nested(located)
    return change_of(_values(located, build), servers)


def change_split(
    split: Split, generation: int, located: Sequence[Located], servers: Json, style: Style = PLAIN
) -> Change | None:
    """The one change that shares the users of every service out; None where all of it is so already."""

    def build(service: Service, handler: Handler, first: int) -> Built:
        return split_arms(service, original_of(handler), style, split, generation, first)

    refuse_nested(located)
    return change_of(_values(located, build), servers)


def change_of(values: Mapping[Path, Json], servers: Json) -> Change | None:
    """The one change that puts these values at these full paths; None where all of them stand there already. A value
    below another one is put into that."""
    values = _outermost(values)
    if all(_at(servers, path[len(SERVERS) :]) == value for path, value in values.items()):
        return None
    path = _common(tuple(values))
    return Change(path, _replaced(_at(servers, path[len(SERVERS) :]), path, values))


def _values(located: Sequence[Located], build: Build) -> Mapping[Path, Json]:
    values: dict[Path, Json] = {}
    for each in located:
        first = 1
        for handler in each.handlers:
            _tell_dropped(handler, each.service.name)
            built = build(each.service, handler, first)
            first += stamped(built)
            values.update([_smallest(handler, built)])
    return values


def _smallest(handler: Handler, built: Built) -> tuple[Path, Json]:
    """Where to write, and what: no more than the list of upstreams, where nothing else of a handler changes."""
    if "upstreams" in built and {**handler.value, "upstreams": None} == {**built, "upstreams": None}:
        return (*handler.path, "upstreams"), built["upstreams"]
    return handler.path, built


def original_of(handler: Handler) -> Mapping[str, Any]:
    """The operator's own handler. Where arms do not tell (they stand in his own file, or somebody took away what we
    wrote down), what one of them dials with: users must get back, and it is his but for what an arm needs."""
    if handler.original is None and handler.armed is not None:
        return handler.armed.proxies[0] if handler.armed.proxies else {"handler": "reverse_proxy"}
    return handler.original or handler.value


def _tell_dropped(handler: Handler, service: str) -> None:
    upstreams = upstreams_of(original_of(handler))
    dropped = sorted({key for each in upstreams for key in each} - {"@id", "dial", *shared_keys(upstreams)})
    if dropped:
        log.warning("balancer.upstream_keys_dropped", service=service, path=handler.place, keys=dropped)


def _outermost(values: Mapping[Path, Json]) -> Mapping[Path, Json]:
    inner = {path: value for path, value in values.items() if any(path[:n] in values for n in range(len(path)))}
    if not inner:
        return values
    within = _outermost(inner)
    return {path: _replaced(value, path, within) for path, value in values.items() if path not in inner}


def _common(paths: Sequence[Path]) -> Path:
    """The deepest path at or above all of these that a URL can name."""
    deepest: list[str | int] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1 or not ADDRESSABLE.fullmatch(str(parts[0])):
            break
        deepest.append(parts[0])
    return tuple(deepest)


def _at(node: Json, path: Path) -> Json:
    for part in path:
        node = node[part]
    return node


def _replaced(node: Json, path: Path, values: Mapping[Path, Json]) -> Json:
    """A copy of `node`, which stands at `path`, with what shall change below it replaced."""
    if path in values:
        return values[path]
    below = {each: value for each, value in values.items() if each[: len(path)] == path}
    if not below:
        return node
    if isinstance(node, list):
        return [_replaced(each, (*path, index), below) for index, each in enumerate(node)]
    return {key: _replaced(each, (*path, key), below) for key, each in node.items()}
