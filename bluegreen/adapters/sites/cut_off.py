"""What a change of a site left that was cut off in the middle, and what may be typed about it.

The file holds the whole configuration from before. Loaded again it would take back whatever was changed since: after a
deployment it sends users to the colour that may be stopped by now. So that is only offered where Caddy's configuration
differs from it by this very site, and by nothing else.
"""

import copy
from pathlib import Path

import msgspec

from bluegreen.adapters.sites.documents import without_policy
from bluegreen.adapters.sites.reading import SERVER, hosts_of, policy_id, route_id, routes_of, servers_of
from bluegreen.adapters.sites.saved import SUFFIX
from bluegreen.domain.records import Json
from bluegreen.domain.sites import Left


def same(before: bytes, now: Json) -> bool:
    """Whether the change had no effect."""
    return bool(_read(before) == now)


def safe(file: Path, before: bytes, now: Json) -> bool:
    """Whether the configuration from before may be loaded again: nothing but this site was changed since."""
    was, name = _read(before), _name(file)
    return was is not None and _rest(was, now, name) == _rest(now, was, name)


def left(file: Path, base: str, *, back: bool) -> Left:
    """What to type; `back`: also how to load what was there before."""
    keep = f"to keep what is: rm {file}"
    if back:
        load = f"curl -f -H 'Content-Type: application/json' --data-binary @{file} {base}/load && rm {file}"
        return Left(str(file), (f"to go back: {load}", keep))
    return Left(str(file), (keep, f"then, to take the site away: bluegreen site remove {_name(file)}"))


def unknown(file: Path) -> Left:
    """The same while Caddy cannot be read: what may be typed is known once it answers."""
    return Left(str(file), ("systemctl status caddy", "bluegreen site show"))


def _read(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


def _name(file: Path) -> str:
    return file.name.removeprefix("site-").removesuffix(SUFFIX)


def _rest(document: Json, other: Json, name: str) -> Json:
    """A configuration without what belongs to this site, in it or in the other one."""
    hosts = {name.lower()} | {
        host
        for each in (document, other)
        for route in routes_of(servers_of(each).get(SERVER))
        if route.get("@id") == route_id(name)
        for host in hosts_of(route)
    }
    rest = copy.deepcopy(document)
    server = servers_of(rest).get(SERVER)
    if isinstance(server, dict):
        server["routes"] = [each for each in routes_of(server) if not _of_site(each, name)]
        names = (server.get("logs") or {}).get("logger_names") or {}
        for host in [each for each in names if each.lower() in hosts]:
            del names[host]
        without_policy(rest, policy_id(name))
    return rest


def _of_site(route: dict[str, Json], name: str) -> bool:
    return route.get("@id") == route_id(name) or hosts_of(route) == [name.lower()]
