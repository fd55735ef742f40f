"""Asks the balancer's real listener as a user would, and learns from the access log which colour answered.

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
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Self

import aiohttp
from yarl import URL

from bluegreen import __version__
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.traffic import Colour, Service

PROBE_HEADER = "X-Bluegreen-Probe"
"""Carries the nonce; lines of the access log that have it are ours and no users'."""

LONGEST_BODY = 64 * 1024
"""Bytes of an answer that are kept."""

LONGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer that are read. Caddy logs an answer that its client breaks off without the upstream, so what
is not kept is read all the same; beyond this it is broken off, and its colour is not known."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What the access log says of one request of ours."""

    colour: Colour
    status: int


@dataclass(frozen=True, slots=True)
class _Got:
    """What came back for one request; `sent` is False where there was not even a connection."""

    status: int | None = None
    body: bytes = b""
    error: str = ""
    sent: bool = True


class HttpFrontDoor:
    """The FrontDoor port over HTTP(S). Open it before use (`async with`, or `open` and `close`).

    `timeout` and `witness_timeout` in seconds: for the whole answer, and then for its line in the access log.
    `verify` None checks certificates unless `base` is on this very host (where a name seldom fits).
    """

    def __init__(
        self,
        base: str,
        services: Sequence[Service],
        *,
        timeout: float,
        witness_timeout: float = 0.5,
        verify: bool | None = None,
    ) -> None:
        self._base = URL(base)
        self._services = {service.name: service for service in services}
        self._timeout, self._witness_timeout = timeout, witness_timeout
        self._verify = not _is_loopback(self._base.host or "") if verify is None else verify
        self._session: aiohttp.ClientSession | None = None
        self._waiting: dict[str, asyncio.Future[_Line]] = {}

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"bluegreen/{__version__}", "Accept-Encoding": "identity"},
            middlewares=(_once,),
        )

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """Requests under way whose line in the access log may still come."""
        return len(self._waiting)

    def witnessed(self, nonce: str, colour: Colour, status: int) -> None:
        """The access log has a line of the request with this nonce; a nonce that nobody waits for is ignored."""
        witness = self._waiting.get(nonce)
        if witness is not None and not witness.done():
            witness.set_result(_Line(colour, status))

    async def ask(self, service: str) -> FrontDoorAnswer:
        """Send one request for a service and learn which colour served it. Never raises for a bad answer."""
        nonce = secrets.token_hex(16)
        witness = self._waiting[nonce] = asyncio.get_running_loop().create_future()
        try:
            began = monotonic()
            got = await self._request(self._services[service], nonce)
            seconds = monotonic() - began
            line = await self._line(witness) if got.sent else None
        finally:
            del self._waiting[nonce]
        return FrontDoorAnswer(
            service=service,
            colour=line.colour if line else None,
            status=got.status,
            seconds=seconds,
            error=f"{got.error} (the access log says {line.status})" if got.error and line else got.error,
            body=got.body,
            reached=got.sent,
        )

    async def _request(self, service: Service, nonce: str) -> _Got:
        if self._session is None:
            raise RuntimeError("this front door was not opened")
        headers = {PROBE_HEADER: nonce, "Connection": "close"}
        if service.host:
            headers["Host"] = service.host
        url = URL(f"{self._base.origin()}{service.probe_path}")
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False, ssl=self._verify, server_hostname=self._sni(service)
            ) as answer:
                return _Got(answer.status, await _body(answer))
        except TimeoutError as exc:
            return _Got(error=f"no answer within {self._timeout:g} s", sent=not _no_connection(exc))
        except (aiohttp.ClientError, OSError) as exc:
            return _Got(error=f"no answer: {str(exc) or type(exc).__name__}", sent=not _no_connection(exc))

    async def _line(self, witness: asyncio.Future[_Line]) -> _Line | None:
        try:
            async with asyncio.timeout(self._witness_timeout):
                return await witness
        except TimeoutError:
            return None

    def _sni(self, service: Service) -> str | None:
        return service.host if self._base.scheme == "https" else None


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a GET again by itself: a request that was lost is what users would have got."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # there was no connection; aiohttp does not try that again
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientConnectionError(f"the connection was lost: {exc}") from exc


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body, size = bytearray(), 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        body += chunk[: LONGEST_BODY - len(body)]
        if size > LONGEST_ANSWER:
            answer.close()
            break
    return bytes(body)


def _no_connection(exc: Exception) -> bool:
    return isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
