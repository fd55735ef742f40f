"""Caddy's configuration, read: the server, its routes and hosts, and the sites of ours among them."""

from collections.abc import Mapping
from typing import Any

from bluegreen.domain.records import Json
from bluegreen.domain.sites import Site, Tls

SERVER = "srv0"
"""The one server that caddy-api-client knows; a Caddyfile is adapted to this name where all sites share listeners."""

MARK = "bluegreen-site-"

Document = dict[str, Any]


def route_id(name: str) -> str:
    """The `@id` of a site's route."""
    return f"{MARK}{name}"


def policy_id(name: str) -> str:
    """The `@id` of a site's policy for certificates."""
    return f"{MARK}{name}-tls"


def found(document: Json) -> tuple[Site, ...]:
    """The sites that were added, as they stand."""
    server = servers_of(document).get(SERVER)
    policies = {policy.get("@id") for policy in policies_of(document)}
    sites = []
    for index, route in enumerate(routes_of(server)):
        identity = route.get("@id")
        if not isinstance(identity, str) or not identity.startswith(MARK):
            continue
        name = identity.removeprefix(MARK)
        tls = Tls.INTERNAL if policy_id(name) in policies else Tls.AUTO
        sites.append(Site(name, "".join(hosts_of(route)[:1]), path_of(index), dials_of(route), listen_of(server), tls))
    return tuple(sites)


def path_of(index: int) -> str:
    """Where a route of the server stands, as the admin API writes it."""
    return f"/config/apps/http/servers/{SERVER}/routes/{index}"


def servers_of(document: Json) -> Mapping[str, Any]:
    """The servers by name; none where there are none."""
    node = document
    for key in ("apps", "http", "servers"):
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def routes_of(server: Json) -> list[Document]:
    """The routes of a server, in order."""
    routes = server.get("routes") if isinstance(server, dict) else None
    return [route for route in routes if isinstance(route, dict)] if isinstance(routes, list) else []


def policies_of(document: Json) -> list[Document]:
    """The policies for certificates, in order."""
    node = document
    for key in ("apps", "tls", "automation", "policies"):
        node = node.get(key) if isinstance(node, dict) else None
    return [policy for policy in node if isinstance(policy, dict)] if isinstance(node, list) else []


def listen_of(server: Json) -> tuple[str, ...]:
    """Where a server listens."""
    listen = server.get("listen") if isinstance(server, dict) else None
    return tuple(map(str, listen)) if isinstance(listen, list) else ()


def hosts_of(route: Mapping[str, Any]) -> list[str]:
    """The hosts that a route asks for, in lower case."""
    matchers = route.get("match")
    hosts = [host for each in matchers if isinstance(each, dict) for host in each.get("host") or []] if matchers else []
    return [str(host).lower() for host in hosts]


def dials_of(route: Mapping[str, Any]) -> tuple[str, ...]:
    """What its one proxy dials; empty where there is none at this place, or more than one."""
    handlers = route.get("handle") or []
    proxies = [each for each in handlers if isinstance(each, dict) and each.get("handler") == "reverse_proxy"]
    if len(proxies) != 1:
        return ()
    return tuple(str(upstream.get("dial", "")) for upstream in proxies[0].get("upstreams") or [])
