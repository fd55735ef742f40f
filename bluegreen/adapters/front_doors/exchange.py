"""One request through the balancer's real listener, and which colour answered it.

A colour cannot be read off an answer: any upstream may say anything. The balancer's own access log names the
upstream of each request (Caddy: `log_append upstream {http.reverse_proxy.upstream.hostport}`), and a request
is known again in it by a nonce in its header. The log's reader is another adapter: it calls `witnessed` for
each line with such a nonce.

Every request has a connection of its own, since a kept-alive one could still end in the configuration before
a switch, and the site's name in Host and SNI, since that is what routes and certificates go by.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import aiohttp
from yarl import URL

from bluegreen import __version__
from bluegreen.domain.traffic import Colour, Service

PROBE_HEADER = "X-Bluegreen-Probe"
"""Carries the nonce; lines of the access log that have it are ours and no users'."""

LONGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer that are read. Caddy logs an answer that its client breaks off without the upstream, so what
is not kept is read all the same; beyond this it is broken off, and its colour is not known."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `path` with its query, percent-encoded as it is sent. `keep`: bytes of the answer's body to keep."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    keep: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Got:
    """What came back. `status` None: no whole answer within the timeout, `error` says why. `sent` False: there was not
    even a connection. `headers` by lower-case name, `cookies` as they were set; `whole` False: the body was longer.
    `colour` and `logged` (a status) are what the access log says, None where no line came. `seconds` the answer took.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    whole: bool = True
    error: str = ""
    sent: bool = True
    seconds: float = 0.0
    colour: Colour | None = None
    logged: int | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """What the access log says of one request of ours."""

    colour: Colour
    status: int


class Exchange:
    """Sends requests to a front door. `open` it before use, and `close` it.

    `witness_timeout`: seconds for the line in the access log, after the answer. `verify` None checks certificates
    unless `base` is on this very host (where a name seldom fits).
    """

    def __init__(
        self, base: str, services: Sequence[Service], *, witness_timeout: float, verify: bool | None = None
    ) -> None:
        self._base = URL(base)
        self._services = {service.name: service for service in services}
        self.witness_timeout = witness_timeout
        self._verify = not _is_loopback(self._base.host or "") if verify is None else verify
        self._session: aiohttp.ClientSession | None = None
        self._waiting: dict[str, asyncio.Future[_Line]] = {}

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"bluegreen/{__version__}", "Accept-Encoding": "identity"},
            middlewares=(_once,),
        )

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def waiting(self) -> int:
        """Requests under way whose line in the access log may still come."""
        return len(self._waiting)

    def service(self, name: str) -> Service:
        """One of the services, as it was given."""
        return self._services[name]

    def witnessed(self, nonce: str, colour: Colour, status: int) -> None:
        """The access log has a line of the request with this nonce; a nonce that nobody waits for is ignored."""
        witness = self._waiting.get(nonce)
        if witness is not None and not witness.done():
            witness.set_result(_Line(colour, status))

    async def send(self, service: str, asked: Asked, timeout: float) -> Got:
        """Send one request and learn which colour served it, within `timeout` seconds and those for its line in the
        log. Never raises for a bad answer, and never sends twice."""
        nonce = secrets.token_hex(16)
        witness = self._waiting[nonce] = asyncio.get_running_loop().create_future()
        try:
            began = monotonic()
            got = await self._request(self._services[service], asked, nonce, timeout)
            got = replace(got, seconds=monotonic() - began)
            line = await self._line(witness) if got.sent else None
        finally:
            del self._waiting[nonce]
        return replace(got, colour=line.colour, logged=line.status) if line else got

    async def _request(self, service: Service, asked: Asked, nonce: str, timeout: float) -> Got:
        if self._session is None:
            raise RuntimeError("this front door was not opened")
        headers = {**asked.headers, PROBE_HEADER: nonce, "Connection": "close"}
        if service.host:
            headers["Host"] = service.host
        try:
            async with self._session.request(
                asked.method,
                URL(f"{self._base.origin()}{asked.path}", encoded=True),
                headers=headers,
                data=asked.body or None,
                allow_redirects=False,
                ssl=self._verify,
                server_hostname=service.host if self._base.scheme == "https" else None,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as answer:
                body, whole = await _body(answer, asked.keep)
                said = {name.lower(): value for name, value in answer.headers.items()}
                return Got(answer.status, said, tuple(answer.headers.getall("Set-Cookie", ())), body, whole)
        except TimeoutError as exc:
            return Got(error=f"no answer within {timeout:.3g} s", sent=not _no_connection(exc))
        except (aiohttp.ClientError, OSError) as exc:
            return Got(error=f"no answer: {str(exc) or type(exc).__name__}", sent=not _no_connection(exc))

    async def _line(self, witness: asyncio.Future[_Line]) -> _Line | None:
        try:
            async with asyncio.timeout(self.witness_timeout):
                return await witness
        except TimeoutError:
            return None


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a GET again by itself: a request that was lost is what users would have got."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # there was no connection; aiohttp does not try that again
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientConnectionError(f"the connection was lost: {exc}") from exc


async def _body(answer: aiohttp.ClientResponse, keep: int) -> tuple[bytes, bool]:
    body, size = bytearray(), 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        body += chunk[: keep - len(body)]
        if size > LONGEST_ANSWER:
            answer.close()
            break
    return bytes(body), size <= keep


def _no_connection(exc: Exception) -> bool:
    return isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
