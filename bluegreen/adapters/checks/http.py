"""Asks a colour over HTTP, directly at every one of its addresses: users could be sent to any of them.

The request carries the site's name in the Host header and, over TLS, in SNI, as Caddy's own would.
Certificates are not verified unless `ca_file` is set (or `verify` says so): an upstream behind Caddy mostly
has a self-signed one, and what is asked here is whether it works, over addresses that the configuration
names. Each try opens new connections; a kept one would not notice a listener that is gone.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bluegreen.adapters.checks.attempts import Finding, until_passed
from bluegreen.domain.answers import Expectations, Reply
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.traffic import Service

LONGEST = 1024 * 1024
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP check. `service` None: every service of the colour.

    `timeout` in seconds for one address in one try; `retries` further tries, `retry_delay` seconds apart.
    `verify` None: certificates are verified where `ca_file` is set.
    """

    name: str
    service: str | None = None
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    expect: Expectations = field(default_factory=Expectations)
    timeout: float = 5.0
    retries: int = 0
    retry_delay: float = 1.0
    verify: bool | None = None
    ca_file: Path | None = None


class HttpCheck:
    """The Checker port over HTTP. Redirects are answers, not followed; cookies are not kept."""

    def __init__(self, spec: HttpSpec) -> None:
        self._spec = spec
        self._verifying: ssl.SSLContext | None = None

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._spec.name

    async def check(self, target: Target) -> CheckResult:
        """Ask every address; passed when all answer as expected."""
        return await until_passed(self.name, lambda: self._ask_all(target), self._spec.retries, self._spec.retry_delay)

    async def _ask_all(self, target: Target) -> Finding:
        asked = [
            (service, address)
            for name, service in target.services.items()
            if self._spec.service in (None, name)
            for address in service.addresses.get(target.colour, ())
        ]
        if not asked:
            return Finding(False, f"{target.colour} has no address of {self._spec.service or 'any service'}")
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ask(*at, target.release), name=f"check:{self.name}:{at[1]}") for at in asked
            ]
        complaints = [
            f"{service.name} at {address}: {task.result()}"
            for (service, address), task in zip(asked, tasks, strict=True)
            if task.result()
        ]
        return Finding(not complaints, "; ".join(complaints) or f"as expected at {_and(asked)}")

    async def _ask(self, service: Service, address: str, release: str) -> str:
        """What is wrong with the answer of one address; "" where nothing is."""
        try:
            async with asyncio.timeout(self._spec.timeout):
                reply = await self._reply(service, address)
        except TimeoutError:
            return f"no answer within {self._spec.timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return _reason(exc)
        return self._spec.expect.complaint(reply, release)

    async def _reply(self, service: Service, address: str) -> Reply:
        spec, secure = self._spec, service.scheme == "https"
        host = {"Host": service.host} if service.host else {}
        connector = aiohttp.TCPConnector(ssl=await self._trust() if secure else False, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                spec.method,
                f"{service.scheme}://{address}{spec.path}",
                headers={"User-Agent": "bluegreen", "Accept-Encoding": "identity", **host, **spec.headers},
                data=spec.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=spec.timeout),
                server_hostname=_without_port(service.host) if secure and service.host else None,
            ) as response,
        ):
            body, whole = await _body(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, body, whole)

    async def _trust(self) -> ssl.SSLContext | bool:
        spec = self._spec
        if not (spec.ca_file is not None if spec.verify is None else spec.verify):
            return False
        if self._verifying is None:
            self._verifying = await asyncio.to_thread(ssl.create_default_context, cafile=spec.ca_file)
        return self._verifying


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Up to LONGEST bytes of the body, and whether that is all of it."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LONGEST:
            return bytes(body[:LONGEST]), False
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


def _and(asked: list[tuple[Service, str]]) -> str:
    return ", ".join(address for _, address in asked)
