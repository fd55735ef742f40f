"""The admin API of Caddy, as much of it as a switch needs: read a part of the configuration, replace a part.

Rests on (https://caddyserver.com/docs/api, measured with 2.11, pinned in test_caddy_facts.py): every GET
carries an ETag that hashes the content at its path; `If-Match` with the ETag of a path guards a PATCH at or
below that path; a stale one gets 412. The API has no authentication but the rights of its socket, and refuses
an `Origin` header on it.

Every request has a connection of its own: a kept-alive one may be dead without our knowing, and a PATCH lost on it
would be an unknown outcome for nothing. When a connection is lost, aiohttp sends a GET once more by itself, but never
a PATCH (RFC 9110, 9.2.2: it is not idempotent).
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import aiohttp
import msgspec
import structlog

from bluegreen.adapters.balancers.caddy_words import message, reason, said
from bluegreen.adapters.balancers.endpoint import Endpoint, config_path, uid_of
from bluegreen.domain.errors import (
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
)
from bluegreen.domain.records import Json
from bluegreen.ports import Timed, untimed

log = structlog.get_logger(__name__)

GATEWAY = (502, 503, 504)
"""Caddy's admin API answers nothing of the kind: it is a proxy in between, which may have passed the change on."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A part of the configuration as it was, with the ETag that makes a change conditional on it."""

    value: Json
    etag: str | None


class CaddyAdmin:
    """A client of one admin endpoint. `timeout` in seconds for each request, half of it for connecting, so
    that a timeout tells whether anything was sent.

    The owner of a Unix socket must be root, our own user or `owner` (the user that Caddy runs as): whoever
    could plant a socket at that path would tell us where users are.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeout: float, owner: str, daemon_uid: int | None = None, timed: Timed = untimed
    ) -> None:
        self._endpoint, self._timeout, self._owner, self._timed = endpoint, timeout, owner, timed
        self._ours = {os.geteuid()} if daemon_uid is None else {os.geteuid(), daemon_uid}
        self._owners: frozenset[int] = frozenset()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the client ready; nothing is sent."""
        self._owners = frozenset({0, *self._ours, *uid_of(self._owner)})
        if self._endpoint.remote:
            log.warning("balancer.admin_is_remote", endpoint=self._endpoint.written)
        socket = self._endpoint.socket
        connector: aiohttp.BaseConnector = (
            aiohttp.UnixConnector(path=socket, force_close=True) if socket else aiohttp.TCPConnector(force_close=True)
        )
        budget = aiohttp.ClientTimeout(total=self._timeout, connect=self._timeout / 2)
        self._session = aiohttp.ClientSession(connector=connector, timeout=budget, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def read(self, path: Sequence[str | int], known: Reading | None = None) -> Reading:
        """The configuration at a path, None where there is none; `known` itself, which was read there before, where
        the ETag says that nothing changed: then nothing is taken apart again. Raises BalancerUnreachable."""
        status, etag, body = await self._got(config_path(path))
        if known is not None and status == 200 and etag and etag == known.etag:
            return known
        if status == 400 and b"invalid traversal path" in body:  # not even the key above it is there
            return Reading(None, etag)
        if status != 200:
            raise self.unreachable(f"it answered HTTP {status}: {message(body)}")
        try:
            return Reading(msgspec.json.decode(body), etag)
        except msgspec.DecodeError as exc:
            raise self.unreachable(f"what answers there is no Caddy: {exc}") from exc

    async def get(self, place: str) -> bytes:
        """What the API answers at another place than the configuration. Raises BalancerUnreachable."""
        status, _, body = await self._got(place)
        if status != 200:
            raise self.unreachable(f"it answered HTTP {status}: {message(body)}")
        return body

    async def replace(self, path: Sequence[str | int], value: Json, etag: str | None) -> None:
        """Replace what is at a path, on the condition that what `etag` was read from is still so.

        Raises as Balancer.switch says, a missing ETag as ChangeRefused.
        """
        if etag is None:
            raise ChangeRefused(
                "Caddy gave no ETag for its configuration, so a change cannot be made conditional on it: "
                "a newer Caddy is needed (bluegreen is tested with 2.11)",
                next=("caddy version",),
            )
        self._check_owner()
        headers = {"If-Match": etag, "Content-Type": "application/json"}
        try:
            async with self._sent("PATCH", config_path(path), msgspec.json.encode(value), headers) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise self.unreachable(reason(exc, self._timeout)) from exc
        except TimeoutError as exc:
            raise ChangeUnknown(
                f"Caddy did not answer the change within {self._timeout:g} s: it may still take effect",
                next=(self._endpoint.command,),
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLost(f"the connection to Caddy was lost before the reply: {said(exc)}") from exc
        _judge(status, body, self._endpoint.command)

    async def _got(self, place: str) -> tuple[int, str | None, bytes]:
        self._check_owner()
        try:
            async with self._sent("GET", place) as answer:
                return answer.status, answer.headers.get("ETag"), await answer.read()
        except (aiohttp.ClientError, OSError) as exc:
            raise self.unreachable(reason(exc, self._timeout)) from exc

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        place: str,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("this client of Caddy was not opened")
        url = self._endpoint.url(place)
        began = monotonic()
        try:
            async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
                yield answer
        finally:
            self._timed("read" if method == "GET" else "write", monotonic() - began)

    def _check_owner(self) -> None:
        fault = self._endpoint.fault(self._owners)
        if fault:
            raise self.unreachable(fault)

    def unreachable(self, why: str) -> BalancerUnreachable:
        """What to raise where it cannot be used, and why."""
        return BalancerUnreachable(
            f"Caddy's admin endpoint {self._endpoint.written} cannot be used: {why}",
            next=("systemctl status caddy", self._endpoint.command),
            endpoint=self._endpoint.written,
        )


def _judge(status: int, body: bytes, command: str) -> None:
    if status == 412:
        raise ForeignChange
    if status in GATEWAY:
        raise ChangeUnknown(
            f"something between us and Caddy answered the change with HTTP {status}: it may still take effect",
            status=status,
            next=(command,),
        )
    if not 200 <= status < 300:
        raise ChangeRefused(
            f"Caddy refused the change with HTTP {status}: {message(body)}",
            status=status,
            next=("journalctl -u caddy -n 20",),
        )
