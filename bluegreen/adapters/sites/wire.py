"""The admin endpoint as a synchronous client speaks to it: one short connection a request, everything bounded.

A POST of the whole configuration carries `If-Match` with the ETag of what it was made from, so it overwrites nothing
that somebody else changed meanwhile (pinned in tests/adapters/site_setup/test_caddy_sites.py). No proxy of the
environment is asked: the configuration may hold private keys.
"""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from time import monotonic
from urllib.parse import urlsplit

import msgspec

from bluegreen.domain.errors import (
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
)
from bluegreen.domain.records import Json

WHOLE = "/config/"
"""The path of the whole configuration."""

CHUNK = 1 << 16
"""Bytes that are read at a time."""

LARGEST = 256 * 2**20
"""Bytes of a configuration that is taken."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole configuration as it was, as bytes and decoded, with its ETag."""

    raw: bytes
    value: Json
    etag: str


class Wire:
    """Blocks: for a worker thread. `timeout` in seconds for each request, from the connection to the last byte."""

    def __init__(self, base: str, timeout: float) -> None:
        url = urlsplit(base)
        self.base, self._timeout = base, timeout
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 80

    def read(self) -> Whole:
        """The whole configuration. Raises BalancerUnreachable."""
        try:
            status, etag, body = self._exchange("GET", None, {})
        except (HTTPException, OSError) as exc:
            raise self._unreachable(exc) from exc
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError as exc:
            raise self._unreachable(exc) from exc
        if status != 200 or not etag:
            raise BalancerUnreachable(f"Caddy at {self.base} answered HTTP {status} without a configuration")
        return Whole(body, value, etag)

    def replace(self, value: Json, etag: str) -> None:
        """Replace the whole configuration, if it is still what `etag` was read from. Raises as Balancer.switch does."""
        body = msgspec.json.encode(value)
        headers = {"Content-Type": "application/json", "If-Match": etag}
        try:
            status, _, said = self._exchange("POST", body, headers)
        except ConnectionRefusedError as exc:
            raise self._unreachable(exc) from exc
        except TimeoutError as exc:
            raise ChangeUnknown(f"Caddy did not answer the change within {self._timeout:g} s") from exc
        except (HTTPException, OSError) as exc:
            raise ConnectionLost(f"the connection to Caddy was lost before the reply: {exc}") from exc
        if status == 412:
            raise ForeignChange
        if not 200 <= status < 300:
            text = said[:500].decode(errors="replace").strip()
            raise ChangeRefused(f"Caddy refused the change with HTTP {status}: {text}", status=status)

    def _exchange(self, method: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
        until = monotonic() + self._timeout
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, WHOLE, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("ETag") or "", _whole(answer, until)
        finally:
            connection.close()

    def _unreachable(self, exc: Exception) -> BalancerUnreachable:
        why = f"no answer within {self._timeout:g} s" if isinstance(exc, TimeoutError) else str(exc)
        return BalancerUnreachable(
            f"Caddy's admin endpoint {self.base} cannot be used: {why}",
            next=("systemctl status caddy", f"curl {self.base}{WHOLE}"),
        )


def _whole(answer: HTTPResponse, until: float) -> bytes:
    """The body to its end; TimeoutError for one that trickles."""
    pieces, size = [], 0
    while piece := answer.read1(CHUNK):
        pieces.append(piece)
        size += len(piece)
        if monotonic() > until:
            raise TimeoutError
        if size > LARGEST:
            raise HTTPException(f"more than {LARGEST} bytes")
    return b"".join(pieces)
