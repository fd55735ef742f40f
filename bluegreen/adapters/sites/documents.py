"""A site in Caddy's configuration: found, put in, taken out; nothing else of the document differs.

What stands where (https://caddyserver.com/docs/json/): routes in a server's list, policies for certificates under
`apps/tls/automation`, the logger of each host under a server's `logs`. Our parts are known by their `@id`, which Caddy
strips before it loads them.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.adapters.sites.reading import (
    SERVER,
    Document,
    dials_of,
    found,
    hosts_of,
    listen_of,
    path_of,
    policy_id,
    route_id,
    routes_of,
    servers_of,
)
from bluegreen.domain.errors import ChangeRefused, NotFound, RequestRefused
from bluegreen.domain.records import Json
from bluegreen.domain.sites import Site, SiteWish, Tls


def refuse_unfit(document: Json, wish: SiteWish) -> None:
    """Raise RequestRefused where a site cannot be added so that it, and nothing else, changes."""
    servers = servers_of(document)
    if SERVER not in servers:
        names = ", ".join(sorted(servers)) or "none at all"
        raise _refused(wish, f"Caddy has no server {SERVER} (there is: {names}), and caddy-api-client knows no other")
    if wish.listen and wish.listen not in listen_of(servers[SERVER]):
        where = ", ".join(listen_of(servers[SERVER])) or "nowhere"
        raise _refused(wish, f"{SERVER} does not listen at {wish.listen}, it listens at {where}")
    for path, hosts in _routed(servers):
        if wish.host.lower() in hosts:
            raise _refused(wish, f"{wish.host} has a route already, at {path}")


def standing(document: Json, wish: SiteWish) -> bool:
    """Whether this very site stands there. Raises RequestRefused where another one of its name does."""
    site = next((site for site in found(document) if site.name == wish.name), None)
    if site is None:
        return False
    if (site.host.lower(), site.dials, site.tls) == (wish.host.lower(), wish.dials, wish.tls):
        return True
    raise RequestRefused(
        f"there is a site {wish.name} already, and it is another: {site.host} to {' '.join(site.dials) or 'its arms'},"
        f" TLS {site.tls}",
        next=(f"bluegreen site remove {wish.name}", f"bluegreen site show {wish.name}"),
    )


def with_site(before: Json, built: Json, wish: SiteWish) -> Document:
    """The document with the route that caddy-api-client built for this wish, and nothing else that it did.

    It also puts in a policy for certificates with somebody else's mail address, or adds the host to a policy of the
    operator's, which stops that from being for every host: what is there for certificates stays as it was.
    """
    routes = routes_of(servers_of(built).get(SERVER))
    index = next((at for at, route in enumerate(routes) if route.get("@id") == wish.host), None)
    after: Document = copy.deepcopy(before)
    server = after["apps"]["http"]["servers"][SERVER]
    if index is None or routes[:index] + routes[index + 1 :] != list(routes_of(server)):
        raise ChangeRefused("caddy-api-client changed other routes than that of the site: nothing was written")
    server["routes"] = [*routes_of(server)[:index], _route(routes[index], wish), *routes_of(server)[index:]]
    _log_as_the_others(server, wish.host)
    if wish.tls is Tls.INTERNAL:
        policy = {"@id": policy_id(wish.name), "subjects": [wish.host], "issuers": [{"module": "internal"}]}
        automation = after["apps"].setdefault("tls", {}).setdefault("automation", {})
        automation["policies"] = [policy, *(automation.get("policies") or [])]
    return after


def to_remove(document: Json, name: str, *, force: bool) -> Site:
    """The site of this name; with `force` also a route of the operator's that answers for the host `name` alone.
    Raises NotFound, RequestRefused."""
    site = next((site for site in found(document) if site.name == name), None)
    if site is not None:
        return site
    server = servers_of(document).get(SERVER)
    own = [at for at, route in enumerate(routes_of(server)) if hosts_of(route) == [name.lower()]]
    if not own:
        names = ", ".join(site.name for site in found(document)) or "none was added"
        raise NotFound(f"there is no site {name} ({names})", next=("bluegreen site show",))
    path = path_of(own[0])
    if not force:
        raise RequestRefused(
            f"{name} was not added by `bluegreen site add`: its route at {path} is the operator's own",
            next=(f"bluegreen site remove {name} --force", f"bluegreen site show {name}"),
        )
    return Site(name, name, path, dials_of(routes_of(server)[own[0]]), listen_of(server), Tls.AUTO)


def without_site(before: Json, built: Json, site: Site) -> Document:
    """The document without the routes that caddy-api-client took out for this site, and without our own policy for it.
    Raises ChangeRefused where it took out more than one route."""
    after: Document = copy.deepcopy(before)
    server = after["apps"]["http"]["servers"][SERVER]
    left = list(routes_of(servers_of(built).get(SERVER)))
    gone = [at for at, route in enumerate(routes_of(server)) if path_of(at) == site.path]
    if left != [route for at, route in enumerate(routes_of(server)) if at not in gone]:
        raise ChangeRefused(
            f"more than one route answers for {site.host} alone: take the one that is meant out by hand",
            next=(f"bluegreen site show {site.name}",),
        )
    server["routes"] = left
    if any(each.name == site.name for each in found(before)):
        _names(server).pop(site.host, None)
    without_policy(after, policy_id(site.name))
    return after


def _route(built: Mapping[str, Any], wish: SiteWish) -> Document:
    """The route as it was built, with all addresses, TLS to them where wished, and the colour in the access log."""
    route: Document = copy.deepcopy(dict(built)) | {"@id": route_id(wish.name)}
    proxy = next(each for each in route["handle"] if each.get("handler") == "reverse_proxy")
    proxy["upstreams"] = [{"dial": dial} for dial in wish.dials]
    if wish.scheme == "https":
        proxy["transport"] = {"protocol": "http", "tls": {}}
    colour = {"handler": "log_append", "key": "upstream", "value": "{http.reverse_proxy.upstream.hostport}"}
    route["handle"] = [colour, *route["handle"]]
    return route


def _log_as_the_others(server: Document, host: str) -> None:
    """Where each host of the server has a logger by name, and all the same: this one, too."""
    names = _names(server)
    loggers = [logger for at, logger in enumerate(names.values()) if logger not in list(names.values())[:at]]
    if len(loggers) == 1:
        names[host] = loggers[0]


def _names(server: Document) -> Document:
    logs = server.get("logs")
    names = logs.get("logger_names") if isinstance(logs, dict) else None
    return names if isinstance(names, dict) else {}


def without_policy(document: Document, identity: str) -> None:
    """Take the policy out, and without what was there for its sake alone."""
    apps = document["apps"]
    automation = apps.get("tls", {}).get("automation", {})
    policies = automation.get("policies") or []
    left = [policy for policy in policies if policy.get("@id") != identity]
    if len(left) == len(policies):
        return
    automation["policies"] = left
    if not left:
        del automation["policies"]
    if not automation:
        del apps["tls"]["automation"]
    if not apps["tls"]:
        del apps["tls"]


def _refused(wish: SiteWish, why: str) -> RequestRefused:
    return RequestRefused(f"{wish.name} is not added: {why}. {instead(wish)}", next=("systemctl reload caddy",))


def instead(wish: SiteWish) -> str:
    """What to do by hand where it cannot be done here: the lines of the Caddyfile, below one another."""
    return "\n".join(("By hand, put this into the Caddyfile:", *(f"  {line}" for line in caddyfile_lines(wish))))


def caddyfile_lines(wish: SiteWish) -> tuple[str, ...]:
    """The same site for the Caddyfile: what a restart and a reload read."""
    dials = " ".join(f"https://{dial}" if wish.scheme == "https" else dial for dial in wish.dials)
    tls = ("\ttls internal",) if wish.tls is Tls.INTERNAL else ()
    append = "\tlog_append upstream {http.reverse_proxy.upstream.hostport}"
    return (f"{wish.host} {{", *tls, append, f"\treverse_proxy {dials}", "}")


def _routed(servers: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for name, server in servers.items():
        for index, route in enumerate(routes_of(server)):
            yield f"/config/apps/http/servers/{name}/routes/{index}", hosts_of(route)
