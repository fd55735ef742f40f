"""One request directly at an address of a colour, past the balancer.

The request carries the site's name in the Host header and, over TLS, in SNI, as Caddy's own would. Certificates are
not verified unless there is a `ca_file` (or `verify` says so): an upstream behind Caddy mostly has a self-signed one,
and what is asked here is whether it works, over addresses that the configuration names. Each request opens a new
connection; a kept one would not notice a listener that is gone.
"""

import asyncio
import os
import ssl
from pathlib import Path
from time import monotonic

import aiohttp
from yarl import URL

from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.domain.traffic import Service

LONGEST = 1024 * 1024
"""Bytes of an answer that are read."""


class Direct:
    """Asks addresses. `verify` None: certificates are verified where there is a `ca_file`."""

    def __init__(self, *, verify: bool | None = None, ca_file: Path | None = None) -> None:
        self._verify = ca_file is not None if verify is None else verify
        self._ca_file = ca_file
        self._verifying: ssl.SSLContext | None = None

    async def send(self, service: Service, address: str, asked: Asked, timeout: float) -> Got:
        """One request and its whole answer, within `timeout` seconds. Never raises for a bad answer, and never sends
        twice; `error` is fit to be shown."""
        began = monotonic()
        try:
            async with asyncio.timeout(timeout):
                return await self._request(service, address, asked, timeout, began)
        except TimeoutError:
            return Got(error=f"no answer within {timeout:.3g} s", seconds=monotonic() - began)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            sent = not isinstance(exc, aiohttp.ClientConnectorError)
            return Got(error=_reason(exc), sent=sent, seconds=monotonic() - began)

    async def _request(self, service: Service, address: str, asked: Asked, timeout: float, began: float) -> Got:
        secure = service.scheme == "https"
        host = {"Host": service.host} if service.host else {}
        connector = aiohttp.TCPConnector(ssl=await self._trust() if secure else False, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                asked.method,
                URL(f"{service.scheme}://{address}{asked.path}", encoded=True),
                headers={"User-Agent": "bluegreen", "Accept-Encoding": "identity", **host, **asked.headers},
                data=asked.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
                server_hostname=_without_port(service.host) if secure and service.host else None,
            ) as response,
        ):
            body, whole = await _body(response, asked.keep)
            headers = {name.lower(): value for name, value in response.headers.items()}
            cookies = tuple(response.headers.getall("Set-Cookie", ()))
            return Got(response.status, headers, cookies, body, whole, seconds=monotonic() - began)

    async def _trust(self) -> ssl.SSLContext | bool:
        if not self._verify:
            return False
        if self._verifying is None:
            self._verifying = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
        return self._verifying


async def _body(response: aiohttp.ClientResponse, keep: int) -> tuple[bytes, bool]:
    """Up to `keep` bytes of the body, and whether that is all of it."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > keep:
            return bytes(body[:keep]), False
    return bytes(body), True


def _reason(exc: Exception) -> str:
    """Why there is no answer; never the library's whole text, which may quote headers and the query."""
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
    return exc.strerror or type(exc).__name__


def _without_port(site: str) -> str:
    host, colon, port = site.rpartition(":")
    return host if colon and port.isdigit() else site
