"""Finds by structure which handlers of a Caddy configuration serve a service: by site and by what they dial.

Never only by `@id`: a reload from the Caddyfile takes all ids away (pinned in test_caddy_facts.py). The shape
of a configuration is https://caddyserver.com/docs/json/apps/http/: servers hold routes, routes hold matchers
and handlers, and handlers of several kinds (subroute, intercept, reverse_proxy itself) and a server's
`errors` hold routes again; `named_routes` are served where an `invoke` handler names them. A site is what
every enclosing route's host matchers let in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.adapters.balancers.caddy_armed import ArmedRoute, armed_route, upstreams_of
from bluegreen.adapters.balancers.endpoint import config_path
from bluegreen.adapters.balancers.stamps import generation_in
from bluegreen.domain.records import Json

SERVERS = ("apps", "http", "servers")
"""Where the configuration keeps what we look at; paths of handlers begin here."""

Path = tuple[str | int, ...]
Hosts = tuple[tuple[str, ...], ...]
"""For each enclosing route that asks for hosts: the patterns of which one must match."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What sends users to an upstream: a `reverse_proxy` handler, or the route of arms that we put in its place
    (`armed`). Its full path, the ways that lead to it, and itself as read."""

    path: Path
    ways: tuple[Hosts, ...]
    value: Mapping[str, Any]
    armed: ArmedRoute | None = None

    @property
    def original(self) -> Mapping[str, Any] | None:
        """The operator's own handler: itself, or what our arms keep of it; None where they stand in his own file."""
        return self.armed.original if self.armed else self.value

    @property
    def upstreams(self) -> tuple[Mapping[str, Any], ...]:
        """Its upstream objects as read; those of all arms, in order."""
        if self.armed is None:
            return upstreams_of(self.value)
        return tuple(upstream for proxy in self.armed.proxies for upstream in upstreams_of(proxy))

    @property
    def dials(self) -> tuple[str, ...]:
        """What it dials, in order: each address once where there are arms."""
        dials = tuple(str(upstream.get("dial", "")) for upstream in self.upstreams)
        return tuple(dict.fromkeys(dials)) if self.armed else dials

    @property
    def dynamic(self) -> bool:
        """Whether its upstreams come from a module at run time; the list in the configuration is then not
        used.
        """
        proxies = self.armed.proxies if self.armed else (self.value,)
        return any(proxy.get("dynamic_upstreams") is not None for proxy in proxies)

    @property
    def place(self) -> str:
        """Its path as the admin API writes it."""
        return config_path(self.path)

    def serves(self, site: str | None) -> bool:
        """Whether a request for this site can come here; without a site any does."""
        return site is None or any(_leads(way, site) for way in self.ways)

    def stamps(self, service: str) -> tuple[int | None, ...]:
        """Our generation on each upstream; None on those that do not carry our id for this service."""
        return tuple(generation_in(service, upstream.get("@id")) for upstream in self.upstreams)


def handlers(servers: Json) -> tuple[Handler, ...]:
    """Every `reverse_proxy` handler that a request can reach, in the order of the configuration; of arms of ours
    their route, and not what stands in it."""
    found: dict[Path, Handler] = {}
    for name, server in _entries(servers):
        walk = _Walk(server, (*SERVERS, name))
        for part in ("routes", "errors"):
            for handler in walk.below(_child(server, part), (*walk.path, part), ()):
                known = found.get(handler.path)
                found[handler.path] = replace(handler, ways=known.ways + handler.ways) if known else handler
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Walk:
    """One server's tree; `invoked` holds the named routes entered on the way, against routes that invoke
    themselves.
    """

    server: Json
    path: Path
    invoked: tuple[str, ...] = ()

    def below(self, node: Json, path: Path, hosts: Hosts) -> Iterator[Handler]:
        """The handlers at and below a node."""
        if isinstance(node, list):
            for index, each in enumerate(node):
                yield from self.below(each, (*path, index), hosts)
        elif isinstance(node, dict):
            yield from self._object(node, path, hosts + _asked_hosts(node))

    def _object(self, node: Mapping[str, Json], path: Path, hosts: Hosts) -> Iterator[Handler]:
        kind = node.get("handler")
        armed = armed_route(node) if kind == "subroute" else None
        if armed:
            yield Handler(path, (hosts,), node, armed)
            return
        if kind == "reverse_proxy":
            yield Handler(path, (hosts,), node)
        elif kind == "invoke":
            yield from self._named(node.get("name"), hosts)
        for key, value in node.items():
            if key != "match" and isinstance(value, dict | list):
                yield from self.below(value, (*path, key), hosts)

    def _named(self, name: Json, hosts: Hosts) -> Iterator[Handler]:
        route = _child(_child(self.server, "named_routes"), name)
        if isinstance(name, str) and name not in self.invoked:
            inner = _Walk(self.server, self.path, (*self.invoked, name))
            yield from inner.below(route, (*self.path, "named_routes", name), hosts)


def _asked_hosts(node: Mapping[str, Json]) -> Hosts:
    """The hosts a route asks for; empty where any of its matcher sets lets every host in (sets are
    alternatives).
    """
    sets = node.get("match")
    if "handle" not in node or not isinstance(sets, list) or not sets:
        return ()
    wanted = [_child(each, "host") for each in sets]
    if not all(isinstance(hosts, list) for hosts in wanted):
        return ()
    return (tuple(str(host) for hosts in wanted for host in hosts or ()),)


def _leads(way: Hosts, site: str) -> bool:
    return all(any(_host_matches(pattern, site) for pattern in patterns) for patterns in way)


def _host_matches(pattern: str, site: str) -> bool:
    """As Caddy's host matcher: `*` stands for one whole label. A placeholder is known only to Caddy: it may
    match.
    """
    if "{" in pattern:
        return True
    if "*" not in pattern:
        return pattern.lower() == site.lower()
    asked, given = pattern.lower().split("."), site.lower().split(".")
    return len(asked) == len(given) and all(a in ("*", g) for a, g in zip(asked, given, strict=True))


def _entries(node: Json) -> Sequence[tuple[str, Json]]:
    return tuple(node.items()) if isinstance(node, dict) else ()


def _child(node: Json, key: Json) -> Json:
    return node.get(key) if isinstance(node, dict) and isinstance(key, str) else None
