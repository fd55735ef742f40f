"""The cookies of one run of a flow: kept as a browser would, as far as services of one stack need it (RFC 6265).

aiohttp's own jar goes by the address that is dialled; here that is the balancer's, for every site.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Self

from bluegreen.domain.records import Json

MOST = 50
"""Cookies that are kept; what is set beyond that is dropped."""

LONGEST = 8 * 1024
"""Characters of one Set-Cookie header that is looked at."""


@dataclass(frozen=True, slots=True)
class _Cookie:
    name: str
    value: str
    host: str
    path: str
    for_domain: bool

    def is_for(self, host: str, path: str) -> bool:
        """Whether a request gets it."""
        here = host == self.host or (self.for_domain and host.endswith(f".{self.host}"))
        below = path == self.path or path.startswith(self.path if self.path.endswith("/") else f"{self.path}/")
        return here and below


class Cookies:
    """What was set so far. Secure cookies go over plain HTTP too: what is asked is a balancer on this very host."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], _Cookie] = {}

    def take(self, headers: tuple[str, ...], host: str) -> None:
        """Keep what an answer of `host` set; one that it lets expire is forgotten."""
        for header in headers:
            pair, *attributes = header[:LONGEST].split(";")
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                continue
            said = {key.strip().lower(): word.strip() for key, _, word in (each.partition("=") for each in attributes)}
            domain = said.get("domain", "").lstrip(".").lower()
            if domain and host != domain and not host.endswith(f".{domain}"):
                continue
            path = said["path"] if said.get("path", "").startswith("/") else "/"
            cookie = _Cookie(name, value, domain or host, path, bool(domain))
            self._kept.pop(key := (cookie.host, path, name), None)
            if not _expired(said) and len(self._kept) < MOST:
                self._kept[key] = cookie

    def header(self, host: str, path: str) -> str:
        """The Cookie header of a request; "" where there is nothing to send."""
        path = path.partition("?")[0]
        sent = sorted((each for each in self._kept.values() if each.is_for(host, path)), key=lambda c: -len(c.path))
        return "; ".join(f"{each.name}={each.value}" for each in sent)

    def kept(self) -> list[list[str]]:
        """All of them, to be handed on."""
        return [[c.name, c.value, c.host, c.path, "domain" if c.for_domain else ""] for c in self._kept.values()]

    @classmethod
    def handed_on(cls, kept: Json) -> Self:
        """What `kept` gave."""
        made = cls()
        for name, value, host, path, for_domain in kept or ():
            made._kept[host, path, name] = _Cookie(name, value, host, path, bool(for_domain))
        return made

    def values(self) -> set[str]:
        """All that they hold."""
        return {each.value for each in self._kept.values()}


def _expired(said: dict[str, str]) -> bool:
    """Whether a cookie was set only to be removed: with an age of 0 or less, or a date in the last century or so."""
    if "max-age" in said:
        return said["max-age"].startswith("-") or said["max-age"].strip("0") == ""
    try:
        return parsedate_to_datetime(said["expires"]).year < LONG_AGO if "expires" in said else False
    except ValueError:
        return False


LONG_AGO = 2001
"""A year that no living cookie expires in: servers remove one with a date in 1970 or so."""
