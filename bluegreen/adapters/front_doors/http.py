"""The balancer's real listener, asked as a user would: single probes, and flows of several requests."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self

from bluegreen.adapters.front_doors.exchange import LONGEST_ANSWER, PROBE_HEADER, Asked, Exchange, Got
from bluegreen.adapters.front_doors.flow import walk
from bluegreen.domain.answers import Place, Reply
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.traffic import Colour, Service

__all__ = ["LONGEST_ANSWER", "LONGEST_BODY", "PROBE_HEADER", "HttpFrontDoor"]

POINTER_HEADER, KNOWN = "X-Bluegreen-Pointer", 204
"""The header that carries the nonce there and the file's text back, and the status of an answer that knows it."""

LONGEST_BODY = 64 * 1024
"""Bytes of an answer to a probe that are kept."""

LONGEST_VERSION = 128
"""Characters of what an answer says it is."""


class HttpFrontDoor:
    """The ports FrontDoor, FlowDoor and PointerDoor by HTTP(S). Open before use (`async with`, or `open` and `close`).

    `timeout` and `witness_timeout` in seconds: for the whole answer to a probe, and then for its line in the access
    log. `verify` None checks certificates unless `base` is on this very host (where a name seldom fits). `versions`:
    where the answers of a service say what they are, by service. `whose`: which colour a version is, where no access
    log tells who answered; then no line is waited for.
    """

    def __init__(
        self,
        base: str,
        services: Sequence[Service],
        *,
        timeout: float,
        witness_timeout: float = 0.5,
        verify: bool | None = None,
        versions: Mapping[str, Place] | None = None,
        whose: Callable[[str], Awaitable[Colour | None]] | None = None,
    ) -> None:
        patience = witness_timeout if whose is None else 0.0
        self._exchange = Exchange(base, services, witness_timeout=patience, verify=verify)
        self._timeout = timeout
        self._versions = versions or {}
        self._whose = whose

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        await self._exchange.open()

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        await self._exchange.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """Requests under way whose line in the access log may still come."""
        return self._exchange.waiting

    def witnessed(self, nonce: str, colour: Colour, status: int) -> None:
        """The access log has a line of the request with this nonce; a nonce that nobody waits for is ignored."""
        self._exchange.witnessed(nonce, colour, status)

    async def ask(self, service: str) -> FrontDoorAnswer:
        """Send one request for a service and learn which colour served it. Never raises for a bad answer."""
        asked = Asked(self._exchange.service(service).probe_path, keep=LONGEST_BODY)
        got = await self._exchange.send(service, asked, self._timeout)
        version = self._version(service, got)
        colour, doubt = await self._told_by(version) if self._whose is not None else (got.colour, "")
        return FrontDoorAnswer(
            service=service,
            colour=colour,
            status=got.status,
            seconds=got.seconds,
            error=f"{got.error} (the access log says {got.logged})" if got.error and got.logged else got.error,
            body=got.body,
            reached=got.sent,
            version=version,
            doubt=doubt,
        )

    async def reads(self, service: str, nonce: str) -> str | None:
        """What the balancer reads in its pointer file, for one who knows the nonce planted beside it."""
        asked = Asked(self._exchange.service(service).probe_path, headers={POINTER_HEADER: nonce})
        got = await self._exchange.send(service, asked, self._timeout)
        return got.headers.get(POINTER_HEADER.lower()) if got.status == KNOWN else None

    async def walk(self, flow: Flow) -> FlowAnswer:
        """Make the requests of a flow, one after the other. Never raises for a bad answer."""
        return await walk(flow, self._exchange)

    async def _told_by(self, version: str) -> tuple[Colour | None, str]:
        """The colour that a version is the witness of; or None, and why."""
        if not version or self._whose is None:
            return None, "and its answer does not say which version it is"
        colour = await self._whose(version)
        return colour, "" if colour else f"as {version}, which is not what one colour alone runs"

    def _version(self, service: str, got: Got) -> str:
        """What the answer says it is; "" where it does not say."""
        place = self._versions.get(service)
        if place is None or got.status is None:
            return ""
        try:
            return place.text(Reply(got.status, got.headers, got.body, got.whole))[:LONGEST_VERSION]
        except LookupError:
            return ""
