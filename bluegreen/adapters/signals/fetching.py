"""One HTTP question with a bounded answer. Raises SignalFailed in words, which name the host and nothing secret.

A redirect is refused: it would carry the headers, and so the credentials, elsewhere. An answer is read up to LONGEST
bytes and never unpacked, so that a few bytes cannot become many.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from bluegreen.adapters.signals.names import Names
from bluegreen.domain.errors import SignalFailed

LONGEST = 256 * 1024
"""Bytes of an answer: one number, with some words around it."""

OURS = {"user-agent": "bluegreen", "accept": "application/json", "accept-encoding": "identity"}

SHOWN = 200
"""Characters of others' words that we repeat."""

REFUSED = {
    401: "it wants to know who asks (401): give it `headers`, for example Authorization",
    403: "it refuses us (403): the credential in `headers` may not read this",
    429: "it is asked too often (429): make `interval` longer",
}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status and its whole body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks with these headers, each time within `timeout` seconds, over a connection of its own. `verify` False: the
    other side's certificate is not looked at."""

    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool = True
    names: Names = field(default_factory=Names)

    async def get(self, url: str) -> Page:
        """The answer to a GET."""
        return await self._asked("GET", url, None)

    async def post(self, url: str, form: Mapping[str, str]) -> Page:
        """The answer to a form."""
        return await self._asked("POST", url, form)

    async def _asked(self, method: str, url: str, form: Mapping[str, str] | None) -> Page:
        where = urlsplit(url).netloc
        try:
            async with asyncio.timeout(self.timeout):
                page = await self._page(method, url, form)
        except TimeoutError:
            raise SignalFailed(f"{where}: no answer within {self.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Not chained: the library's texts quote the URL and headers.
            raise SignalFailed(f"{where}: {_reason(exc)}") from None
        if page is None:
            raise SignalFailed(f"{where}: its answer is longer than {LONGEST // 1024} KiB; ask for less")
        if 300 <= page.status < 400:
            raise SignalFailed(f"{where}: it redirects ({page.status}), which is not followed: write the final address")
        if page.status in REFUSED:
            raise SignalFailed(f"{where}: {REFUSED[page.status]}")
        return page

    async def _page(self, method: str, url: str, form: Mapping[str, str] | None) -> Page | None:
        """The answer; None where it is too long."""
        own = {name.lower(): value for name, value in self.headers.items()}
        connector = aiohttp.TCPConnector(ssl=self.verify, resolver=self.names, force_close=True, use_dns_cache=False)
        async with (
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.request(
                method,
                url,
                headers=OURS | own,
                data=form,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > LONGEST:
                    return None
            return Page(response.status, bytes(body))


def repeated(text: object) -> str:
    """Others' words in ours: short, on one line, without control characters."""
    plain = "".join(char if char.isprintable() else " " for char in str(text)[: 2 * SHOWN])
    plain = " ".join(plain.split())
    return plain if len(plain) <= SHOWN else plain[:SHOWN] + "..."


def _reason(exc: Exception) -> str:
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {exc.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect: {_why(exc.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "its answer was broken off"
        case aiohttp.ClientResponseError():
            return "its answer is not HTTP that can be read"
        case OSError():
            return f"no answer: {_why(exc)}"
    return f"cannot be asked: {type(exc).__name__}"


def _why(exc: OSError) -> str:
    if isinstance(exc, ssl.SSLError):
        return f"TLS: {exc.reason}"
    if exc.errno and exc.errno > 0:  # a name that cannot be resolved has a negative one, with a text of its own
        return os.strerror(exc.errno)
    return exc.strerror or str(exc) or type(exc).__name__
