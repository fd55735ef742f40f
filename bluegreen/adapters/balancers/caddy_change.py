"""Turns "every service to this colour" into one PATCH: a path, and what shall stand there.

One request is one reload of Caddy's HTTP app, so services that move together move in one value at
the deepest place that holds all their lists of upstreams. The generation stands in the `@id` of every
upstream: without it the content, and so the ETag, would be the same again once traffic is back, and a late
write would land (docs/decisions/003).

Of an operator's upstream objects what all in a handler share is kept (`max_requests`); where they differ
there is no telling which of it belongs to which new address: that is left out, with a warning. An `@id` of
the operator's on an upstream gives way to ours.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bluegreen.adapters.balancers.caddy_routes import SERVERS, Handler, Path, stamp
from bluegreen.adapters.balancers.caddy_services import Located
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour

log = structlog.get_logger(__name__)

ADDRESSABLE = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
"""Keys that survive as one segment of a URL's path; others (a slash, `..`) are written by replacing what
holds them.
"""

Upstreams = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What to PATCH: the full path and the new value there."""

    path: Path
    value: Json


def change_to(colour: Colour, generation: int, located: Sequence[Located], servers: Json) -> Change | None:
    """The one change that sends every service to a colour; None where all of it is so already.

    `servers` is Caddy's `apps.http.servers` as read; everything but the lists of upstreams is taken over as
    it is.
    """
    lists = dict(_new_lists(colour, generation, located))
    if all(_at(servers, path[len(SERVERS) :]) == upstreams for path, upstreams in lists.items()):
        return None
    path = _common(tuple(lists))
    return Change(path, _replaced(_at(servers, path[len(SERVERS) :]), path, lists))


def _new_lists(colour: Colour, generation: int, located: Sequence[Located]) -> Iterator[tuple[Path, Upstreams]]:
    for each in located:
        number = 0
        for handler in each.handlers:
            kept = _shared(handler, each.service.name)
            upstreams: Upstreams = []
            for address in each.service.addresses[colour]:
                number += 1
                upstreams.append({**kept, "@id": stamp(each.service.name, number, generation), "dial": address})
            yield (*handler.path, "upstreams"), upstreams


def _shared(handler: Handler, service: str) -> Mapping[str, Json]:
    extras = [{k: v for k, v in each.items() if k not in ("@id", "dial")} for each in handler.upstreams]
    kept = {k: v for k, v in extras[0].items() if all(k in each and each[k] == v for each in extras)}
    dropped = sorted({key for each in extras for key in each} - set(kept))
    if dropped:
        log.warning("balancer.upstream_keys_dropped", service=service, path=handler.place, keys=dropped)
    return kept


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


def _replaced(node: Json, path: Path, lists: Mapping[Path, Upstreams]) -> Json:
    """A copy of `node`, which stands at `path`, with the lists below it replaced."""
    if path in lists:
        return lists[path]
    below = {each: upstreams for each, upstreams in lists.items() if each[: len(path)] == path}
    if not below:
        return node
    if isinstance(node, list):
        return [_replaced(each, (*path, index), below) for index, each in enumerate(node)]
    return {key: _replaced(each, (*path, key), below) for key, each in node.items()}
