"""Caddy's configuration, read at its admin endpoint: who is routed where.

The document is the one of GET /config/ (caddyserver.com/docs/json): servers with routes, in which handlers may hold
further routes. It comes from outside, so that nothing in it is taken for granted.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bluegreen.init.found import CaddySeen, Proxied

SOCKETS = ("/run/caddy/admin.sock", "/run/caddy-admin.sock", "/var/run/caddy/admin.sock", "/run/caddy.sock")
TCP = "http://127.0.0.1:2019"
"""Where Caddy's admin endpoint usually is; the last one is Caddy's default."""

TIMEOUT = 3.0
"""Seconds for one endpoint."""

DEEPEST = 40
"""Handlers within handlers; Caddy itself makes a few."""

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?):([0-9]{1,5})")
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")


async def look(wished: str, sockets: Sequence[str] = SOCKETS) -> tuple[CaddySeen | None, tuple[str, ...]]:
    """The first Caddy that answers, at `wished` alone where that is given; and in words what was tried."""
    places = [wished] if wished else [*(f"unix/{path}" for path in sockets), TCP]
    tried = []
    for place in places:
        try:
            document = await _read(place)
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as exc:
            tried.append(f"Caddy's admin endpoint {place}: {_why(exc)}")
            continue
        seen = understand(place, document)
        return seen, (*tried, f"Caddy's admin endpoint {place}: it answers, with {len(seen.proxied)} reverse_proxy")
    return None, tuple(tried)


def understand(admin: str, document: Any) -> CaddySeen:
    """What a configuration says; of what is not as Caddy writes it, nothing is taken."""
    apps = _dict(_dict(document).get("apps"))
    http = _dict(apps.get("http"))
    found: list[_Handler] = []
    appends = False
    for server in _dict(http.get("servers")).values():
        ground = _Ground("", (), server=_dict(server), http=http)
        for handler in _handlers(_list(_dict(server).get("routes")), ground, DEEPEST):
            appends |= handler.appends
            found.append(handler)
    proxied = tuple(each for handler in found if (each := handler.proxied()) is not None)
    odd = tuple(dict.fromkeys(dial for handler in found for dial in handler.odd))
    return CaddySeen(admin, proxied, _log(document, http), appends, odd)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a route inherits: the host and the paths of those around it."""

    host: str
    paths: tuple[str, ...]
    server: dict[str, Any]
    http: dict[str, Any]

    def within(self, route: dict[str, Any]) -> "_Ground":
        host, paths = self.host, self.paths
        for matcher in map(_dict, _list(route.get("match"))):
            hosts = [h for h in _strings(matcher.get("host")) if HOST.fullmatch(h)]
            host = hosts[0] if hosts else host
            paths = tuple(_strings(matcher.get("path"))) or paths
        return _Ground(host, paths, self.server, self.http)

    def front_door(self) -> str:
        """Where its listener is, as seen from this machine."""
        listen = next(iter(_strings(self.server.get("listen"))), ":443")
        port = int(text) if (text := listen.rpartition(":")[2]).isdigit() and len(text) < 6 else 443
        if self._is_tls(port):
            return "https://127.0.0.1" if port == 443 else f"https://127.0.0.1:{port}"
        return "http://127.0.0.1" if port == 80 else f"http://127.0.0.1:{port}"

    def _is_tls(self, port: int) -> bool:
        automatic = _dict(self.server.get("automatic_https"))
        skipped = self.host in _strings(automatic.get("skip")) or bool(automatic.get("disable"))
        if self.server.get("tls_connection_policies"):
            return True
        return bool(self.host) and not skipped and port != (self.http.get("http_port") or 80)


@dataclass(frozen=True, slots=True)
class _Handler:
    ground: _Ground
    handler: dict[str, Any]

    @property
    def appends(self) -> bool:
        """Whether it writes who answered into the access log."""
        return self.handler.get("handler") == "log_append" and self.handler.get("key") == "upstream"

    @property
    def dials(self) -> list[str]:
        if self.handler.get("handler") != "reverse_proxy":
            return []
        return [dial for each in _list(self.handler.get("upstreams")) if (dial := _text(_dict(each).get("dial")))]

    @property
    def odd(self) -> list[str]:
        return [dial for dial in self.dials if not _is_address(dial)]

    def proxied(self) -> Proxied | None:
        dials = tuple(dict.fromkeys(dial for dial in self.dials if _is_address(dial)))
        if not dials or self.odd:
            return None
        transport = _dict(self.handler.get("transport"))
        active = _dict(_dict(self.handler.get("health_checks")).get("active"))
        return Proxied(
            host=self.ground.host,
            paths=self.ground.paths,
            dials=dials,
            scheme="https" if "tls" in transport else "http",
            front_door=self.ground.front_door(),
            health=_text(active.get("uri")) or _text(active.get("path")),
        )


def _handlers(routes: list[Any], ground: _Ground, depth: int) -> Iterator[_Handler]:
    for route in map(_dict, routes):
        inside = ground.within(route)
        for handler in map(_dict, _list(route.get("handle"))):
            yield _Handler(inside, handler)
            if depth and handler.get("handler") == "subroute":
                yield from _handlers(_list(handler.get("routes")), inside, depth - 1)


def _is_address(dial: str) -> bool:
    match = ADDRESS.fullmatch(dial)
    return match is not None and 0 < int(match[2]) < 65_536


def _log(document: Any, http: dict[str, Any]) -> str:
    """The file of an access log in JSON."""
    named = {"http.log.access"}
    for server in map(_dict, _dict(http.get("servers")).values()):
        logs = _dict(server.get("logs"))
        names = [_text(logs.get("default_logger_name"))]
        for value in _dict(logs.get("logger_names")).values():
            names += _strings(value) if isinstance(value, list) else [_text(value)]
        named |= {f"http.log.access.{name}" for name in names if name}
    for log in map(_dict, _dict(_dict(_dict(document).get("logging")).get("logs")).values()):
        writer, encoder = _dict(log.get("writer")), _dict(log.get("encoder"))
        path = _text(writer.get("filename"))
        included = set(_strings(log.get("include")))
        usable = writer.get("output") == "file" and encoder.get("format", "json") in ("json", "filter")
        if usable and path.startswith("/") and path.isprintable() and included & named:
            return path
    return ""


async def _read(place: str) -> Any:
    socket = place.removeprefix("unix/") if place.startswith("unix/") else ""
    connector = aiohttp.UnixConnector(path=_path(socket)) if socket else aiohttp.TCPConnector()
    url = "http://127.0.0.1/config/" if socket else f"{place.rstrip('/')}/config/"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with (
        asyncio.timeout(TIMEOUT),
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"it answers {answer.status}")
        body = b"".join([chunk async for chunk in answer.content.iter_chunked(1 << 16)])
    try:
        document = json.loads(body)
    except RecursionError as exc:
        raise ValueError("what it answers is nested too deeply") from exc
    return document


def _path(socket: str) -> str:
    """`unix//run/x` names /run/x, as in bluegreen.toml."""
    path = socket.partition("|")[0]
    if not Path(path).is_socket():
        raise FileNotFoundError("there is no socket")
    return path


def _why(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return f"it does not answer within {TIMEOUT:g} s"
    if isinstance(exc, json.JSONDecodeError):
        return "what it answers is no JSON"
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return "".join(char for char in text if char.isprintable())[:200]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> list[str]:
    return [each for each in _list(value) if isinstance(each, str)]
