"""Cloudflare's API, as much of it as a switch needs: read a load balancer or a pool, change keys of a load balancer.

Rests on Cloudflare's public documentation (developers.cloudflare.com/api, "Load Balancers", "Limits"): every answer is
an envelope of `success`, `errors` (each with `code` and `message`) and `result`; PATCH overwrites the keys it names and
leaves the others; a token comes as `Authorization: Bearer`. 1,200 requests in five minutes for a user, dashboard and
all; then everything is answered with 429 for five minutes, and `Retry-After` says how long. There is no `If-Match`: a
change cannot be made conditional on what was read, so one that got no answer may still land over a later one.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic

import aiohttp
import msgspec

from bluegreen.adapters.balancers.caddy_words import said
from bluegreen.domain.errors import (
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    RouteNotFound,
)
from bluegreen.domain.records import Json
from bluegreen.ports import Timed, untimed

HTTPS = "https://api.cloudflare.com/client/v4"

LONGEST_MESSAGE = 400
"""Characters of what Cloudflare says that are kept."""

DASHBOARD = "https://dash.cloudflare.com   (Traffic, Load Balancing)"
STATUS = "https://www.cloudflarestatus.com"

Object = Mapping[str, Json]


class CloudflareApi:
    """A client of the API. `timeout` in seconds for each request, half of it for connecting, so that a timeout tells
    whether anything was sent. The token is in no text of an error."""

    def __init__(self, base: str, token: str, *, timeout: float, timed: Timed = untimed) -> None:
        self._base, self._token, self._timeout, self._timed = base.rstrip("/"), token, timeout, timed
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the client ready; nothing is sent."""
        budget = aiohttp.ClientTimeout(total=self._timeout, connect=self._timeout / 2)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), timeout=budget, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def read(self, place: str) -> Object:
        """What is at a place. Raises BalancerUnreachable; RouteNotFound where nothing is there."""
        try:
            async with self._sent("GET", place) as answer:
                status, after, body = answer.status, answer.headers.get("Retry-After"), await answer.read()
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable(self._why(exc)) from exc
        if status == 404:
            raise RouteNotFound(
                f"Cloudflare has nothing at {place}: {_message(body)}",
                next=("bluegreen config docs cloudflare", DASHBOARD),
            )
        if status != 200:
            raise _unreachable(_refused(status, after, body))
        found = _envelope(body)
        if found is None or not isinstance(found.get("result"), dict):
            raise _unreachable(f"what answers at {self._base} is not its API: {_message(body)}")
        return dict(found["result"])

    async def change(self, place: str, keys: Object) -> None:
        """Overwrite these keys of what is at a place. Raises as Balancer.switch says."""
        try:
            async with self._sent("PATCH", place, msgspec.json.encode(keys)) as answer:
                status, after, body = answer.status, answer.headers.get("Retry-After"), await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise _unreachable(self._why(exc)) from exc
        except TimeoutError as exc:
            raise ChangeUnknown(
                f"Cloudflare did not answer the change within {self._timeout:g} s: it may still take effect",
                next=(DASHBOARD,),
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLost(f"the connection to Cloudflare was lost before the reply: {said(exc)}") from exc
        _judge(status, after, body)

    def _why(self, exc: Exception) -> str:
        if isinstance(exc, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return said(exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc)

    @asynccontextmanager
    async def _sent(self, method: str, place: str, data: bytes | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("this client of Cloudflare was not opened")
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        began = monotonic()
        try:
            async with self._session.request(
                method, f"{self._base}/{place}", data=data, headers=headers, allow_redirects=False
            ) as answer:
                yield answer
        finally:
            self._timed("read" if method == "GET" else "write", monotonic() - began)


def _judge(status: int, after: str | None, body: bytes) -> None:
    """What the answer to a change means."""
    if status == 429:  # counted and refused before anything of ours looks at it
        raise _unreachable(_refused(status, after, body))
    if status >= 500:
        raise ChangeUnknown(
            f"Cloudflare answered the change with HTTP {status}: it may still take effect",
            status=status,
            next=(STATUS,),
        )
    found = _envelope(body)
    if 200 <= status < 300 and found is None:
        raise ChangeUnknown("Cloudflare's answer to the change cannot be read: it may have taken effect")
    if not 200 <= status < 300 or (found is not None and found.get("success") is not True):
        raise ChangeRefused(
            f"Cloudflare refused the change: {_refused(status, after, body)}", status=status, next=(DASHBOARD,)
        )


def _unreachable(why: str) -> BalancerUnreachable:
    return BalancerUnreachable(f"Cloudflare's API cannot be used: {why}", next=("bluegreen doctor", STATUS))


def _refused(status: int, after: str | None, body: bytes) -> str:
    if status == 429:
        again = f"; again in {after} s" if after and after.isdigit() else ""
        return f"it was asked too often, by us or by others with the same user (1,200 times in 5 minutes){again}"
    told = f"HTTP {status}: {_message(body)}"
    if status in (401, 403):
        return (
            f"{told}. The token needs `Load Balancers: Edit` of the zone, and `Monitors and Pools: Read` of the account"
        )
    return told


def _envelope(body: bytes) -> dict[str, Json] | None:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) and "success" in found else None


def _message(body: bytes) -> str:
    """What Cloudflare said, with its own codes, shortened."""
    errors = (_envelope(body) or {}).get("errors")
    if isinstance(errors, list) and errors:
        told = [f"{each.get('message')} ({each.get('code')})" for each in errors if isinstance(each, dict)]
        text = "; ".join(told)
    else:
        text = " ".join(body.decode(errors="replace").split()) or "it says nothing"
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."
