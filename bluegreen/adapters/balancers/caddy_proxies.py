"""An operator's `reverse_proxy` with other upstreams, and with the other colour behind the first one where wished.

Passive health checks, `first` and `retries`: https://caddyserver.com/docs/json/apps/http/servers/routes/handle/reverse_proxy/.
Caddy repeats what it could not send at all, and of what it has sent only GETs (test_caddy_facts.py): so a colour that
is dead costs users nothing, and one that hangs costs those who were writing to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.adapters.balancers.stamps import stamp
from bluegreen.domain.traffic import Colour, Service

SECOND = 1_000_000_000
"""Caddy's durations are nanoseconds."""

LEFT_ALONE_SECONDS = 10.0
"""How long Caddy leaves an address alone that has failed. Each time it is over, who writes to a colour that hangs may
lose a request; as long as it lasts, there is one colour less."""

FAILURES = 3
"""So many within that time are a failure: a connection that broke by accident moves nobody, and where the other colour
has an accident too, users are not left without any. A request is tried as often, and then once more on the other."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Makes an operator's proxy dial what we want. `close_delay` of streams and `header_timeout` in seconds, None for
    Caddy's own default. Without a `generation` nothing is stamped; else `numbers` tells the stamps apart."""

    service: Service
    original: Mapping[str, Any]
    close_delay: float | None
    header_timeout: float | None
    generation: int | None
    numbers: Iterator[int]

    def plain(self, colour: Colour) -> dict[str, Any]:
        """One colour, and all else as the operator has it."""
        return self._dialling((colour,))

    def either(self, colour: Colour) -> dict[str, Any]:
        """A colour, and where that does not answer the other one, for a while."""
        made = self._dialling((colour, colour.other))
        health = made.get("health_checks") or {}
        passive = (health.get("passive") or {}) | {"fail_duration": int(LEFT_ALONE_SECONDS * SECOND)}
        passive["max_fails"] = FAILURES
        balancing = (made.get("load_balancing") or {}) | {"selection_policy": {"policy": "first"}}
        if not balancing.get("try_duration"):
            balancing["retries"] = max(balancing.get("retries") or 0, FAILURES)
        made |= {"load_balancing": balancing, "health_checks": {**health, "passive": passive}}
        return made | _impatient(made.get("transport"), self.header_timeout)

    def _dialling(self, colours: Sequence[Colour]) -> dict[str, Any]:
        return self.delayed({**_without_ids(self.original), "upstreams": self.upstreams(colours)})

    def upstreams(self, colours: Sequence[Colour]) -> list[dict[str, Any]]:
        """The addresses of colours, in order."""
        kept = shared_keys([each for each in self.original.get("upstreams") or () if isinstance(each, dict)])
        return [self._upstream(kept, dial) for colour in colours for dial in self.service.addresses[colour]]

    def delayed(self, handler: dict[str, Any]) -> dict[str, Any]:
        """With the delay that is wished, unless the operator has one of his own."""
        if self.close_delay is None or "stream_close_delay" in handler:
            return handler
        return {**handler, "stream_close_delay": int(self.close_delay * SECOND)}

    def _upstream(self, kept: Mapping[str, Any], dial: str) -> dict[str, Any]:
        if self.generation is None:
            return {**kept, "dial": dial}
        return {**kept, "@id": stamp(self.service.name, next(self.numbers), self.generation), "dial": dial}


def shared_keys(upstreams: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of an operator's upstreams have in common beside their address (`max_requests`)."""
    extras = [{key: value for key, value in each.items() if key not in ("@id", "dial")} for each in upstreams]
    return {k: v for k, v in extras[0].items() if all(k in each and each[k] == v for each in extras)} if extras else {}


def _impatient(transport: Mapping[str, Any] | None, seconds: float | None) -> dict[str, Any]:
    """The transport that gives up on an answer; the operator's own limit stays, and a protocol that has none."""
    own = transport or {"protocol": "http"}
    if seconds is None or own.get("protocol", "http") != "http" or "response_header_timeout" in own:
        return {}
    return {"transport": {**own, "response_header_timeout": int(seconds * SECOND)}}


def _without_ids(node: Any) -> Any:
    """A copy without ids, which may stand only once in a configuration."""
    if isinstance(node, dict):
        return {key: _without_ids(value) for key, value in node.items() if key != "@id"}
    return [_without_ids(each) for each in node] if isinstance(node, list) else node
