"""Which route a line belongs to, by words that may be shown: `POST /users/:id/orders`.

What is in a path beside plain words stays here: numbers, UUIDs, hashes, tokens, addresses become `:id`. Better one word
too few than a password-reset link in a message; a name that looks like a word (`/users/alice`) cannot be told from a
route and stays. Strangers ask for what they like, so everything here is bounded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

AUTH = "auth"
"""The signal of auth failures that belong to no class."""

DENIED = frozenset({401, 403})
"""Statuses that are auth failures where nothing else is configured."""

KNOWN_ROUTES = 200
"""Routes of one service that are told apart; the next ones are OTHER until some of these are no longer asked for."""

KNOWN_PATHS = 20_000
"""Paths whose route is remembered, of all services."""

REMEMBERED = 256
"""Characters of the longest request that is remembered: one may have a megabyte."""

OTHER = "other routes"
ID = ":id"
DEEPEST = 8
"""Segments of a path that are looked at."""

LONGEST = 1024
"""Characters of a path that are looked at."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})

WORD = re.compile(r"[A-Za-z]{1,20}|v[0-9]{1,3}|oauth2|http2|mp[34]|base64|md5|sha(1|256|512)|utf8|i18n|l10n|s3|2fa")
MIXED = re.compile(r"[a-z][A-Z]")
UNSPEAKABLE = re.compile(r"[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]{5}")
NUMBER_IN_LETTERS = re.compile(r"[A-Fa-f]{8,}")
SEPARATOR = re.compile(r"[-_.~]+")
ENDING = re.compile(r"\.(html?|js|mjs|css|map|json|xml|txt|php|png|jpe?g|gif|svg|webp|ico|woff2?|pdf|zip|wasm)$")


@dataclass(frozen=True, slots=True)
class RouteClass:
    """Routes whose auth failures are counted by themselves, with a history of their own, or (`ignore`) not at all.

    `paths`: where one of them is the whole path, `*` standing for any text; `methods` empty: any; `service` None: any.
    """

    name: str
    paths: tuple[str, ...]
    methods: frozenset[str] = frozenset()
    service: str | None = None
    failures: frozenset[int] = DENIED
    ignore: bool = False

    @property
    def signal(self) -> str:
        """The signal that its auth failures are counted in."""
        return f"{AUTH}:{self.name}" if self.name else AUTH

    def holds(self, service: str, method: str, path: str) -> bool:
        """Whether a request belongs to it."""
        if self.service not in (None, service) or (self.methods and method not in self.methods):
            return False
        return any(matches(pattern, path) for pattern in self.paths)


NO_CLASS = RouteClass("", ())
"""Of everything that belongs to none."""


@dataclass(slots=True, eq=False)
class Route:
    """A route of a service. There is one object for each, to be compared by identity."""

    service: str
    name: str
    auth: str
    failures: frozenset[int]
    ignored: bool
    asked: bool = True
    """Whether it was asked for since the last look at which routes are still in use."""

    @classmethod
    def of(cls, service: str, name: str, kind: RouteClass) -> "Route":
        """A route of one class. `auth`: the signal that its `failures` are counted in."""
        return cls(service, name, kind.signal, kind.failures, kind.ignore)


class Routes:
    """Finds the route of a request, each path once while it is remembered."""

    def __init__(self, classes: Sequence[RouteClass] = ()) -> None:
        """The first of the `classes` that holds a request has it."""
        self._classes = tuple(classes)
        self._by_path: dict[tuple[str, str, str], Route] = {}
        self._known: dict[str, dict[tuple[str, str], Route]] = {}
        self._refused = 0

    def route(self, service: str, method: str, uri: str) -> Route:
        """The route that a request line of the log belongs to."""
        path = uri.partition("?")[0]
        key = service, method, path
        route = self._by_path.get(key)
        if route is None:
            route = self._find(key)
        route.asked = True
        return route

    def _find(self, key: tuple[str, str, str]) -> Route:
        service, method, path = key
        path = _without_host(path)[:LONGEST]
        kind = next((each for each in self._classes if each.holds(service, method, path)), NO_CLASS)
        name = f"{method if method in METHODS else 'OTHER'} {shown(path)}"
        known = self._known.setdefault(service, {})
        route = known.get((kind.name, name))
        if route is None and len(known) < KNOWN_ROUTES:
            route = known[kind.name, name] = Route.of(service, name, kind)
        if route is None:
            self._refuse(known)
            return known.setdefault((kind.name, OTHER), Route.of(service, OTHER, kind))
        if sum(map(len, key)) <= REMEMBERED:
            self._remember(key, route)
        return route

    def _remember(self, key: tuple[str, str, str], route: Route) -> None:
        if len(self._by_path) >= KNOWN_PATHS:
            self._by_path.clear()
        self._by_path[key] = route

    def _refuse(self, known: dict[tuple[str, str], Route]) -> None:
        """A service has too many routes: now and then those that nobody asked for make room. Not at each newcomer,
        since strangers who try names would then have all of them forgotten again and again."""
        self._refused += 1
        if self._refused < KNOWN_ROUTES:
            return
        self._refused = 0
        for key in [key for key, route in known.items() if not route.asked]:
            del known[key]
        for route in known.values():
            route.asked = False
        self._by_path.clear()


def shown(path: str) -> str:
    """A path with nothing in it but plain words: `/users/1093/orders` is `/users/:id/orders`."""
    segments = path[1:].split("/", DEEPEST)
    named = [segment if not segment or _is_word(segment) else _unnamed(segment) for segment in segments[:DEEPEST]]
    return "/" + "/".join(named) + ("/..." if len(segments) > DEEPEST else "")


def matches(pattern: str, path: str) -> bool:
    """Whether a path is, as a whole, what a pattern says; `*` is any text. Linear, whatever strangers ask for."""
    first, *others = pattern.split("*")
    if not others:
        return path == pattern
    *middle, last = others
    if len(path) < len(first) + len(last) or not (path.startswith(first) and path.endswith(last)):
        return False
    place, end = len(first), len(path) - len(last)
    for text in middle:
        found = path.find(text, place, end)
        if found < 0:
            return False
        place = found + len(text)
    return True


def _without_host(path: str) -> str:
    """The path of what a client may also write as "http://host/path" or "*"."""
    if path.startswith("/"):
        return path
    _, scheme, rest = path.partition("://")
    return "/" + rest.partition("/")[2] if scheme else "/"


def _unnamed(segment: str) -> str:
    ending = ENDING.search(segment)
    return ID + ending[0] if ending else ID


def _is_word(segment: str) -> bool:
    return len(segment) <= 40 and all(_is_plain(piece) for piece in SEPARATOR.split(segment) if piece)


def _is_plain(piece: str) -> bool:
    """Letters as people write them: no hash of letters, and not as many capitals or consonants as chance puts there."""
    if not WORD.fullmatch(piece) or NUMBER_IN_LETTERS.fullmatch(piece):
        return False
    capitals = len(MIXED.findall(piece))
    if not capitals or len(piece) < 6:
        return True
    return 4 * capitals <= len(piece) + 2 and not UNSPEAKABLE.search(piece)
